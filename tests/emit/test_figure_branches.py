"""Figures of splits: many ways beside each other, ways within ways, and what is written in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archspec
from archspec.emit.figure import Figure, figure
from archspec.emit.figures.contents import DEPTHS, Depth
from archspec.emit.figures.shapes import Disc, Rect
from archspec.emit.mermaid import to_mermaid
from archspec.graph.graph import INPUT, Graph, Node
from archspec.operations.discovery import operations
from tests.support.figures import faults, from_layout, from_svg

TIMES = "\N{MULTIPLICATION SIGN}"


def texts(drawn: Figure) -> list[str]:
    return [label.text for label in drawn.sheet.canvas.labels]


def check(drawn: Figure) -> None:
    assert faults(from_layout(drawn)) == []
    assert faults(from_svg(drawn.svg)) == []


def branches(widths: Sequence[int], merge: str = "concat") -> Graph:
    """Two layers in each branch; the first has the branch's width. A width of 0 is the value itself."""
    conv: Any = operations()["conv"]
    join = operations()[merge]()
    nodes: list[Node] = []
    ends: list[str] = []
    for number, width in enumerate(widths):
        before = INPUT
        for name, out in ((f"b{number}.one", width), (f"b{number}.two", 8)) if width else ():
            nodes.append(Node(name, conv(out=out, kernel=3), (before,), (out, 4, 4)))
            before = name
        ends.append(before)
    shape = (8 * len(widths) if merge == "concat" else 8, 4, 4)
    return Graph("branches", (8, 4, 4), (*nodes, Node("join", join, tuple(ends), shape)), {"output": "join"})


def drawn_nodes(drawn: Figure) -> set[str]:
    return {name for shape in drawn.sheet.canvas.front if isinstance(shape, Rect | Disc) for name in shape.nodes}


def test_equal_branches_are_drawn_once_with_their_number() -> None:
    graph = branches([8] * 200 + [4, 0])
    drawn = figure(graph)
    check(drawn)
    assert texts(drawn).count(f"3{TIMES}3 conv, 8") == 3  # two of the equal ones, one of the other
    assert f"{TIMES}200" in texts(drawn)
    assert drawn_nodes(drawn) == set(graph.by_name)
    assert drawn.width < 400


def test_three_equal_branches_stand_side_by_side() -> None:
    drawn = figure(branches([8] * 3))
    assert texts(drawn).count(f"3{TIMES}3 conv, 8") == 6
    assert f"{TIMES}3" not in texts(drawn)


def test_branches_that_differ_go_on_in_further_rows() -> None:
    graph = branches(range(1, 201))
    drawn = figure(graph)
    check(drawn)
    assert drawn.width < 1_500  # 18,490 in one row
    assert drawn_nodes(drawn) == set(graph.by_name)
    assert all(f"3{TIMES}3 conv, {width}" in texts(drawn) for width in range(1, 201))


def test_every_operation_of_equal_branches_has_its_name_at_that_depth() -> None:
    drawn = figure(branches([8] * 60), depth="op")
    check(drawn)
    assert {f"b{number}.one" for number in range(60)} <= {*texts(drawn)}
    assert drawn.width < 1_500


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 12), min_size=2, max_size=60),
    st.sampled_from(["concat", "add", "multiply"]),
    st.sampled_from(["block", "op"]),
)
def test_any_branches(widths: list[int], merge: str, depth: Depth) -> None:
    graph = branches(widths, merge)
    drawn = figure(graph, depth=depth)
    check(drawn)
    assert drawn_nodes(drawn) == set(graph.by_name)


# -- ways within ways ------------------------------------------------------------------------------------------------

NESTED = """\
archspec: 1
name: nested
input: [3, 64, 64]
classes: 10
fragments:
  inner:
    params: {channels: 8, stride: 1}
    steps:
      - add:
          - - layer: {out: channels, kernel: 3, stride: stride}
            - layer: {out: channels, kernel: 3, act: none}
          - [layer: {out: channels, kernel: 1, stride: stride, act: none}]
      - act
blocks:
  outer:
    channels: width
    residual:
      - inner: {channels: channels, stride: stride}
      - inner: {channels: channels}
      - add:
          - []
          - - layer: {out: channels, kernel: 3}
            - add: [[], [layer: {out: channels, kernel: 1}]]
stem: [layer: {out: 16, kernel: 3}]
stages: {block: outer, count: [2, 2, 1], channels: [16, 32, 64], stride: [1, 2, 2]}
head: classifier
"""


@pytest.mark.parametrize("depth", DEPTHS)
def test_residuals_in_residuals(depth: Depth) -> None:
    check(archspec.draw(NESTED, depth=depth))


def test_a_norm_after_a_layer_is_in_its_box_although_an_activation_precedes_the_split() -> None:
    drawn = archspec.draw(NESTED)
    layers = [label for label in drawn.sheet.canvas.labels if re.fullmatch(rf"\d{TIMES}\d conv, C(, /\w)?", label.text)]
    norms = [label for label in drawn.sheet.canvas.labels if label.text.startswith("BN")]
    below = [norm for norm in norms for layer in layers if norm.x == layer.x and 0 < norm.y - layer.y < 14]
    assert len(layers) == 17  # eight in each kind of block, and the projection around one
    assert len(below) == 17


# -- names -----------------------------------------------------------------------------------------------------------


def test_an_operation_has_its_name_in_the_state_dict() -> None:
    """Within a frame, without the frame's scope."""
    said = texts(archspec.draw("resnet18", depth="op"))
    assert {"conv1", "downsample.0", "downsample.1", "layer2.0  basic"} <= {*said}
    said = texts(archspec.draw("mobilenet_v3_large", depth="op"))
    assert {"features.0.0", "block.0.0", "block.2.fc1", "classifier.3"} <= {*said}
    assert not [text for text in said if text.isdecimal() and len(text) == 1]


@pytest.mark.parametrize("name", ["resnet50", "seresnet50", "googlenet"])
def test_shapes_keep_away_from_frames_in_a_wider_font(name: str) -> None:
    """Where a viewer has neither Helvetica nor Arial, letters are up to a fifth wider."""
    canvas = archspec.draw(name, depth="op").sheet.canvas
    frames = [rect for rect in canvas.behind if rect.style == "frame"]
    for label in canvas.labels:
        left, top, right, bottom = label.extent
        for frame in frames if label.anchor == "end" else ():
            beside = frame.y < bottom and top < frame.y + frame.height and frame.x < left
            assert not beside or left - (right - left) / 5 > frame.x + frame.width


def test_a_description_in_mermaid_keeps_strides_and_stages() -> None:
    text = to_mermaid(archspec.compile("resnet50"))
    (described,) = re.findall(r"accDescr: (.*)", text)
    assert f"7{TIMES}7 conv, 64, /2" in described
    assert ". layer3: bottleneck, 256, /2, 5 times bottleneck, 256. " in described


@pytest.mark.parametrize("around", ["[concat: [[conv: {out: 8}], [norm, blocks]]]", "[add: [[], [blocks]]]"])
def test_blocks_in_a_branch_are_one_card_with_their_number(around: str) -> None:
    row = f"{{block: basic, count: 4, channels: 16, around: {around}}}"
    graph = archspec.compile(f"archspec: 1\nname: t\ninput: [3, 16, 16]\nstem: [conv: {{out: 16}}]\nstages: [{row}]\n")
    drawn = figure(graph)
    check(drawn)
    assert texts(drawn).count("basic") == 2  # the card, and the title of what it contains
    assert f"{TIMES}4" in texts(drawn)
    assert {node.name for node in graph.nodes} <= drawn_nodes(drawn) | {INPUT}
