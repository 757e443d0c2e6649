"""The right margin of a figure: shapes and costs, beside what has them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archspec
from archspec.analysis.indexed import index_graph, total
from archspec.display import short
from archspec.emit.figure import Figure, figure
from archspec.emit.figures.contents import Depth
from archspec.emit.figures.shapes import Disc, Lettering, Rect
from archspec.graph.graph import Graph
from archspec.operations.shapes import show_shape
from archspec.testing import graphs
from tests.support.equivalence import compiled
from tests.support.figures import faults, from_layout, from_svg
from tests.support.zoo import FAMILIES

TIMES = "\N{MULTIPLICATION SIGN}"


def shape(graph: Graph, name: str) -> str:
    return show_shape(graph.shape(name)).replace("x", TIMES)


def notes(drawn: Figure) -> list[Lettering]:
    """The shapes at the right margin of each column."""
    return [each for each in drawn.sheet.canvas.labels if each.anchor == "end" and TIMES in each.text]


def parts(drawn: Figure) -> list[Rect | Disc]:
    return [each for each in drawn.sheet.canvas.front if each.nodes]


def middle(part: Rect | Disc) -> float:
    return part.y if isinstance(part, Disc) else part.y + part.height / 2


def check_notes(graph: Graph, depth: Depth) -> None:
    """Beside each note is a part that gives a value of that shape."""
    drawn = figure(graph, depth=depth)
    for note in notes(drawn):
        beside = [each for each in parts(drawn) if abs(middle(each) - note.y + 3) < 0.6]
        said = note.text.rpartition(": ")[2].removeprefix("→ ")
        assert said in [shape(graph, name) for each in beside for name in each.nodes], (note, beside)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_note_is_the_shape_of_the_part_beside_it(name: str) -> None:
    check_notes(archspec.compile(name), "stage")


@settings(max_examples=40)
@given(graphs())
def test_a_note_of_any_network_is_the_shape_of_the_part_beside_it(graph: Graph) -> None:
    check_notes(graph, "stage")


@st.composite
def u_nets(draw: st.DrawFn) -> Graph:
    """U-Nets of one to five levels, that join by sums or concatenations and enlarge in one of three ways."""
    levels = draw(st.integers(1, 5))
    size = draw(st.sampled_from([32, 64])) + draw(st.integers(0, 7))
    lines, widths = ["conv: {out: 8, kernel: 3, as: c0}"], [8]
    larger = draw(st.sampled_from(["upsample: {like: %s}", "upsample: {like: %s, mode: bilinear}", "scale"]))
    if larger == "scale":
        size = 64
    for level in range(1, levels + 1):
        widths.append(draw(st.sampled_from([8, 8 * 2**level])))
        lines.append("pool: {type: max, kernel: 2}")
        lines += [f"layer: {{out: {widths[-1]}, kernel: 3}}"] * draw(st.integers(0, 2))
        lines.append(f"conv: {{out: {widths[-1]}, kernel: 3, as: c{level}}}")
    for level in reversed(range(levels)):
        lines.append("upsample: {scale: 2}" if larger == "scale" else larger % f"c{level}")
        if draw(st.booleans()):
            lines.append(f"concat: [[from: c{level}], []]")
        else:
            lines += [f"conv: {{out: {widths[level]}}}", f"add: [[from: c{level}], []]"]
        lines += [f"layer: {{out: {widths[level]}, kernel: 3}}"] * draw(st.integers(0, 2))
    lines.append("conv: {out: 2}")
    return compiled(f"input: [3, {size}, {size}]\nstages: []\nstem: [{', '.join(lines)}]\nhead: []")


@settings(max_examples=40)
@given(u_nets(), st.sampled_from(["model", "block", "op"]))
def test_every_change_of_a_u_nets_shape_is_at_the_margin(graph: Graph, depth: Depth) -> None:
    """Its values are on one axis, in the order of the graph, and skips are lines beside it."""
    drawn = figure(graph, depth=depth)
    assert faults(from_layout(drawn)) == []
    assert faults(from_svg(drawn.svg)) == []
    place = {name: number for number, name in enumerate(graph.by_name)}
    ordered = sorted(parts(drawn), key=lambda part: place[part.nodes[-1]])
    values = [shape(graph, part.nodes[-1]) for part in ordered]
    assert len(values) > 4
    changes = [new for old, new in pairwise([shape(graph, "input"), *values]) if new != old]
    last = values[-2] != values[-1]  # the shape of the output is below it
    written = [note.text for note in sorted(notes(drawn), key=lambda note: order(ordered, note))]
    assert written == (values if depth == "model" else changes[: -1 if last else None])


def order(ordered: list[Rect | Disc], note: Lettering) -> int:
    """The number of the part that is nearest at the left of a note, at its height."""
    beside = [number for number, each in enumerate(ordered) if abs(middle(each) - note.y + 3) < 0.6]
    return max([number for number in beside if ordered[number].x < note.x], key=lambda number: ordered[number].x)


def test_a_returned_value_inside_a_split_has_its_note_beside_it() -> None:
    steps = "conv: {out: 8, as: x}, conv: {out: 16, as: y}, conv: {out: 8}, add: [[from: x], []], conv: {out: 4, as: z}"
    graph = compiled(f"input: [3, 8, 8]\nstages: []\nstem: [{steps}]\nhead: []\noutputs: [y, z]")
    drawn = figure(graph)
    (note,) = [each for each in drawn.sheet.canvas.labels if re.match("→|y: ", each.text)]
    (box,) = [each for each in parts(drawn) if isinstance(each, Rect) and graph.shape(each.nodes[-1])[0] == 16]
    assert note.text.endswith(f"y: 16{TIMES}8{TIMES}8")
    assert abs(middle(box) - note.y + 3) < 0.6


# -- costs -----------------------------------------------------------------------------------------------------------


def under(labels: list[Lettering], heading: str) -> list[Lettering]:
    """The notes below the headings with this text, each of which ends at the side of its heading."""
    sides = {each.x for each in labels if each.text == heading}
    return [each for each in labels if each.anchor == "end" and each.x in sides and each.text != heading]


def check_costs(graph: Graph) -> None:
    """What costs something says how much, in it or at the margin beside it, and no note is about what others cost."""
    drawn = figure(graph, depth="model")
    assert faults(from_layout(drawn)) == []
    facts = dict(zip(graph.by_name, index_graph(graph).facts, strict=True))
    labels = drawn.sheet.canvas.labels
    columns = [under(labels, heading) for heading in ("parameters", "MACs")]
    margin = {(params.y - 3, params.text, macs.text) for params, macs in zip(*columns, strict=True)}
    for part in parts(drawn):
        own = [facts[name] for name in part.nodes]
        params, macs = short(sum([each.params for each in own])), short(total([each.macs for each in own]))
        across = part.x if isinstance(part, Disc) else part.x + part.width / 2
        inside = {each.text for each in labels if abs(each.x - across) < 1 and part.y < each.y}
        beside = {each for each in margin if abs(each[0] - middle(part)) < 0.6 and each[1:] == (params, macs)}
        if (params, macs) != ("0", "0"):
            said = f"{params} parameters, {macs} MACs"
            assert beside or inside & {said, f"{said} in all"}, part
        margin -= beside
    assert not margin


@settings(max_examples=60)
@given(st.one_of(graphs(), u_nets()))
def test_what_costs_says_so_in_it_or_beside_it(graph: Graph) -> None:
    check_costs(graph)


@pytest.mark.parametrize(
    "name",
    ["resnet50", "densenet121", "fcn_resnet50", pytest.param("lraspp_mobilenet_v3_large", marks=pytest.mark.slow)],
)
def test_what_costs_in_the_zoo_says_so(name: str) -> None:
    check_costs(archspec.compile(name))


def test_equal_branches_say_what_all_of_them_cost() -> None:
    ways = ", ".join(["[conv: {out: 4, kernel: 3, bias: true}, act]"] * 5 + ["[conv: {out: 2}]"])
    graph = compiled(f"input: [4, 8, 8]\nstages: []\nstem: [concat: [{ways}]]\nhead: []")
    check_costs(graph)
    said = {each.text for each in figure(graph, depth="model").sheet.canvas.labels}
    assert {"740 parameters, 46.1 k MACs in all", "8 parameters, 512 MACs"} <= said
