"""The tree of series and parallels, against graphs drawn from trees, a brute-force definition, and the zoo."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec.emit.garbage import uncollected
from archspec.graph.graph import INPUT
from archspec.graph.reduction import END, Reads
from archspec.graph.series_parallel import Element, Parallel, Series, Tangle, decompose, series_parallel
from archspec.passes.prune import prune
from archspec.testing import graphs
from tests.support.zoo import ZOO

Edges = list[tuple[str, str]]


def reads_of(series: Series, source: str, end: str) -> list[tuple[str, str]]:
    """The edges of a tree, each from a value to the node that reads it."""
    found: Edges = []
    work = [(series, source, end)]
    while work:
        parts, value, last = work.pop()
        for part in parts:
            name = part.name if isinstance(part, Element) else part.merge or last
            if isinstance(part, Element):
                found.append((value, name))
            elif isinstance(part, Parallel):
                work += [(branch, value, name) for branch in part.branches]
            else:
                work += [(way.series, way.source, way.target or last) for way in part.ways]
            value = name
        if not parts or value != last:
            found.append((value, last))
    return sorted(found)


def tangles(series: Series) -> list[Tangle]:
    found: list[Tangle] = []
    for part in series:
        if isinstance(part, Parallel):
            found += itertools.chain.from_iterable(map(tangles, part.branches))
        elif isinstance(part, Tangle):
            found += [part, *itertools.chain.from_iterable(tangles(way.series) for way in part.ways)]
    return found


# -- trees drawn, and given back -------------------------------------------------------------------------------------


@st.composite
def series(draw: st.DrawFn, depth: int = 3, *, least: int = 0) -> list[object]:
    """A tree in lists: a number is a node, a list of two or more lists is a parallel of them and its merge."""
    size = draw(st.integers(least, 3))
    kinds = st.sampled_from(["node", "parallel"]) if depth else st.just("node")
    parts: list[object] = []
    for _ in range(size):
        if draw(kinds) == "node":
            parts.append(None)
        else:
            parts.append([draw(series(depth - 1)) for _ in range(draw(st.integers(2, 3)))])
    return parts


def built(tree: list[object], source: str, reads: dict[str, list[str]]) -> tuple[Series, str]:
    """What :func:`decompose` should give, and the value at its end; ``reads`` gets the nodes."""
    found: list[Element | Parallel] = []
    for part in tree:
        if part is None:
            name = f"n{len(reads)}"
            reads[name] = [source]
            found.append(Element(name))
        else:
            assert isinstance(part, list)
            inside = [built(branch, source, reads) for branch in part]
            name = f"n{len(reads)}"
            reads[name] = [value for _, value in inside]
            found.append(Parallel(tuple([each for each, _ in inside]), name))
        source = name
    return tuple(found), source


@given(series(least=1))
def test_a_network_that_is_drawn_as_a_tree_gives_the_tree_back(tree: list[object]) -> None:
    reads: dict[str, list[str]] = {}
    expected, result = built(tree, "x", reads)
    assert decompose(reads, "x", [result]) == expected


# -- any network against the definition ------------------------------------------------------------------------------


@st.composite
def dags(draw: st.DrawFn) -> dict[str, list[str]]:
    """Up to eight nodes, each of which reads one to three earlier values."""
    reads: dict[str, list[str]] = {}
    for number in range(draw(st.integers(1, 8))):
        earlier = ["x", *reads]
        reads[f"n{number}"] = draw(st.lists(st.sampled_from(earlier[-4:]), min_size=1, max_size=3))
    return reads


def pieces(edges: Edges, source: str, end: str) -> list[tuple[Edges, str, str]]:
    """A two-terminal graph split by its definition: at each value that all paths pass, or into parallel groups."""
    inside = {name for edge in edges for name in edge} - {source, end}
    for cut in sorted(inside):
        reached, more = {source}, True
        while more:  # walk from the source and never through the cut
            more = False
            for a, b in edges:
                if a in reached and a != cut and b not in reached:
                    reached.add(b)
                    more = True
        if end not in reached:
            before = [(a, b) for a, b in edges if a in reached - {cut}]
            return [(before, source, cut), ([edge for edge in edges if edge not in before], cut, end)]
    groups: list[tuple[set[str], Edges]] = []
    for a, b in edges:
        touched = {a, b} & inside
        joined = [group for group in groups if group[0] & touched]
        groups = [group for group in groups if not group[0] & touched]
        groups.append((touched.union(*[g[0] for g in joined]), [(a, b), *itertools.chain(*[g[1] for g in joined])]))
    return [(group, source, end) for _, group in groups]


def decomposes(edges: Edges, source: str, end: str) -> bool:
    found = pieces(edges, source, end)
    return len(edges) == 1 or (len(found) > 1 and all(decomposes(*piece) for piece in found))


@given(dags())
def test_any_network_against_the_definition(reads: Reads) -> None:
    result = list(reads)[-1]
    needed = {result}
    for name in reversed(reads):
        if name in needed:
            needed.update(reads[name])
    edges = [(each, name) for name, inputs in reads.items() if name in needed for each in inputs]
    tree = decompose(reads, "x", [result])
    assert reads_of(tree, "x", result) == sorted(edges)
    found = tangles(tree)
    assert not found or not decomposes(edges, "x", result)
    assert found or decomposes(edges, "x", result)


@given(dags())
def test_branches_keep_the_order_in_which_the_merge_reads_them(reads: Reads) -> None:
    for part in decompose(reads, "x", [list(reads)[-1]]):
        if isinstance(part, Parallel) and all(
            not branch or isinstance(branch[-1], Element) for branch in part.branches
        ):
            ends = [branch[-1].name if branch else None for branch in part.branches]  # type: ignore[union-attr]
            given_order = [name if name in ends else None for name in reads[part.merge]]
            assert ends == given_order


@given(graphs())
def test_every_network_of_the_language(graph: archspec.Graph) -> None:
    ends = [name for name in graph.outputs.values() if not any(name in node.inputs for node in graph.nodes)]
    edges = [(each, node.name) for node in graph.nodes for each in node.inputs]
    edges += [(name, END) for name in dict.fromkeys(ends)]
    assert reads_of(series_parallel(graph), INPUT, END) == sorted(edges)
    for region in graph.regions:
        names = {node.name for node in graph.nodes[region.first : region.last]}
        inside = [(each, name) for each, name in edges if name in names and each in {region.source, *names}]
        drawn = reads_of(series_parallel(graph, region), region.source, region.result)
        assert set(drawn) <= set(inside)
        assert (region.result in names) == bool(drawn)


@pytest.mark.parametrize("name", ZOO)
def test_every_spec_of_the_zoo_decomposes(name: str) -> None:
    """What each output needs by itself: a network that returns two maps, one of them of an auxiliary head, may not."""
    graph = archspec.compile(name)
    for label, value in graph.outputs.items():
        alone = prune(replace(graph, outputs={label: value}, training=frozenset()))
        assert tangles(series_parallel(alone)) == []


# -- hard inputs -----------------------------------------------------------------------------------------------------


def test_what_does_not_decompose_is_as_small_as_its_terminals_allow() -> None:
    bridge = {"a": ["s"], "b": ["s", "a"], "c": ["a", "b"]}
    reads: dict[str, list[str]] = {"s": ["x"], **bridge, "t": ["c"], "add": ["x", "t"]}
    (around,) = decompose(reads, "x", ["add"])
    assert isinstance(around, Parallel)
    assert around.branches[0] == ()
    first, tangle, last = around.branches[1]
    assert (first, last) == (Element("s"), Element("t"))
    assert isinstance(tangle, Tangle)
    assert [(way.source, way.target) for way in tangle.ways] == [
        ("s", "a"), ("s", "b"), ("a", "b"), ("a", "c"), ("b", "c")
    ]  # fmt: skip


def test_several_results_have_one_end() -> None:
    reads = {"stem": ["x"], "a": ["stem"], "b": ["stem"]}
    assert decompose(reads, "x", ["a", "b", "stem"]) == (
        Element("stem"),
        Parallel(((Element("a"),), (Element("b"),)), END),
    )
    assert decompose(reads, "x", ["x"]) == ()


def test_what_no_result_needs_is_left_out() -> None:
    assert decompose({"a": ["x"], "b": ["a"], "c": ["a", "elsewhere"]}, "x", ["c"]) == (Element("a"), Element("c"))


@pytest.mark.parametrize("nested", [3_000])
def test_depth_costs_nothing(nested: int) -> None:
    """Branches in branches in branches, and values that all later merges read."""
    reads: dict[str, list[str]] = {"n0": ["x"]}
    for number in range(1, nested):
        reads[f"n{number}"] = [f"n{number - 1}"]
    inward = {f"m{number}": [f"m{number + 1}" if number + 1 < nested else f"n{nested - 1}", f"n{number}"]
              for number in reversed(range(nested))}  # fmt: skip
    (_, *rest) = decompose({**reads, **inward}, "x", ["m0"])
    assert len(rest) == 1
    dense = {f"n{number}": [f"n{each}" for each in range(number)][-3:] or ["x"] for number in range(nested)}
    assert any(isinstance(part, Tangle) for part in decompose(dense, "x", [f"n{nested - 1}"]))


def test_it_is_linear() -> None:
    def chain(blocks: int) -> dict[str, list[str]]:
        reads: dict[str, list[str]] = {}
        value = "x"
        for number in range(blocks):
            reads |= {f"a{number}": [value], f"b{number}": [f"a{number}"], f"c{number}": [value, f"b{number}"]}
            value = f"c{number}"
        return reads

    def seconds(blocks: int) -> float:
        reads, found = chain(blocks), []
        for _ in range(3):
            with uncollected():  # a search for garbage takes as long as there are objects of other tests
                before = time.process_time()
                decompose(reads, "x", [f"c{blocks - 1}"])
                found.append(time.process_time() - before)
        return min(found)

    assert seconds(16_000) < 16 * 3 * seconds(1_000)
