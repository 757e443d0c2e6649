"""Parallel branches in several rows, if one row would be wider than a page."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise
from typing import NamedTuple

from archspec.emit.figures.parts import Junction, Split
from archspec.emit.figures.place import BESIDE, FORK, GAP, LANE, PADDING, End, Merging, Stacked
from archspec.emit.figures.shapes import Canvas, Point

WIDEST_ROW = 1100
"""The most width of parallel branches in one row. A single branch may be wider."""
_BELOW = 10
"""The distance from the line that gathers one row to the line that leads to the next."""


class _InRow(NamedTuple):
    """A branch, the distance of its axis from the common axis, and whether it is a gate."""

    branch: Stacked
    axis: float
    gate: bool


def needs_rows(split: Split, branches: list[Stacked]) -> bool:
    """Whether these branches are wider than a row. Branches that do not merge stay in one row."""
    return split.main is None and split.merge is not None and sum(map(_width, branches)) - BESIDE > WIDEST_ROW


class Wrapped:
    """Rows of branches. A line at the left leads to each row, and one at the right leads from each row to the merge."""

    def __init__(self, split: Split, merge: Junction, branches: list[Stacked]) -> None:
        gates = [index in split.gates for index in range(len(branches))]
        self.rows = [self._row(branches[row], gates[row]) for row in _rows(branches)]
        self.heights = [max(way.branch.height for way in row) for row in self.rows]
        self.merging = Merging(merge, circle=False)
        half = max(way.axis + way.branch.right for row in self.rows for way in row)
        self.trunk = max(half, self.merging.half) + LANE
        self.left = self.right = self.trunk + PADDING
        between = (FORK + _BELOW) * (len(self.rows) - 1)
        self.height = FORK + sum(self.heights) + between + GAP + self.merging.height
        self.low = self.merging.height / 2

    @staticmethod
    def _row(branches: list[Stacked], gates: list[bool]) -> list[_InRow]:
        half = round((sum(map(_width, branches)) - BESIDE) / 2)
        x, found = -float(half), []
        for branch, gate in zip(branches, gates, strict=True):
            left = max(branch.left, LANE / 2)
            found.append(_InRow(branch, x + left, gate))
            x += _width(branch)
        return found

    def draw(self, canvas: Canvas, end: End) -> list[End]:
        x, top = end.x, end.y + FORK
        canvas.line([*end.points, (x, top)], end.style, arrow=False)
        y, lines = top, list[End]()
        lead: tuple[Point, ...] = ((x, top),)
        for number, (row, height) in enumerate(zip(self.rows, self.heights, strict=True)):
            last = number == len(self.rows) - 1
            if number:
                left = x - self.trunk
                lead = ((x, top), (left, top), (left, y)) if last else ((left, y),)
            ends = self._ways(canvas, row, end, y, lead)
            y += height
            if last:
                lines += ends
                break
            y += FORK
            first, *others = sorted(ends, key=lambda each: each.x)
            gathered = first.to((first.x, y), (x + self.trunk, y))
            if number:
                canvas.line([*gathered.points], gathered.style, arrow=False)
            else:
                lines.append(gathered)
            for each in others:
                canvas.line([*each.points, (each.x, y)], each.style, arrow=False)
            y += _BELOW
        merged = self.merging.draw(canvas, x, y + GAP, lines)
        return [merged._replace(style=end.style)]

    @staticmethod
    def _ways(canvas: Canvas, row: list[_InRow], end: End, y: float, lead: tuple[Point, ...]) -> list[End]:
        """Draw a row below the line at ``y``, to which ``lead`` leads: from above, or along the line at the left."""
        ends: list[End] = []
        above = lead[-1][0] == end.x
        for way in row:
            axis = end.x + way.axis
            outer = way is row[-1] or (above and way is row[0])
            points = (*lead, (axis, y)) if outer and axis != lead[-1][0] else ((axis, y),)
            ends += way.branch.draw(canvas, End(points, "gate" if way.gate else end.style, end.value))
        return ends


def _rows(branches: list[Stacked]) -> list[slice]:
    """As few rows as possible, each about as wide as the others."""
    widths = list(map(_width, branches))
    target = sum(widths) / math.ceil(sum(widths) / WIDEST_ROW)
    middles = [end - width / 2 for end, width in zip(accumulate(widths), widths, strict=True)]
    numbers = [int(middle / target) for middle in middles]
    starts = [index for index, (one, other) in enumerate(pairwise([-1, *numbers])) if one != other]
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], len(branches)], strict=True)]


def _width(branch: Stacked) -> float:
    """The width of a branch and of the space after it."""
    return max(branch.left, LANE / 2) + max(branch.right, LANE / 2) + BESIDE
