"""The measures of any part: blocks as cards, frames, and series."""

from __future__ import annotations

from archspec.emit.figures.mesh import Meshed
from archspec.emit.figures.metrics import shorten, text_width
from archspec.emit.figures.parts import Box, Card, Frame, Mesh, Part, Parts, Split
from archspec.emit.figures.place import GAP, LOW, SIZE, SMALL, Boxed, End, Laid, Splitting, Stacked, ends_of, even, lay
from archspec.emit.figures.shapes import Canvas, Lettering, Rect
from archspec.emit.figures.wrap import Wrapped, needs_rows

_ARC = 14
"""The distance from a block to the shortcut beside it."""
_CARD = 3
"""The offset of each card of a stack from the card before."""
_COUNT = 9


class Blocked:
    """Blocks of one kind: a card with the letter, a stack of cards for several, and the shortcut to its left."""

    HEIGHT = 26
    FORK = 6

    def __init__(self, block: Card, least: float = 110) -> None:
        self.block = block
        self.text = shorten(block.text, 200, SIZE)
        self.letter = text_width(block.letter, 12, bold=True) + 10 if block.letter else 0
        self.width = max(least, even(text_width(self.text, SIZE) + 20 + self.letter))
        self.several = block.count > 1
        self.cards = 2 * _CARD if self.several else 0
        self.count = f"\N{MULTIPLICATION SIGN}{block.count}" if self.several else ""
        self.left = self.width / 2 + (_ARC + 4 if block.arc else 0)
        counted = text_width(self.count, 12, bold=True) + _COUNT + _CARD if self.several else 0
        self.right = self.width / 2 + self.cards + counted
        self.low = self.HEIGHT / 2 + self.cards + (10 if block.arc else 0)
        self.height: float = self.FORK + GAP + self.HEIGHT + self.cards + (10 if block.arc else 0)

    def draw(self, canvas: Canvas, end: End) -> list[End]:
        x, fork, top = end.x, end.y + self.FORK, end.y + self.FORK + GAP
        left, bottom = x - self.width / 2, top + self.HEIGHT
        canvas.line([*end.points, (x, top)], end.style)
        for behind in (2, 1) if self.several else ():
            away = behind * _CARD
            canvas.front.append(Rect(left + away, top + away, self.width, self.HEIGHT, "card"))
        canvas.front.append(Rect(left, top, self.width, self.HEIGHT, "block", nodes=self.block.nodes))
        if self.letter:
            canvas.labels.append(Lettering(left + 10, top + 17.5, self.block.letter, 12, "accent", "start", bold=True))
        canvas.labels.append(Lettering(left + (self.width + self.letter) / 2, top + 17, self.text, SIZE))
        if self.several:
            side = left + self.width + self.cards + 5
            canvas.labels.append(Lettering(side, bottom + self.cards - 2, self.count, 12, "accent", "start", bold=True))
        below = bottom + self.cards
        if not self.block.arc:
            return [End(((x, below),), end.style, self.block.nodes[-1])]
        style = "projection" if self.block.arc == "projection" else "flow"
        lane = left - _ARC
        canvas.line([(x, fork), (lane, fork), (lane, below + 6), (x, below + 6)], style)
        return [End(((x, below), (x, below + 10)), end.style, self.block.nodes[-1])]


class Framed:
    """A block with its inside, in a frame with its name."""

    TOP, BOTTOM, SIDE = 18, 8, 10

    def __init__(self, frame: Frame) -> None:
        self.inside = place_all(frame.parts)
        self.label = shorten(frame.label, max(140.0, self.inside.left + self.inside.right), SMALL)
        self.size, self.style, self.bold = (12, "accent", True) if frame.count > 1 else (SMALL, "dim", False)
        self.left = self.inside.left + self.SIDE
        self.right = max(self.inside.right, text_width(self.label, self.size, bold=self.bold) + 8) + self.SIDE
        self.height = self.TOP + self.inside.height + self.BOTTOM + 4
        self.low = LOW

    def draw(self, canvas: Canvas, end: End) -> list[End]:
        x, y = end.x, end.y + 4
        height = self.height - 4
        canvas.behind.append(Rect(x - self.left, y, self.left + self.right, height, "frame"))
        canvas.labels.append(Lettering(x + 8, y + 13, self.label, self.size, self.style, "start", self.bold))
        ends = self.inside.draw(canvas, end.to((x, y + self.TOP)))
        return [each.to((each.x, y + height)) for each in ends]


def place(part: Part) -> Laid:
    """The measures of any part."""
    if isinstance(part, Box):
        return Boxed(part)
    if isinstance(part, Card):
        return Blocked(part)
    if isinstance(part, Mesh):
        return Meshed(part)
    if isinstance(part, Frame):
        return Framed(part)
    assert isinstance(part, Split), "bands only stand on the spine"
    branches = [lay(branch, place) for branch in part.branches]
    if part.merge and needs_rows(part, branches):
        return Wrapped(part, part.merge, branches)
    return Splitting(part, branches, [ends_of(each) for each in part.branches])


def place_all(parts: Parts) -> Stacked:
    """The measures of a series."""
    return lay(parts, place)
