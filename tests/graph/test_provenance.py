"""Where a node was written: its step, and the cells of the stage table that decided it, by tables made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

import archspec
from archspec.graph.graph import Graph, Node
from archspec.testing import graphs
from tests.support.paths import ROOT
from tests.support.properties import compiled, tries

CHANNELS, STRIDE = 12, 13
"""The lines of the columns in specs/resnet50.yaml."""


def cells(node: Node) -> dict[str, tuple[int, str, int, int]]:
    """Of each cell its stage, the file's name, the line and the column, by the name of its column."""
    found = {c.column: (c.stage, c.span.source.name, c.span.line, c.span.column) for c in node.cells}
    assert len(found) == len(node.cells)
    return found


def text_at(node: Node, column: str) -> str:
    """What the author wrote in a cell."""
    (span,) = [cell.span for cell in node.cells if cell.column == column]
    return span.source.line(span.line)[span.column - 1 : span.end_column - 1]


def step_of(node: Node) -> str:
    """The line of a node's step, without what stands around it."""
    assert node.provenance
    return node.provenance.step.source.line(node.provenance.step.line).strip(" -")


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("conv1", set()),
        ("layer1.0.conv1", {"block", "channels", "stride"}),
        ("layer3.0.conv2", {"block", "channels", "stride"}),
        ("layer3.2.conv2", {"block", "channels"}),
        ("layer3.2.conv3", {"block", "channels"}),
        ("layer3.2.bn2", {"block"}),
        ("layer3.2.add", {"block"}),
        ("layer3.0.downsample.0", {"block", "stride"}),
        ("layer3.0.downsample.1", {"block"}),
        ("fc", set()),
    ],
)
def test_resnet50(name: str, columns: set[str]) -> None:
    """A stride is the first block's; what a shape decides, as the channels of a shortcut, no cell does."""
    node = archspec.compile("resnet50").by_name[name]
    assert set(cells(node)) == columns
    if "channels" in columns:
        stage = int(name[5])
        assert text_at(node, "channels") == str(64 * 2 ** (stage - 1))
        assert cells(node)["channels"][:3] == (stage, "resnet50.yaml", CHANNELS)
    if "stride" in columns:
        assert cells(node)["stride"][1:3] == ("resnet50.yaml", STRIDE)


def test_the_step_is_in_the_library_and_the_span_is_the_authors() -> None:
    node = archspec.compile("resnet50").by_name["layer3.2.conv2"]
    assert step_of(node).startswith("layer: {out: width, kernel: 3, stride: stride if stride_at == 2 else 1")
    assert node.provenance
    assert node.provenance.step.source.name == "archspec library: blocks.yaml"
    assert (str(node.span), text_at(node, "block")) == ("resnet50.yaml:10:10", "bottleneck")
    assert step_of(archspec.compile("resnet50").by_name["layer3.2.add"]) == "bottleneck:"


def test_a_variant_points_into_its_own_file_and_into_that_of_the_spec_it_extends(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text((ROOT / "specs" / "resnet50.yaml").read_text(encoding="utf-8"))
    variant = tmp_path / "variant.yaml"
    variant.write_text("archspec: 1\nextends: base\nname: variant\nstages: {groups: 32, base_width: 4}\n")
    found = archspec.compile(variant).by_name["layer3.2.conv2"]
    places = {column: (Path(cell[1]).name, cell[2]) for column, cell in cells(found).items()}
    assert places == {
        "block": ("base.yaml", 10),
        "channels": ("base.yaml", CHANNELS),
        "groups": ("variant.yaml", 4),
        "base_width": ("variant.yaml", 4),
    }
    assert (text_at(found, "groups"), text_at(found, "base_width")) == ("32", "4")


OWN = """archspec: 1
name: own
input: [3, 16, 16]
stem: {use: cifar, width: 8}
stages:
  block: gated
  count: [2, 2]
  channels: [8, 16]
  ratio: [[0.5, 0.25], 0.5]
  norm: [null, {type: group, groups: 2}]
  after: [[conv: {out: channels * 2}], null]
fragments:
  gate:
    params: {width: null}
    let: {inner: width + 1}
    steps:
      - multiply:
          - []
          - [pool: {type: avg, output: 1}, conv: {out: inner}, conv: {out: in_channels}]
blocks:
  gated:
    params: {ratio: 1}
    let: {width: int(channels * ratio), same: width}
    residual:
      - layer: {out: same, kernel: 3}
      - gate: {width: int(in_channels * ratio)}
      - layer: {out: channels, kernel: 1}
"""


def test_a_block_with_let_and_a_fragment_call() -> None:
    """``same`` follows from ``width``, and that from ``channels`` and ``ratio``; the gate's width from ``ratio``."""
    graph = compiled(OWN)
    first, second = graph.by_name["layer1.0.conv1"], graph.by_name["layer1.1.conv1"]
    assert {name: cell[2:] for name, cell in cells(first).items()} == {
        "block": (6, 10),
        "channels": (8, 14),
        "ratio": (9, 12),
    }
    assert (text_at(first, "ratio"), text_at(second, "ratio")) == ("0.5", "0.25")
    assert cells(second)["ratio"][2:] == (9, 17)
    assert set(cells(graph.by_name["layer1.0.bn1"])) == {"block"}
    assert set(cells(graph.by_name["layer2.0.gn1"])) == {"block", "norm"}
    assert set(cells(graph.by_name["layer1.0.conv2"])) == {"block", "channels"}
    assert cells(graph.by_name["after1.0"]).keys() == {"after", "channels"}
    gate = [node for node in graph.nodes if node.name.startswith("layer2.1.gate.")]
    assert [(node.operation.name, set(cells(node))) for node in gate] == [
        ("pool", {"block"}),
        ("conv", {"block", "ratio"}),
        ("conv", {"block"}),
        ("multiply", {"block"}),
    ]
    assert step_of(first) == "layer: {out: same, kernel: 3}"
    assert str(first.span) == "drawn.yaml:25:9"


def test_a_fragment_call_in_a_stem() -> None:
    """No cell decides it; the span is the author's call, the step the library's."""
    node = compiled(OWN).by_name["conv1"]
    assert (node.cells, str(node.span), step_of(node)) == ((), "drawn.yaml:4:13", "layer: {out: width, kernel: 3}")


def test_blocks_carry_the_values_of_their_parameters() -> None:
    graph = archspec.compile("resnext50_32x4d")
    expected = {"expansion": 4, "groups": 32, "base_width": 4, "stride_at": 2, "se": 0}
    assert [block.values for block in graph.blocks(graph.stages[0])] == [expected] * 3
    own = compiled(OWN)
    assert [[block.values for block in own.blocks(stage)] for stage in own.stages] == [
        [{"ratio": 0.5}, {"ratio": 0.25}],
        [{"ratio": 0.5}] * 2,
    ]


@given(graphs())
@tries(100)
def test_every_cell_is_the_authors_and_of_a_column_of_its_stage(graph: Graph) -> None:
    assert graph.origin
    documents = (graph.origin.document, *graph.origin.imported)
    sources = {id(place.value.source) for document in documents for place in document.places.values()}
    inside = {node.name for stage in graph.stages for node in graph.nodes[stage.first : stage.last]}
    for node in graph.nodes:
        assert node.provenance
        assert id(node.provenance.span.source) in sources
        assert (node.name in inside) == bool({"block", "around"} & set(cells(node)))
        for cell in node.cells:
            stage = graph.origin.stages[cell.stage - 1]
            assert id(cell.span.source) in sources
            assert cell.column == "block" or cell.column in stage.cells
            lines = cell.span.source.text.splitlines()
            assert 1 <= cell.span.line <= cell.span.end_line <= len(lines) + 1


@given(graphs())
@tries(60)
def test_a_node_is_decided_by_its_own_stage(graph: Graph) -> None:
    """Where ``outputs`` leave the last stages out, those before them keep their numbers."""
    for number, stage in enumerate(graph.stages, start=1):
        nodes = graph.nodes[stage.first : stage.last]
        assert {cell.stage for node in nodes for cell in node.cells} == {number}
