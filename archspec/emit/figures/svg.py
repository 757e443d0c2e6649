"""A figure as SVG: plain attributes for light, and a style sheet that a viewer in dark mode applies over them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

from archspec.emit.figures.metrics import FONT
from archspec.emit.figures.palette import AREAS, DASHED, FORBIDDEN, LINES, TEXTS
from archspec.emit.figures.shapes import Disc, Lettering, Point, Rect, Stroke
from archspec.emit.figures.sheet import Sheet

_CORNER = 6
_HEAD = 6.5


def svg(sheet: Sheet, title: str, description: str) -> str:
    """The text of the file."""
    width, height = round(sheet.width), round(sheet.height)
    canvas = sheet.canvas
    body = [
        *[_rect(rect) for rect in sorted(canvas.behind, key=lambda rect: rect.style == "frame")],  # on a band
        *[part for line in canvas.lines for part in _line(line)],
        *[_rect(shape) if isinstance(shape, Rect) else _disc(shape) for shape in canvas.front],
        *[_label(label) for label in canvas.labels],
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'class="archspec-figure" font-family="{FONT}" role="img" aria-label="{_text(title)}">',
            f"<title>{_text(title)}</title>",
            f"<desc>{_text(description)}</desc>",
            f"<style>@media (prefers-color-scheme: dark) {{{_dark()}}}</style>",
            _rect(Rect(0, 0, width, height, "page", 0)),
            *body,
            "</svg>\n",
        ]
    )


def _dark() -> str:
    """The rules of the style sheet; they apply only inside figures, because a page may have several."""
    rules = [
        *[(f"a-{name}", f"fill:{c.dark_fill};stroke:{c.dark_stroke}") for name, c in AREAS.items()],
        *[(f"l-{name}", f"stroke:{dark}") for name, (_, dark, _) in LINES.items()],
        *[(f"h-{name}", f"fill:{dark}") for name, (_, dark, _) in LINES.items()],
        *[(f"t-{name}", f"fill:{dark}") for name, (_, dark) in TEXTS.items()],
    ]
    return "".join(f".archspec-figure .{name}{{{rule}}}" for name, rule in rules)


def _text(text: str) -> str:
    return escape(FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text))


def _n(value: float) -> str:
    """A number with at most one decimal."""
    rounded = round(value, 1)
    return str(int(rounded)) if rounded == int(rounded) else str(rounded)


def _rect(rect: Rect) -> str:
    colors = AREAS[rect.style]
    dash = ' stroke-dasharray="3 3"' if rect.style in DASHED else ""
    return (
        f'<rect class="a-{rect.style}" x="{_n(rect.x)}" y="{_n(rect.y)}" width="{_n(rect.width)}" '
        f'height="{_n(rect.height)}" rx="{_n(rect.radius)}" fill="{colors.fill}" stroke="{colors.stroke}"{dash}/>'
    )


def _disc(disc: Disc) -> str:
    colors = AREAS["merge"]
    return (
        f'<circle class="a-merge" cx="{_n(disc.x)}" cy="{_n(disc.y)}" r="{_n(disc.radius)}" '
        f'fill="{colors.fill}" stroke="{colors.stroke}"/>'
    )


def _label(label: Lettering) -> str:
    weight = ' font-weight="700"' if label.bold else ""
    anchor = "" if label.anchor == "start" else f' text-anchor="{label.anchor}"'
    return (
        f'<text class="t-{label.style}" x="{_n(label.x)}" y="{_n(label.y)}" font-size="{_n(label.size)}"{anchor}'
        f'{weight} fill="{TEXTS[label.style][0]}">{_text(label.text)}</text>'
    )


def _line(line: Stroke) -> Iterable[str]:
    color, _, width = LINES[line.style]
    points = line.points
    if line.arrow:
        yield _head(points[-2], points[-1], line.style, width)
        points = (*points[:-1], _before(points[-1], points[-2], _HEAD - 1))
    yield (
        f'<path class="l-{line.style}" d="{_path(points)}" fill="none" stroke="{color}" stroke-width="{_n(width)}"/>'
    )


def _path(points: tuple[Point, ...]) -> str:
    """Straight segments, with round corners between them."""
    found = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(_CORNER, math.dist(before, here) / 2, math.dist(here, after) / 2)
        a, b = _before(here, before, radius), _before(here, after, radius)
        found.append(f"L{_n(a[0])} {_n(a[1])}Q{_n(here[0])} {_n(here[1])} {_n(b[0])} {_n(b[1])}")
    found.append(f"L{_n(points[-1][0])} {_n(points[-1][1])}")
    return "".join(found)


def _before(point: Point, other: Point, distance: float) -> Point:
    """The point at this distance from ``point`` on the way to ``other``."""
    length = math.dist(point, other) or 1
    share = distance / length
    return (point[0] + (other[0] - point[0]) * share, point[1] + (other[1] - point[1]) * share)


def _head(source: Point, tip: Point, style: str, width: float) -> str:
    half = 2.6 + width / 2
    base = _before(tip, source, _HEAD)
    length = math.dist(source, tip) or 1
    across = ((tip[1] - source[1]) / length * half, (source[0] - tip[0]) / length * half)
    corners = [tip, (base[0] + across[0], base[1] + across[1]), (base[0] - across[0], base[1] - across[1])]
    d = "L".join(f"{_n(x)} {_n(y)}" for x, y in corners)
    return f'<path class="h-{style}" d="M{d}Z" fill="{LINES[style][0]}"/>'
