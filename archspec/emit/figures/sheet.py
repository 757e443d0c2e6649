"""The whole figure: title, spine, the insides of blocks beside it, and the legend."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise

from archspec.emit.figures.columns import Columns, SpineRow, rows
from archspec.emit.figures.metrics import shorten, text_width, wrapped
from archspec.emit.figures.parts import Inset, Picture
from archspec.emit.figures.place import SIZE, SMALL, SPARE, End
from archspec.emit.figures.rows import place
from archspec.emit.figures.shapes import Canvas, Lettering, Rect, Stroke

MARGIN = 24
HIGHEST = 1200
"""The height of a figure, unless one part of it is higher."""
_RATIO = 1.5
"""Of width to height, where a spine has so many columns that it would be wider."""
_LEGEND = 40
_PADDING = 12
_TITLE = 26
_BETWEEN = 14
_NOTE, _NOTES, _NOTED = 13, 3, 190
"""The height of a line of notes, the most lines of one note, and how wide notes may make a panel."""
_TRIED, _SPINE = 24, 350
"""The most panels in the first column, and the approximate width of the part beside them."""
_LEAST = 440
"""The most height of columns of insets beside a low spine."""

_STYLES = {"projection": "shortcut with weights", "gate": "gate", "size": "only its size is read"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A figure with its layout."""

    width: float
    height: float
    canvas: Canvas


@dataclass(slots=True)
class _Panel:
    """An inset and the size of its frame."""

    inset: Inset
    inside: Columns
    notes: list[str]
    width: float
    height: float


def sheet(picture: Picture) -> Sheet:
    """The figure laid out."""
    drawn = _Drafting(picture)
    drawn.draw()
    return Sheet(round(drawn.right + MARGIN), round(drawn.bottom + MARGIN), drawn.canvas)


class _Drafting:
    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.canvas = Canvas()
        self.right = self.bottom = 0.0

    def draw(self) -> None:
        picture = self.picture
        title, summary = (
            wrapped(picture.title, 700, 17)[:3],
            wrapped(picture.summary, 560 if picture.insets else 380, 10)[:4],
        )
        summary += filter(None, [picture.total])
        y = float(MARGIN)
        for line in title:
            self._text(Lettering(MARGIN, y + 14, line, 17, "ink", "start", bold=True))
            y += 22
        for line in summary:
            self._text(Lettering(MARGIN, y + 9, line, 10, "dim", "start"))
            y += 14
        top = y + 14
        room = HIGHEST - top - MARGIN - _LEGEND
        right = self._spine(top, room)
        self._insets(right + MARGIN, top, room)
        self._legend()

    def _text(self, label: Lettering) -> None:
        self.canvas.labels.append(label)
        _, _, right, bottom = label.extent
        self._reach(right, bottom)

    def _reach(self, right: float, bottom: float) -> None:
        self.right, self.bottom = max(self.right, right), max(self.bottom, bottom)

    # -- the spine ---------------------------------------------------------------------------------------------------

    def _spine(self, top: float, room: float) -> float:
        """Draw it, and return how far it reaches to the right."""
        picture = self.picture
        contents = rows(picture.parts, picture.input, picture.tags, picture.costs)
        spine = Columns(*contents, most=room - 40, ratio=_RATIO, headings=picture.headings)
        half = text_width(picture.input, SMALL) / 2
        x = MARGIN + max(0.0, half - spine.axis)
        axis = round(x + spine.axis)
        self._text(Lettering(axis, top + 8, picture.input, SMALL, "dim"))
        ends = spine.draw(self.canvas, axis - spine.axis, End(((axis, top + 14),), "flow"))
        self._reach(x + spine.width, top + 14 + spine.height)
        self._outputs(ends)
        return max(x + spine.width, axis + half)

    def _outputs(self, ends: list[End]) -> None:
        """An arrow to each output, and its name below."""
        outputs = dict(self.picture.outputs)
        named = [outputs.pop(end.value, None) for end in ends]
        rest = list(outputs.values())[::-1]
        texts = [shorten(name or (rest.pop() if rest else ""), 160, SMALL) for name in named]
        low = max([each.y for each in ends]) + 16
        labels = [
            _within(Lettering(end.x, low + 11, text, SMALL, "dim")) for end, text in zip(ends, texts, strict=True)
        ]
        pairs = sorted(zip(ends, labels, strict=True), key=lambda pair: pair[0].x)
        if any(one.x + _half(one) + 6 > other.x - _half(other) for (_, one), (_, other) in pairwise(pairs)):
            # Names begin at their arrows, and names further to the left are lower, so no arrow crosses a name.
            last = len(pairs) - 1
            lower = [(end, label._replace(y=label.y + 14 * (last - i))) for i, (end, label) in enumerate(pairs)]
            pairs = [(end, _within(label._replace(x=end.x - 4, anchor="start"))) for end, label in lower]
        for end, label in pairs:
            self.canvas.line([*end.points, (end.x, label.y - 11)], end.style)
            self._text(label)

    # -- the insides of blocks ---------------------------------------------------------------------------------------

    def _insets(self, x: float, top: float, room: float) -> None:
        panels = [_panel(inset, room) for inset in self.picture.insets]
        stacks = _stacked(panels, self.bottom - top, room)
        for stack in stacks:
            width = max(panel.width for panel in stack)
            y = top
            for panel in stack:
                self._panel(panel, x, y, width)
                y += panel.height + _BETWEEN
            x += width + _BETWEEN

    def _panel(self, panel: _Panel, x: float, y: float, width: float) -> None:
        self.canvas.behind.append(Rect(x, y, width, panel.height, "inset", 8))
        self._reach(x + width, y + panel.height)
        self._text(Lettering(x + _PADDING, y + 18, panel.inset.letter, 12, "accent", "start", bold=True))
        after = x + _PADDING + text_width(panel.inset.letter, 12, bold=True) + 8
        self._text(Lettering(after, y + 18, shorten(panel.inset.title, 320, SIZE), SIZE, "ink", "start"))
        left = round(x + (width - panel.inside.width) / 2)
        start = End(((left + panel.inside.axis, y + _TITLE),), "flow")
        low = y + _TITLE + panel.inside.height + 16
        for end in panel.inside.draw(self.canvas, left, start):
            self.canvas.line([*end.points, (end.x, low)], end.style)
        for number, note in enumerate(panel.notes, start=1):
            self._text(Lettering(x + _PADDING, low + 4 + _NOTE * number, note, SMALL, "dim", "start"))

    # -- the legend --------------------------------------------------------------------------------------------------

    def _legend(self) -> None:
        styles = {line.style for line in self.canvas.lines}
        entries = [(style, meaning) for style, meaning in _STYLES.items() if style in styles]
        entries += [("", meaning) for meaning in self.picture.legend]
        x, y = float(MARGIN), self.bottom + 22
        for style, meaning in entries:
            width = text_width(meaning, SMALL) * SPARE + (26 if style else 0)
            if x > MARGIN and x + width > self.right:
                x, y = float(MARGIN), y + 14
            if style:
                self.canvas.lines.append(Stroke(((x, y - 3), (x + 20, y - 3)), style, arrow=False))
            self._text(Lettering(x + (26 if style else 0), y, meaning, SMALL, "dim", "start"))
            x += width + 18


def _half(label: Lettering) -> float:
    """Half the width that a label in the middle may have."""
    return text_width(label.text, label.size) * SPARE / 2


def _within(label: Lettering) -> Lettering:
    """A label, moved to the right if it would reach into the margin."""
    return label._replace(x=label.x + max(0.0, MARGIN - label.extent[0]))


def _stacked(panels: list[_Panel], beside: float, room: float) -> list[list[_Panel]]:
    """The panels in columns beside a part of this height, so that the figure takes little space."""
    tallest = max([panel.height for panel in panels], default=0)
    lengths = accumulate([panel.height + _BETWEEN for panel in panels[:_TRIED]])
    heights = {max(beside, _LEAST, tallest), *[length for length in lengths if tallest <= length <= room]}
    tried = [_filled(panels, min(room, height)) for height in sorted(heights)]
    return min(tried, key=lambda stacks: _area(stacks, beside))


def _filled(panels: list[_Panel], most: float) -> list[list[_Panel]]:
    stacks: list[list[_Panel]] = []
    filled = 0.0
    for panel in panels:
        if not stacks or filled + panel.height > most:
            stacks.append([])
            filled = 0.0
        stacks[-1].append(panel)
        filled += panel.height + _BETWEEN
    return stacks


def _area(stacks: list[list[_Panel]], beside: float) -> float:
    width = sum([max([panel.width for panel in stack]) + _BETWEEN for stack in stacks])
    height = max([sum([panel.height + _BETWEEN for panel in stack]) for stack in stacks], default=0)
    return (width + _SPINE) * max(height, beside)


def _panel(inset: Inset, room: float) -> _Panel:
    title = text_width(inset.letter, 12, bold=True) + 8 + text_width(shorten(inset.title, 320, SIZE), SIZE)
    noted = min(_NOTED, max([text_width(note, SMALL) for note in inset.notes], default=0))
    most = room - _TITLE - 40 - (_NOTE * len(inset.notes) + 8 if inset.notes else 0)
    inside = Columns([SpineRow(place(part)) for part in inset.parts], [], most=most)
    width = max(inside.width, title, noted, 90)
    notes = [line for note in inset.notes for line in _lines(note, width)]
    height = _TITLE + inside.height + 22 + (_NOTE * len(notes) + 6 if notes else 0)
    return _Panel(inset, inside, notes, round(width + 2 * _PADDING), height)


def _lines(note: str, width: float) -> list[str]:
    """A note in a few lines, with its middle left out if it needs more."""
    lines = wrapped(note, width, SMALL)
    if len(lines) <= _NOTES:
        return lines
    return [*lines[: _NOTES - 1], shorten(" ".join(lines[_NOTES - 1 :]), width, SMALL)]
