"""The regions of fragments, shortcuts, layers, ``before`` and ``after``: where they lie, their names and values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

import archspec
from archspec.graph.graph import Graph
from archspec.graph.nesting import nest
from archspec.graph.plan import Call, Module
from archspec.passes import prune
from archspec.testing import graphs
from tests.graph.test_patterns import proved
from tests.support.properties import compiled, tries

SPEC = """
archspec: 1
name: parts
input: [3, 32, 32]
classes: 5
blocks:
  gated:
    params: {ratio: 0.5}
    let: {width: 2 * channels}
    residual:
      - layer: {out: width, kernel: 3, stride: stride, name: first}
      - layer: {out: channels, kernel: 1}
      - se: {squeeze: int(channels * ratio)}
fragments:
  half:
    params: {kernel: 2}
    steps: [pool: {type: avg, kernel: kernel, stride: 2}, conv: {out: in_channels}]
stem: [conv: {out: 8, kernel: 3}]
stages:
  block: gated
  count: [1, N, 2]
  channels: [8, 16, 32]
  stride: [1, 2, 1]
  before: [null, {use: half, kernel: 4}, null]
  after: [null, null, [act: {type: relu}]]
head: classifier
"""


def regions(graph: Graph, kind: str) -> dict[str, tuple[str, dict[str, object]]]:
    return {each.scope: (each.name, {**each.values, **each.given}) for each in graph.named if each.kind == kind}


def test_each_part_of_the_spec_has_a_region() -> None:
    graph = compiled(SPEC.replace("N", "4"))
    assert regions(graph, "layer") == {f"{block.scope}.first": ("layer", {}) for block in blocks(graph)}
    gates = {f"layer{stage}.{index}.se": width // 2 for stage, index, width in places()}
    values = {"activation": "relu", "gate": "sigmoid"}
    found = regions(graph, "fragment")
    assert found == {scope: ("se", {"squeeze": squeeze, **values}) for scope, squeeze in gates.items()}
    assert regions(graph, "before") == {"before2": ("half", {"kernel": 4})}
    assert regions(graph, "after") == {"after3": ("", {})}
    shortcuts = regions(graph, "shortcut")
    assert [(scope, name) for scope, (name, _) in shortcuts.items()] == [
        ("layer2.0.downsample", "projection"),
        ("layer3.0.downsample", "projection"),
    ]
    assert shortcuts["layer2.0.downsample"][1] == {"out_channels": 16, "channels": 16, "stride": 2, "dilation": 1}
    first = blocks(graph)[0]
    assert (first.values, first.given) == ({"ratio": 0.5}, {"channels": 8, "stride": 1, "dilation": 1, "width": 16})


def places() -> list[tuple[int, int, int]]:
    counts, widths = (1, 4, 2), (8, 16, 32)
    return [(s + 1, index, widths[s]) for s, count in enumerate(counts) for index in range(count)]


def blocks(graph: Graph) -> list[archspec.graph.graph.Region]:
    return [block for stage in graph.stages for block in graph.blocks(stage)]


def test_copies_have_the_regions_that_lowering_gives() -> None:
    """Cells that are written by block cannot be copied."""
    text = SPEC.replace("N", "4")
    lowered = compiled(text.replace("channels: [8, 16, 32]", "channels: [8, [16, 16, 16, 16], 32]"))
    places = [
        [(each.kind, each.scope, each.name, each.first, each.last, each.source, each.result) for each in graph.named]
        for graph in (compiled(text), lowered)
    ]
    assert places[0] == places[1]
    graph = compiled(text)
    assert graph.named == tuple(graph.named)
    assert tuple(graph.named) == graph.named


@tries(60)
@given(graphs())
def test_a_region_is_in_its_scope_and_has_its_ends(graph: Graph) -> None:
    for each in graph.named:
        inside = graph.nodes[each.first : each.last]
        assert inside
        assert all(node.name.startswith(f"{each.scope}.") for node in inside)
        assert each.result in {node.name for node in inside} | {each.source}


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "googlenet"])
def test_passes_move_them(name: str) -> None:
    graph = archspec.compile(name)
    last = graph.stages[-2].result if name == "resnet18" else graph.nodes[len(graph.nodes) // 2].name
    backbone = prune(replace(graph, outputs={"output": last}, origin=None))
    for each in backbone.named:
        assert all(node.name.startswith(each.scope) for node in backbone.nodes[each.first : each.last])
    assert 0 < len(backbone.named) < len(graph.named)
    proved(backbone)


def test_the_fine_plan_has_modules_for_them_with_the_same_keys() -> None:
    graph = archspec.compile("mobilenet_v3_large")
    paths = {each.path: each for each in nest(graph, fine=True).modules()}
    assert paths["features.4.block.2"].name == "se"
    assert paths["features.4.block.2"].region in graph.named
    assert {each.path for each in nest(graph).modules()} < paths.keys()


@tries(60)
@given(graphs())
def test_the_fine_plan_has_every_node_once_in_order(graph: Graph) -> None:
    assert [call.node for call in calls(nest(graph, fine=True))] == list(graph.nodes)


def calls(module: Module) -> list[Call]:
    return [call for member in module.members for call in (calls(member) if isinstance(member, Module) else [member])]
