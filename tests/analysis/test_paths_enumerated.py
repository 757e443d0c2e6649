"""Path counts and lengths against lists of every path, written from the definitions on networkx's graph."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import NamedTuple

import networkx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import archspec
from archspec.analysis.paths import Lengths
from archspec.analysis.report import analyze
from archspec.graph.graph import INPUT
from tests.analysis.networks import CONVOLUTIONS, LEAVES, Step, network, sequences

CONV = CONVOLUTIONS[0]
ACT: Step = {"act": {"type": "relu"}}
STEPS = sequences([CONV, CONV, ACT, LEAVES[-2]])


class Path(NamedTuple):
    """One path: the residual branches that it takes, each a merge and one of its inputs, and its weighted layers."""

    branches: frozenset[tuple[str, int]]
    layers: int


def edges(graph: archspec.Graph, gates: bool) -> dict[str, list[tuple[int, str]]]:
    """For each node its inputs and their positions, without those of gates unless these are asked for.

    Of a value that only says how large a map becomes, nothing goes into the map.
    """
    found = {}
    for node in graph.nodes:
        inputs = list(enumerate(node.inputs))
        if node.operation.name == "multiply" and not gates:
            inputs = [next(item for item in inputs if graph.shape(item[1]) == node.shape)]
        found[node.name] = inputs[:1] if node.operation.name == "upsample" else inputs
    return found


def all_paths(graph: archspec.Graph, gates: bool) -> dict[str, int]:
    """How many paths of the graph lead to each node."""
    found = {INPUT: 1}
    for name, inputs in edges(graph, gates).items():
        found[name] = sum(found[source] for _, source in inputs)
    return found


class Enumeration:
    """Every path to every node of a graph, one by one."""

    def __init__(self, graph: archspec.Graph, gates: bool) -> None:
        self.edges = networkx.MultiDiGraph()
        self.edges.add_node(INPUT)
        self.skip = {INPUT: [Path(frozenset(), 0)]}
        read = edges(graph, gates)
        for node in graph.nodes:
            inputs = read[node.name]
            self.edges.add_edges_from((name, node.name) for _, name in inputs)
            layer = int(node.operation.name in ("conv", "channel_conv", "linear"))
            paths = self._merge(node.name, node.operation.name, inputs)
            self.skip[node.name] = [Path(path.branches, path.layers + layer) for path in paths]

    def _merge(self, name: str, kind: str, inputs: list[tuple[int, str]]) -> list[Path]:
        if len(inputs) == 1:
            return self.skip[inputs[0][1]]
        identity = self._identity([source for _, source in inputs])
        if kind in ("concat", "maximum", "minimum") and identity is None:
            return max((self.skip[source] for _, source in inputs), key=lambda p: (len(p), max(x.layers for x in p)))
        shortcut = min(inputs, key=lambda item: min(path.layers for path in self.skip[item[1]]))[0]
        if identity is not None:
            shortcut = next(i for i, source in inputs if source == identity)
        found: list[Path] = []
        for i, source in inputs:
            taken = frozenset() if i == shortcut else frozenset([(name, i)])
            found += [Path(path.branches | taken, path.layers) for path in self.skip[source]]
        return found

    def _identity(self, sources: list[str]) -> str | None:
        for one in sources:
            if all(other == one or networkx.has_path(self.edges, one, other) for other in sources):
                return one
        return None


def assert_enumerated(graph: archspec.Graph, *, gates: bool = False) -> None:
    enumeration = Enumeration(graph, gates)
    by_output = analyze(graph, gates=gates).paths_by_output
    for label, output in graph.outputs.items():
        found = by_output[label]
        paths = enumeration.skip[output]
        branches = frozenset().union(*(path.branches for path in paths))
        assert found.skip_paths == len(paths)
        assert found.residual_blocks == len(branches)
        assert found.log2_skip_paths == pytest.approx(math.log2(len(paths)))
        assert found.graph_paths == all_paths(graph, gates)[output]
        assert_lengths(found.in_blocks, [len(path.branches) for path in paths])
        assert_lengths(found.in_layers, [path.layers for path in paths])
        for deleted in range(min(len(branches), 3) + 1):
            removals = list(itertools.combinations(sorted(branches), deleted))[:500]
            if math.comb(len(branches), deleted) == len(removals):
                left = [sum(path.branches.isdisjoint(removed) for path in paths) for removed in removals]
                assert found.surviving(deleted) == pytest.approx(sum(left) / len(left) / len(paths))


def assert_lengths(found: Lengths, wanted: list[int]) -> None:
    mean = sum(wanted) / len(wanted)
    counts = Counter(wanted)
    assert found.counts == tuple(counts[length] for length in range(max(wanted) + 1))
    assert (found.least, found.most) == (min(wanted), max(wanted))
    assert found.mean == pytest.approx(mean)
    assert found.std == pytest.approx(math.sqrt(sum((length - mean) ** 2 for length in wanted) / len(wanted)), abs=1e-6)
    low, high = found.middle(0.9)
    assert found.least <= low <= high <= found.most
    inside = [length for length in wanted if low <= length <= high]
    assert found.share(low, high) == len(inside) / len(wanted) >= 0.9


@given(steps=STEPS, times=st.integers(1, 3))
@example(steps=[{"add": [[], []]}], times=1)
@example(steps=[{"add": [[ACT], []]}, {"add": [[CONV], [CONV]]}], times=1)
@example(steps=[{"multiply": [[], [], [CONV]]}, {"multiply": [[], [CONV]]}], times=1)
@example(steps=[{"multiply": [[{"add": [[], [CONV]]}], [{"pool": {"type": "avg", "output": 1}}], [CONV]]}], times=1)
@example(steps=[{"add": [[], [{"add": [[], [CONV]]}, {"add": [[], [CONV], [CONV, CONV]]}]]}], times=1)
@settings(max_examples=80, suppress_health_check=list(HealthCheck))
def test_random_networks(steps: list[Step], times: int) -> None:
    """The same steps several times in a row are a power of their distribution."""
    graph = network(steps * times, 5)
    for gates in (False, True):
        if max(all_paths(graph, gates).values()) < 3000:
            assert_enumerated(graph, gates=gates)


LIKE: list[Step] = [
    {"act": {"type": "relu", "as": "x"}},
    {"pool": {"type": "max", "kernel": 2, "ceil": True}},
    {"upsample": {"like": "x"}},
]
MERGES: list[list[Step]] = [
    [{"maximum": [[], [CONV]]}],
    [{"minimum": [[CONV], [CONV, CONV]]}, {"maximum": [[{"add": [[], [CONV]]}], [CONV]]}],
    [{"multiply": [[CONV], [{"mean": {"over": "positions"}}, {"channel_conv": {}}]]}],
    [{"subtract": [[CONV], [CONV, CONV]]}],
]


@pytest.mark.parametrize("gates", [False, True])
@pytest.mark.parametrize("steps", [LIKE, LIKE + LIKE[1:], [{"multiply": [LIKE, [CONV]]}], *MERGES])
def test_every_kind_of_merge(steps: list[Step], gates: bool) -> None:
    """Also one of a map and of a value that only says how large it becomes, which is neither a path nor a gate."""
    graph = network(steps, 5)
    assert_enumerated(graph, gates=gates)
    assert archspec.skip_paths(graph.to_networkx(), gates=gates) == analyze(graph, gates=gates).paths


DENSE = [{"concat": [[], [CONV]]}]


@pytest.mark.parametrize(
    ("steps", "choices", "paths"),
    [
        ([{"add": [[], [CONV]]}] * 3, 3, 8),
        ([{"add": [[], [CONV], [CONV]]}], 2, 3),
        ([{"add": [[], [CONV, {"add": [[], [CONV]]}]]}], 2, 3),
        ([{"add": [[], []]}], 1, 2),
        (DENSE * 3, 3, 8),
        ([{"concat": [[], [CONV], [CONV, CONV]]}], 2, 3),
        ([{"concat": [[CONV], [CONV, CONV], [ACT]]}], 0, 1),
        ([{"concat": [[CONV], [{"add": [[], [CONV]]}]]}], 1, 2),
        ([{"concat": [[{"add": [[], [CONV]]}], [{"add": [[], [CONV]]}]]}], 1, 2),
        ([{"concat": [[{"slice": {"stop": 2}}], [{"slice": {"start": 2}}, CONV]]}], 0, 1),
        ([{"multiply": [[], [CONV]]}], 0, 1),
        ([{"multiply": [[{"add": [[], [CONV]]}], [{"add": [[], [CONV]]}]]}], 1, 2),
        ([{"add": [[], [{"concat": [[CONV], [CONV]]}, CONV]]}], 1, 2),
    ],
    ids=[
        "blocks in a row multiply",
        "a merge of three",
        "a nested residual adds",
        "twice the same value",
        "dense layers multiply",
        "a dense layer of three",
        "inception has no choice",
        "a concatenation takes its richest branch",
        "only one of two equal branches counts",
        "the halves of a split have no choice",
        "a product of maps has no choice",
        "a product goes through its first factor",
        "an inception residual is one way",
    ],
)
def test_definitions(steps: list[Step], choices: int, paths: int) -> None:
    """What the definitions say in plain cases; one more choice is the residual block behind the steps."""
    found = analyze(network(steps, 5)).paths
    assert (found.residual_blocks, found.skip_paths) == (choices + 1, 2 * paths)
    assert_enumerated(network(steps, 5))
