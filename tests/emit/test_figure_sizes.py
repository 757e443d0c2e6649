"""Values of which only the size is read: their lines are gray, in splits and in plain graphs, in every format."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.emit.dot import to_dot
from archspec.emit.figure import figure
from archspec.emit.figures.contents import DEPTHS
from archspec.emit.figures.shapes import Disc, Rect, Stroke
from archspec.emit.mermaid import to_mermaid
from archspec.graph.graph import INPUT, Graph, Node
from archspec.operations.discovery import operations
from tests.support.equivalence import compiled
from tests.support.figures import Area, check_dot, check_mermaid, faults, from_layout, from_svg

OPERATIONS = operations()
GRAY = 'color="#8c8c8c"'


@st.composite
def wired(draw: st.DrawFn) -> Graph:
    """Any wiring of layers, sums and upsamples to the size of any earlier value."""
    conv = OPERATIONS["conv"](out=8, kernel=3)
    nodes = [Node("n0", conv, (INPUT,), (8, 4, 4)), Node("n1", conv, ("n0",), (8, 4, 4))]
    for number in range(2, draw(st.integers(3, 12))):
        earlier = st.sampled_from([node.name for node in nodes][-5:])
        kind = draw(st.sampled_from(["conv", "add", "upsample", "upsample"]))
        arguments = {"conv": {"out": 8, "kernel": 3}, "upsample": {"like": "x"}}.get(kind, {})
        count = {"conv": 1, "add": draw(st.integers(2, 3)), "upsample": 2}[kind]
        inputs = tuple(draw(st.lists(earlier, min_size=count, max_size=count, unique=kind == "upsample")))
        nodes.append(Node(f"n{number}", OPERATIONS[kind](**arguments), inputs, (8, 4, 4)))
    read = {name for node in nodes for name in node.inputs}
    ends = [node.name for node in nodes if node.name not in read]
    return Graph("wired", (8, 4, 4), tuple(nodes), {name: name for name in ends}, single=len(ends) == 1)


def sizes(graph: Graph) -> list[tuple[str, str]]:
    """Each upsample, and the value of which it reads only the size."""
    upsamples = [node for node in graph.nodes if node.operation.name == "upsample" and len(node.inputs) > 1]
    return [(node.inputs[1], node.name) for node in upsamples]


def aside(graph: Graph) -> set[str]:
    """The nodes whose values nothing but sizes depend on."""
    found: set[str] = set()
    for node in reversed(graph.nodes):
        readers = [each for each in graph.nodes if node.name in each.inputs]
        measured = [(node.name, each.name) in sizes(graph) or each.name in found for each in readers]
        if readers and all(measured):
            found.add(node.name)
    return found


def area(shape: Rect | Disc) -> Area:
    if isinstance(shape, Disc):
        return Area(shape.x - shape.radius, shape.y - shape.radius, shape.x + shape.radius, shape.y + shape.radius)
    return Area(shape.x, shape.y, shape.x + shape.width, shape.y + shape.height)


def entered(graph: Graph, lines: list[Stroke]) -> set[str]:
    """The nodes at whose boxes gray arrows end."""
    shapes = [shape for shape in figure(graph, depth="op").sheet.canvas.front if shape.nodes]
    tips = [line.points[-1] for line in lines if line.arrow and line.style == "size"]
    return {shape.nodes[-1] for tip in tips for shape in shapes if area(shape).touches(tip)}


@settings(max_examples=150)
@given(wired())
def test_a_gray_arrow_leads_to_each_read_of_only_a_size(graph: Graph) -> None:
    drawn = figure(graph, depth="op")
    assert faults(from_layout(drawn)) == []
    assert faults(from_svg(drawn.svg)) == []
    lines = drawn.sheet.canvas.lines
    targets = {name for _, name in sizes(graph)}
    assert targets <= entered(graph, lines) <= targets | aside(graph)
    assert any(each.text == "only its size is read" for each in drawn.sheet.canvas.labels) == bool(sizes(graph))


@settings(max_examples=150)
@given(wired())
def test_what_a_value_flows_through_is_never_gray(graph: Graph) -> None:
    """No black line begins at a gray one, so each leads back to the box of its value in black."""
    lines = figure(graph, depth="op").sheet.canvas.lines
    gray = [line for line in lines if line.style == "size"]
    for line in lines:
        x, y = line.points[0]
        for other in gray if line.style != "size" else ():
            ways = zip(other.points[:-1], other.points[1:], strict=True)
            below = [one for one, two in ways if one[0] == x == two[0] and one[1] < y - 6.5 and y <= two[1]]
            assert not below, (line, other)


@settings(max_examples=60)
@given(wired())
def test_other_formats_mark_the_same_edges(graph: Graph) -> None:
    dot, mermaid = to_dot(graph, depth="op"), to_mermaid(graph, depth="op")
    check_dot(dot)
    check_mermaid(mermaid)
    assert dot.count(GRAY) == len(re.findall(r"n\d+ -\.->", mermaid)) >= len(sizes(graph))
    if not aside(graph):
        assert dot.count(GRAY) == len(sizes(graph))


PYRAMID = """
    extends: resnet18
    input: [3, 61, 93]
    head:
      - conv: {out: 32, from: layer4, as: top, bias: true}
      - upsample: {like: layer3, from: top}
      - add: [[], [conv: {out: 32, from: layer3, bias: true}]]
      - as: middle
      - conv: {out: 32, kernel: 3, as: p3, bias: true}
      - upsample: {like: layer2, from: middle}
      - add: [[], [conv: {out: 32, from: layer2, bias: true}]]
      - conv: {out: 32, kernel: 3, as: p2, bias: true}
    outputs: [top, p3, p2]
"""


def test_a_pyramid_whose_maps_meet_at_every_size() -> None:
    graph = compiled(PYRAMID)
    for depth in DEPTHS:
        drawn = figure(graph, depth=depth)
        assert faults(from_layout(drawn)) == []
        arrows = [line for line in drawn.sheet.canvas.lines if line.arrow and line.style == "size"]
        assert len(arrows) == 2
        assert to_dot(graph, depth=depth).count(GRAY) == 2
