"""Blocks that are copied are what they would be if each were lowered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archspec
from archspec.graph.graph import Graph
from tests.support.equivalence import codes, compiled, spec
from tests.support.paths import ROOT
from tests.support.zoo import ZOO

FAMILIES = [
    path
    for path in sorted((ROOT / "tests" / "specs" / "good").glob("*.yaml"))
    if "\nname:" in path.read_text(encoding="utf-8")
]


def lowered(text: str, counts: list[int]) -> Graph:
    """The graph of a spec whose cells are written by block, which no copy can stand for."""
    return compiled(text.replace("CHANNELS", str([[8 * 2**stage] * count for stage, count in enumerate(counts)])))


def copied(text: str, counts: list[int]) -> Graph:
    """The graph of the same spec, its cells by stage."""
    return compiled(text.replace("CHANNELS", str([8 * 2**stage for stage in range(len(counts))])))


def same(one: Graph, other: Graph) -> None:
    assert [node[:4] for node in one.nodes] == [node[:4] for node in other.nodes]
    places = [[(r.kind, r.scope, r.name, r.first, r.last, r.source, r.result) for r in g.regions] for g in (one, other)]
    assert places[0] == places[1]


def outcome(make: Callable[[str, list[int]], Graph], text: str, counts: list[int]) -> Graph | list[str]:
    """The graph, or the codes of the faults that refuse it."""
    try:
        return make(text, counts)
    except archspec.SpecError as refused:
        return codes(refused)


NAMINGS = [
    "{}",
    '{block: "{index}-{number}"}',
    '{residual: f, shortcut: proj, layer: "{n}"}',
    '{stage: s, block: "{position}"}',
    '{stage: "", block: "block{number}"}',
    '{stage: s, block: "b{index % 3}"}',
    '{stage: s, block: ""}',
    '{conv: "c{n}_{position}_{number}"}',
]


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=3),
    st.sampled_from(["basic", "bottleneck", "bottleneck, se: 0.25", "bottleneck, groups: 2"]),
    st.sampled_from(["post", "pre", "act-only-pre", "norm-after-add", "act-before-add"]),
    st.sampled_from(["projection", "projection-all", "none", "zero-pad", "inverted"]),
    st.sampled_from(["0", "0.5 * number / blocks", "0.1", "0.1 * index"]),
    st.sampled_from(NAMINGS),
    st.booleans(),
)
@settings(max_examples=60)
def test_copies_are_what_lowering_gives(
    counts: list[int], block: str, order: str, shortcut: str, drop: str, naming: str, zero: bool
) -> None:
    text = f"""
input: [3, 16, 16]
classes: 5
stem: {{use: cifar, width: 8}}
activation_order: {order}
shortcut: {shortcut}
drop_path: {drop}
naming: {naming}
init: {{zero_init_residual: {str(zero).lower()}}}
stages: {{block: {block}, count: {counts}, channels: CHANNELS, stride: {[1 + (i > 0) for i in range(len(counts))]}}}
"""
    outcomes = [outcome(make, text, counts) for make in (lowered, copied)]
    if isinstance(outcomes[0], Graph) and isinstance(outcomes[1], Graph):
        same(outcomes[1], outcomes[0])
    else:
        assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("cell", ["8 + index * 0", "8 if index < 2 else 16", "8 if number == 3 else 8", "8 * stage"])
def test_what_differs_from_block_to_block_is_lowered(cell: str) -> None:
    text = "input: [3, 16, 16]\nstem: {use: cifar, width: 8}\nstages: {block: basic, count: [5, 4], channels: %s}\n"
    widths = {"8 if index < 2 else 16": [[8, 8, 16, 16, 16], [8, 8, 16, 16]], "8 * stage": [[8] * 5, [16] * 4]}
    by_block = widths.get(cell, [[8] * 5, [8] * 4])
    same(compiled(text % f'"{cell}"'), compiled(text % by_block))


def test_a_block_that_reads_its_place_is_lowered() -> None:
    text = """
        input: [3, 16, 16]
        stem: {use: cifar, width: 8}
        blocks:
          placed:
            residual:
              - conv: {out: 8, kernel: 3}
              - act: {when: index == 3}
              - sequence: {steps: [conv: {out: 8, kernel: "3 if number == 2 else 1"}]}
        stages: {block: placed, count: 5}
        """
    blocks = [[n.operation.kind for n in g.nodes[r.first : r.last]] for g in [compiled(text)] for r in g.regions[1:]]
    assert ["relu" in kinds[:2] for kinds in blocks] == [False, False, False, True, False]
    kernels = [n.operation for n in compiled(text).nodes if n.name.endswith("conv2")]
    assert [operation.kernel for operation in kernels] == [1, 1, 3, 1, 1]


@pytest.mark.parametrize("setting", ["shortcut: word", "shortcut: \"'far' if stage == 1 else 'word'\""])
def test_a_shortcut_that_a_parameter_or_an_expression_names_is_looked_at(setting: str) -> None:
    text = """
        input: [8, 16, 16]
        stem: []
        params: {word: far}
        %s
        shortcuts:
          far: {same: [conv: {out: 8, kernel: "3 if index == 3 else 1"}], change: none}
          word: {same: [], change: none}
          None: {same: [], change: none}
        stages: {block: basic, count: 5, channels: 8}
        """
    kernels = [n.operation for n in compiled(text % setting).nodes if "downsample" in n.name]
    assert [operation.kernel for operation in kernels] == [1, 1, 1, 3, 1]


@pytest.mark.parametrize("steps", ["[]", "[sequence: {steps: []}]", "[act: {type: none}]", "[norm: {when: false}]"])
@pytest.mark.parametrize("stem", ["[]", "[act]"])
def test_blocks_without_nodes_repeat(steps: str, stem: str) -> None:
    text = f"""
        input: [8, 16, 16]
        stem: {stem}
        stages: {{block: empty, count: 5}}
        blocks: {{empty: {{steps: {steps}}}}}
        head: []
        """
    assert len(compiled(text).nodes) == (stem != "[]")


def test_a_name_that_a_copy_would_take_twice_is_refused() -> None:
    text = """
        input: [3, 16, 16]
        stem: [conv: {out: 8, name: layer1.3.conv1}]
        stages: {block: basic, count: 5, channels: 8}
        """
    with pytest.raises(archspec.SpecError) as refused:
        archspec.compile(spec(text))
    assert codes(refused.value) == ["E304"]


def test_a_fault_behind_copies_names_where_the_channels_come_from() -> None:
    text = """
        input: [3, 16, 16]
        stem: {use: cifar, width: 12}
        stages: {block: basic, count: 6, channels: 12}
        head: [conv: {out: 10, groups: 5}]
        """
    with pytest.raises(archspec.SpecError) as refused:
        archspec.compile(spec(text))
    (fault,) = refused.value.diagnostics
    assert fault.code == "E503"
    assert fault.labels[0].text == "the 12 channels come from here"
    assert fault.labels[0].span.line == 5


@pytest.mark.parametrize("name", [*ZOO, *(str(path) for path in FAMILIES)], ids=lambda name: Path(name).stem)
def test_names_are_unique_and_inputs_known(name: str) -> None:
    graph = archspec.compile(archspec.load(name))
    known = {"input"}
    for node in graph.nodes:
        assert node.name not in known
        assert set(node.inputs) <= known
        known.add(node.name)


def test_blocks_that_differ_by_place_are_not_taken_for_the_first_ones() -> None:
    """Found by trying: three large blocks, and two thousand small ones after them, were refused for their number."""
    steps = ", ".join(["act"] * 100)
    text = (
        "archspec: 1\nname: few\ninput: [3, 8]\nstem: []\nhead: []\nstages: {block: b, count: 2000}\n"
        f"blocks: {{b: {{steps: [sequence: {{when: index < 3, steps: [{steps}]}}, act]}}}}\n"
    )
    assert len(archspec.compile(text).nodes) == 3 * 100 + 2000
