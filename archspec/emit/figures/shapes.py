"""The shapes of a figure, with their places. Lengths are in pixels, from the upper left corner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from archspec.emit.figures.metrics import text_width

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]


class Rect(NamedTuple):
    """A box, a bar, a band or a frame. ``style`` names its colors; ``nodes`` are the operations that it shows."""

    x: float
    y: float
    width: float
    height: float
    style: str
    radius: float = 5
    nodes: tuple[str, ...] = ()


class Disc(NamedTuple):
    """A merge with a sign in it."""

    x: float
    y: float
    radius: float
    nodes: tuple[str, ...] = ()


class Stroke(NamedTuple):
    """Straight segments with round corners, and an arrowhead at the end. ``style``: flow, projection, gate, size."""

    points: tuple[Point, ...]
    style: str
    arrow: bool = True


class Lettering(NamedTuple):
    """A text; ``y`` is its baseline. ``style``: ink, note, dim, accent."""

    x: float
    y: float
    text: str
    size: float = 11
    style: str = "ink"
    anchor: Anchor = "middle"
    bold: bool = False

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        width = text_width(self.text, self.size, bold=self.bold)
        left = self.x - {"start": 0.0, "middle": width / 2, "end": width}[self.anchor]
        return (left, self.y - 0.74 * self.size, left + width, self.y + 0.22 * self.size)


Shape = Rect | Disc | Stroke | Lettering


@dataclass(slots=True)
class Canvas:
    """The shapes so far: ``behind`` are drawn first."""

    behind: list[Rect] = field(default_factory=list)
    lines: list[Stroke] = field(default_factory=list)
    front: list[Rect | Disc] = field(default_factory=list)
    labels: list[Lettering] = field(default_factory=list)

    def line(self, points: list[Point], style: str, *, arrow: bool = True) -> None:
        """A line; points inside a straight segment are left out."""
        kept = points[:1]
        for point, after in zip(points[1:], [*points[2:], None], strict=True):
            if point == kept[-1]:
                continue
            if after and (kept[-1][0] == point[0] == after[0] or kept[-1][1] == point[1] == after[1]):
                continue
            kept.append(point)
        if len(kept) > 1:
            self.lines.append(Stroke(tuple(kept), style, arrow))
