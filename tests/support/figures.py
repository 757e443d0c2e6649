"""Whether a figure is drawn well: its rectangles, read from its layout and from its SVG, and what they must not do."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from typing import NamedTuple

from archspec.emit.figure import Figure
from archspec.emit.figures.metrics import text_width
from archspec.emit.figures.shapes import Disc, Rect

AROUND = {"band", "frame", "inset", "page"}
"""Styles of areas that contain others; ``card`` is the one that others lie upon."""

Point = tuple[float, float]


class Area(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float
    what: str = ""

    def overlaps(self, other: Area, by: float = 0.2) -> bool:
        across = min(self.right, other.right) - max(self.left, other.left)
        return across > by and min(self.bottom, other.bottom) - max(self.top, other.top) > by

    def contains(self, other: Area, by: float = 0.2) -> bool:
        across = self.left - by <= other.left and other.right <= self.right + by
        return across and self.top - by <= other.top and other.bottom <= self.bottom + by

    def touches(self, point: Point, by: float = 0.6) -> bool:
        x, y = point
        return self.left - by <= x <= self.right + by and self.top - by <= y <= self.bottom + by


class Drawn(NamedTuple):
    """What is in a figure: boxes and circles, areas around them, texts, and lines as points, with an arrow or not."""

    size: Area
    boxes: list[Area]
    cards: list[Area]
    around: list[Area]
    texts: list[Area]
    lines: list[tuple[list[Point], bool]]


def from_layout(figure: Figure) -> Drawn:
    canvas = figure.sheet.canvas
    boxes, cards = [], []
    for shape in canvas.front:
        if isinstance(shape, Rect):
            area = Area(shape.x, shape.y, shape.x + shape.width, shape.y + shape.height, f"{shape.style} {shape.nodes}")
            (cards if shape.style == "card" else boxes).append(area)
        else:
            assert isinstance(shape, Disc)
            x, y, r = shape.x, shape.y, shape.radius
            boxes.append(Area(x - r, y - r, x + r, y + r, f"circle {shape.nodes}"))
    around = [Area(r.x, r.y, r.x + r.width, r.y + r.height, r.style) for r in canvas.behind]
    texts = [Area(*label.extent, what=label.text) for label in canvas.labels]
    lines = [(list(line.points), line.arrow) for line in canvas.lines]
    return Drawn(Area(0, 0, figure.width, figure.height), boxes, cards, around, texts, lines)


def from_svg(text: str) -> Drawn:
    """The same from the text of the file, with nothing of the layout but the widths of letters."""
    root = ET.fromstring(text)
    _, _, width, height = map(float, root.get("viewBox", "").split())
    found = Drawn(Area(0, 0, width, height), [], [], [], [], [])
    heads: list[Point] = []
    for element in root:
        kind, name = element.tag.rpartition("}")[2], element.get("class", "")
        style = name.removeprefix("a-")
        number = {name: float(value) for name, value in element.attrib.items() if re.fullmatch(r"-?[\d.]+", value)}
        if kind == "rect" and style != "page":
            area = Area(number["x"], number["y"], number["x"] + number["width"], number["y"] + number["height"], style)
            (found.around if style in AROUND else found.cards if style == "card" else found.boxes).append(area)
        elif kind == "circle":
            x, y, r = number["cx"], number["cy"], number["r"]
            found.boxes.append(Area(x - r, y - r, x + r, y + r, "circle"))
        elif kind == "text":
            content, size = element.text or "", number["font-size"]
            wide = text_width(content, size, bold=element.get("font-weight") == "700")
            left = number["x"] - {None: 0.0, "middle": wide / 2, "end": wide}[element.get("text-anchor")]
            found.texts.append(Area(left, number["y"] - 0.74 * size, left + wide, number["y"] + 0.22 * size, content))
        elif kind == "path":
            points = [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", element.get("d", ""))]
            if name.startswith("h-"):
                heads.append(points[0])
            else:
                found.lines.append((points, False))
                if heads:
                    points.append(heads.pop())
                    found.lines[-1] = (points, True)
    return found


def faults(drawn: Drawn) -> list[str]:
    """What is wrong with a figure, in words."""
    found = [f"{each} is outside" for each in _areas(drawn) if not drawn.size.contains(each)]
    found += [f"{one} overlaps {other}" for one, other in _pairs(drawn.boxes)]
    found += [f"text {one} overlaps text {other}" for one, other in _pairs(drawn.texts)]
    for text, box in _crossing(drawn.texts, [*drawn.boxes, *drawn.cards]):
        if not box.contains(text):
            found.append(f"text {text} overlaps {box}")
    for one, other in _pairs(drawn.around):
        if not (one.contains(other) or other.contains(one)):
            found.append(f"{one} overlaps {other}")
    for box, area in _crossing(drawn.boxes, drawn.around):
        if not area.contains(box):
            found.append(f"{box} leaves {area}")
    return found + _faults_of_lines(drawn)


def _areas(drawn: Drawn) -> list[Area]:
    points = [Area(*point, *point, what="line") for line, _ in drawn.lines for point in line]
    return [*drawn.boxes, *drawn.cards, *drawn.around, *drawn.texts, *points]


def _faults_of_lines(drawn: Drawn) -> list[str]:
    found = []
    pieces = []
    for points, _ in drawn.lines:
        for (ax, ay), (bx, by) in pairwise(points):
            pieces.append(Area(min(ax, bx) - 0.3, min(ay, by) - 0.3, max(ax, bx) + 0.3, max(ay, by) + 0.3, "line"))
    found += [f"{piece} crosses {box}" for piece, box in _crossing(pieces, drawn.boxes, by=0.6)]
    found += [f"{piece} crosses text {text}" for piece, text in _crossing(pieces, drawn.texts)]
    found += _on_each_other(drawn)
    for points, arrow in drawn.lines:
        tip = points[-1]
        if arrow and not any(box.touches(tip) for box in drawn.boxes):
            joins = any(tip in others[1:-1] or _on(tip, others) for others, _ in drawn.lines if others is not points)
            leaves = points[-2][0] == tip[0] and points[-2][1] < tip[1]  # out of the figure, or of an inset
            if not joins and not leaves:
                found.append(f"the arrow {points} ends nowhere")
    return found


def _on_each_other(drawn: Drawn) -> list[str]:
    """Pieces of two lines that lie on each other, unless both begin or both end at one point."""
    pieces: dict[tuple[str, float], list[tuple[float, float, int]]] = {}
    for number, (points, _) in enumerate(drawn.lines):
        for (ax, ay), (bx, by) in pairwise(points):
            if ax == bx and ay != by:
                pieces.setdefault(("x", ax), []).append((min(ay, by), max(ay, by), number))
            elif ay == by and ax != bx:
                pieces.setdefault(("y", ay), []).append((min(ax, bx), max(ax, bx), number))
    found = []
    for place, spans in pieces.items():
        for (_, first, one), (begin, second, other) in pairwise(sorted(spans)):
            end = min(first, second)
            lines = [drawn.lines[each][0] for each in (one, other)]
            joined = lines[0][-1] == lines[1][-1] or lines[0][0] == lines[1][0]
            if one != other and end - begin > 7 and not joined:  # a line that leaves another begins before the corner
                found.append(f"{lines[0]} and {lines[1]} lie on each other at {place}")
    return found


def _on(point: Point, points: list[Point]) -> bool:
    x, y = point
    for (ax, ay), (bx, by) in pairwise(points):
        across = min(ax, bx) - 0.3 <= x <= max(ax, bx) + 0.3 and min(ay, by) - 0.3 <= y <= max(ay, by) + 0.3
        if across and (abs(ax - bx) < 0.3 or abs(ay - by) < 0.3):
            return True
    return False


def _pairs(areas: list[Area]) -> list[tuple[Area, Area]]:
    """Pairs that overlap; a sweep from top to bottom, because large figures have thousands."""
    ordered = sorted(areas, key=lambda area: area.top)
    found, open_ = [], list[Area]()
    for area in ordered:
        open_ = [each for each in open_ if each.bottom > area.top]
        found += [(each, area) for each in open_ if each.overlaps(area)]
        open_.append(area)
    return found


def _crossing(some: list[Area], others: list[Area], by: float = 0.2) -> list[tuple[Area, Area]]:
    ordered = sorted([(area, 0) for area in some] + [(area, 1) for area in others], key=lambda pair: pair[0].top)
    found, open_ = [], list[tuple[Area, int]]()
    for area, side in ordered:
        open_ = [each for each in open_ if each[0].bottom > area.top]
        for each, its in open_:
            if its != side and each.overlaps(area, by):
                found.append((area, each) if side == 0 else (each, area))
        open_.append((area, side))
    return found


# -- the grammars of other formats -----------------------------------------------------------------------------------


def tokens(text: str) -> list[str]:
    """The tokens of DOT: quoted texts, words and signs. Fails at anything else."""
    found, position = [], 0
    pattern = re.compile(r'\s+|"(?:[^"\\\n]|\\["\\n])*"|[A-Za-z_0-9.]+|->|[{}\[\];=,]')
    while position < len(text):
        match = pattern.match(text, position)
        assert match, text[position : position + 40]
        position = match.end()
        if not match[0].isspace():
            found.append(match[0])
    return found


def check_dot(text: str) -> None:
    words = tokens(text)
    assert words[0] == "digraph"
    depth = 0
    for number, word in enumerate(words[2:]):
        depth += {"{": 1, "}": -1}.get(word, 0)
        assert depth > 0 or number == len(words) - 3
    vertices = set(re.findall(r"^ *(n\d+) \[label=", text, re.M))
    ends = re.findall(r"^ *(n\d+) -> (n\d+)[; ]", text, re.M)
    assert {end for edge in ends for end in edge} == vertices
    assert len(re.findall(r"^ *n\d+ ", text, re.M)) == len(vertices) + len(ends)


ENTITY = r"#\d+;"
PLAIN = rf"(?:[^#&<>\"'`\\;{{}}\[\]|\n]|{ENTITY})*"
TEXT = rf"{PLAIN}(?:<br/>{PLAIN})*"
LINES = [
    r"flowchart TB",
    r" +accDescr: [^;#{}\n]*",
    rf' +subgraph g\d+ \["{PLAIN}"\]',
    r" +end",
    rf' +n\d+\("{TEXT}"\)',
    rf' +n\d+\(\("{TEXT}"\)\)',
    rf' +n\d+ (?:-->|==>|-\.->)(?:\|"{PLAIN}"\|)? n\d+',
    r" +classDef \w+_box fill:(?:#\w{6}|none),stroke:(?:#\w{6}|none)(?:,color:#\w{6})?",
    r" +class n\d+(?:,n\d+)* \w+_box",
]


def check_mermaid(text: str) -> None:
    front, title, close, *lines = text.splitlines()
    assert (front, close) == ("---", "---")
    json.loads(title.removeprefix("title: "))
    open_ = 0
    for line in lines:
        assert any(re.fullmatch(pattern, line) for pattern in LINES), line
        open_ += line.strip().startswith("subgraph ")
        open_ -= line.strip() == "end"
        assert open_ >= 0
    assert open_ == 0
    vertices = set(re.findall(r"^ +(n\d+)\(", text, re.M))
    ends = re.findall(r'^ +(n\d+) (?:-->|==>|-\.->)(?:\|"[^"]+"\|)? (n\d+)$', text, re.M)
    assert {end for edge in ends for end in edge} == vertices
