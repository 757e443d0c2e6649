"""The layout of a series: parts are stacked, with branches to the right of their main branch or side by side.

Every part has measures: how far it reaches from its axis to the left and to the right, and its height. It then draws
itself below the ends of the lines from above, and returns the ends of its own lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from archspec.emit.figures.metrics import shorten, text_width
from archspec.emit.figures.parts import Box, Junction, Part, Parts, Split
from archspec.emit.figures.shapes import Canvas, Disc, Lettering, Point, Rect

SIZE, SMALL = 11, 9
GAP = 14
"""The length of an arrow."""
WIDEST = 190
PADDING = 10
BESIDE = 14
"""The space between parallel branches."""
LANE = 12
FORK = 6
"""The distance from a part to the fork below it."""
LOW = 11.0
"""The height, from the lower end, of a shape beside a part without a middle."""
_DISC = 9
_BAR = 20


class End(NamedTuple):
    """A line that is not drawn yet, because its end is below. ``value`` is the node whose value it carries."""

    points: tuple[Point, ...]
    style: str
    value: str = ""

    @property
    def x(self) -> float:
        return self.points[-1][0]

    @property
    def y(self) -> float:
        return self.points[-1][1]

    def to(self, *points: Point) -> End:
        return self._replace(points=(*self.points, *points))


class Laid(Protocol):
    """A part with its measures."""

    left: float
    right: float
    height: float
    low: float
    """The distance from its lower end up to the middle of the part that gives its value."""

    def draw(self, canvas: Canvas, end: End) -> list[End]:
        """Draw it below a line, on that line's axis."""


def even(width: float) -> float:
    """The next even number of pixels, so that centers are integers."""
    return float(-(-width // 2) * 2)


class Boxed:
    """A box with one to three lines of text."""

    def __init__(self, box: Box, least: float = 0) -> None:
        self.box = box
        self.lines = [
            (shorten(text, WIDEST, size), size, style)
            for text, size, style in ((box.above, SMALL, "note"), (box.text, SIZE, "ink"), (box.below, SMALL, "note"))
            if text
        ]
        self.lines += [(shorten(text, WIDEST, SMALL), SMALL, "note") for text in box.lines]
        widths = [text_width(text, size) for text, size, _ in self.lines]
        widest = max(widths, default=0)
        self.width = max(least, even(max(widest + 2 * PADDING, widest * SPARE + 2 * _CLOSE)))
        self.left = self.right = self.width / 2
        self.inner = 10.0 + sum(12 if size == SMALL else 14 for _, size, _ in self.lines)
        self.height = GAP + self.inner
        self.low = self.inner / 2

    def draw(self, canvas: Canvas, end: End) -> list[End]:
        top = end.y + GAP
        canvas.line([*end.points, (end.x, top)], end.style)
        self.put(canvas, end.x, top)
        return [End(((end.x, top + self.inner),), end.style, self.box.nodes[-1] if self.box.nodes else end.value)]

    def put(self, canvas: Canvas, x: float, y: float) -> None:
        """The box itself, with its upper side at ``y``."""
        style = self.box.look
        canvas.front.append(Rect(x - self.width / 2, y, self.width, self.inner, style, nodes=self.box.nodes))
        y += 5
        for text, size, color in self.lines:
            y += 12 if size == SMALL else 14
            canvas.labels.append(Lettering(x, y - 3, text, size, color))


class Stacked:
    """A series."""

    def __init__(self, parts: Sequence[Laid]) -> None:
        self.parts = parts
        self.left = max([part.left for part in parts], default=2)
        self.right = max([part.right for part in parts], default=2)
        self.height = sum(part.height for part in parts)
        self.low = parts[-1].low if parts else 0.0

    def draw(self, canvas: Canvas, end: End) -> list[End]:
        ends = [end]
        for part in self.parts:
            ends = part.draw(canvas, ends[0])
        return ends


class Merging:
    """The merge of a split: a circle if at most one branch comes from each side, else a bar over all of them."""

    def __init__(self, merge: Junction, *, circle: bool) -> None:
        self.merge = merge
        self.circle = circle and bool(merge.sign)
        self.text = shorten(merge.sign or merge.text, WIDEST, SIZE)
        self.half = _DISC if self.circle else even(text_width(self.text, SIZE) + 2 * PADDING) / 2
        self.height = 2 * _DISC if self.circle else _BAR

    def put(self, canvas: Canvas, x: float, y: float, left: float, right: float) -> None:
        if self.circle:
            canvas.front.append(Disc(x, y + _DISC, _DISC, self.merge.nodes))
            size, below = (14, 4.5) if len(self.text) == 1 else (8, 2.5)  # a word, such as max, fits inside too
            canvas.labels.append(Lettering(x, y + _DISC + below, self.text, size))
            return
        canvas.front.append(Rect(left, y, right - left, _BAR, "merge", 9, self.merge.nodes))
        canvas.labels.append(Lettering((left + right) / 2, y + 14, self.text, SIZE))

    def draw(self, canvas: Canvas, x: float, y: float, ends: list[End]) -> End:
        """Draw it, and the lines of ``ends`` down to it."""
        if self.circle:
            self.put(canvas, x, y, x, x)
            for end in ends:
                if abs(end.x - x) < 1:
                    canvas.line([*end.points, (x, y)], end.style)
                else:
                    side = _DISC if end.x > x else -_DISC
                    canvas.line([*end.points, (end.x, y + _DISC), (x + side, y + _DISC)], end.style)
        else:
            left = min([x - self.half, *[end.x - PADDING for end in ends]])
            right = max([x + self.half, *[end.x + PADDING for end in ends]])
            self.put(canvas, x, y, left, right)
            for end in ends:
                canvas.line([*end.points, (end.x, y)], end.style)
        return End(((x, y + self.height),), "flow", self.merge.nodes[-1])


class Splitting:
    """Parallel branches: the main branch goes straight on with the others to its right, or all are in a row."""

    def __init__(self, split: Split, branches: list[Stacked], ends: list[int]) -> None:
        self.split, self.branches = split, branches
        self.axes: list[float] = []
        self.left = self.right = 0.0
        circle = split.main is not None and sum(ends) <= 2
        self.merging = Merging(split.merge, circle=circle) if split.merge else None
        self.styles = [self._style(index) for index in range(len(branches))]
        if split.main is None:
            self._in_a_row()
        else:
            self._beside(split.main)
        half = self.merging.half if self.merging else 2
        self.left, self.right = max(self.left, half), max(self.right, half)
        self.inner = max([branch.height for branch in branches], default=0)
        self.height = FORK + self.inner + (GAP + self.merging.height if self.merging else 0)
        self.low = self.merging.height / 2 if self.merging else LOW

    def _style(self, index: int) -> str:
        if index in self.split.gates or index in self.split.measured:
            return "gate" if index in self.split.gates else "size"
        merge = self.split.merge
        side = merge and merge.sign and self.split.main not in (None, index) and index in self.split.weighted
        return "projection" if side else "flow"

    def _name(self, index: int) -> str:
        """The name of the value that a branch passes on."""
        return shorten(self.split.names[index], WIDEST / 2, SMALL) if self.split.names else ""

    def _named(self, index: int) -> float:
        """The width of that name beside the line."""
        return even(text_width(name, SMALL) + _NAMED) if (name := self._name(index)) else 0.0

    def _in_a_row(self) -> None:
        """The axes of branches in a row around the middle; the nearest axis moves there, if it is close."""
        axes, x = [], 0.0
        for index, branch in enumerate(self.branches):
            left, right = (branch.left, branch.right) if branch.parts else (LANE / 2, LANE / 2 + self._named(index))
            axes.append(x + left)
            x += left + right + BESIDE
        width = x - BESIDE
        near = min(axes, key=lambda axis: abs(axis - width / 2))
        middle = near if abs(near - width / 2) < _NEAR else round(width / 2)
        self.axes = [axis - middle for axis in axes]
        self.left, self.right = middle, width - middle
        self._bar()

    def _beside(self, main: int) -> None:
        x = max(self.branches[main].right, self.merging.half if self.merging else 0)
        self.axes = [0.0] * len(self.branches)
        self.left = self.branches[main].left
        others = [index for index in range(len(self.branches)) if index != main]
        for index in sorted(others, key=lambda index: not self.branches[index].parts):
            branch = self.branches[index]
            left, right = (branch.left, branch.right) if branch.parts else (2, 2 + self._named(index))
            self.axes[index] = x + BESIDE + left
            x += BESIDE + left + right
        self.right = x
        self._bar()

    def _bar(self) -> None:
        if self.merging and not self.merging.circle:  # the bar reaches over the axes of all branches
            self.left = max(self.left, PADDING - min(self.axes))
            self.right = max(self.right, PADDING + max(self.axes))

    def draw(self, canvas: Canvas, end: End) -> list[End]:
        x, top = end.x, end.y + FORK
        if len(self.branches) > 1:
            canvas.line([*end.points, (x, top)], end.style, arrow=False)
            begin: tuple[Point, ...] = ((x, top),)
        else:
            begin = (*end.points, (x, top))
        ends: list[End] = []
        for index, branch in enumerate(self.branches):
            style = self.styles[index] if self.styles[index] != "flow" else end.style
            axis = x + self.axes[index]
            lower = 0 if index == self.split.main or self.split.main is None else self._lower(branch)
            straight = self.axes[index] == 0 or min(self.axes) < self.axes[index] < max(self.axes)
            points = ((axis, top),) if straight and axis != x else begin if axis == x else (*begin, (axis, top))
            points = (*points, (axis, top + lower))
            start = End(points, style, end.value)
            ends += branch.draw(canvas, start)
            if axis != x and self.inner > SIZE and (name := self._name(index)):
                canvas.labels.append(Lettering(axis + _NAMED, top + SIZE + 2, name, SMALL, "dim", "start"))
        if self.merging is None:
            return ends
        last = self.merging.draw(canvas, x, top + self.inner + GAP, ends)
        return [last._replace(style=end.style)]

    def _lower(self, branch: Stacked) -> float:
        """How far below the fork a branch begins, so that it is beside the middle of the main branch."""
        return round(max(0.0, self.inner - branch.height) / 2) if branch.parts else 0


_NEAR = 12
SPARE, _CLOSE = 1.16, 4
"""How much wider a text may become in another font than the metrics say, and the least space beside it then."""
_NAMED = 5
"""The space between a line and the name of its value."""


def lay(parts: Parts, place: Callable[[Part], Laid]) -> Stacked:
    """The measures of a series; ``place`` measures its parts."""
    return Stacked([place(part) for part in parts])


def ends_of(parts: Parts) -> int:
    """How many lines leave a series."""
    last = parts[-1] if parts else None
    if isinstance(last, Split) and last.merge is None:
        return sum(map(ends_of, last.branches))
    return 1
