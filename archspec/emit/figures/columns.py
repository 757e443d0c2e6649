"""Parts stacked in columns, with bands around stages and shapes at the right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

from archspec.emit.figures.along import along, middles
from archspec.emit.figures.metrics import shorten, text_width
from archspec.emit.figures.parts import Band, Box, Card, Junction, Part, Parts, Split, boxes
from archspec.emit.figures.place import SMALL, Boxed, End, Laid, Splitting
from archspec.emit.figures.rows import Blocked, Framed, place
from archspec.emit.figures.shapes import Canvas, Lettering, Rect

_GUTTER = 24
_ABOVE, _TOP, _BOTTOM = 8, 4, 10
_BAND = _ABOVE + _TOP + _BOTTOM
_SIDE = 10
_APART = 18
"""The space between columns of notes."""
_NAME = 96
_FULL = 0.6
"""A column that is filled to this fraction ends before a stage that would be split."""


class Note(NamedTuple):
    """Texts at the right of a part, in columns, and how far below its top they are."""

    y: float
    texts: tuple[str, ...]


@dataclass(slots=True)
class SpineRow:
    """A part, the number of the band that it is in, and the notes at its right."""

    laid: Laid
    band: int | None = None
    notes: tuple[Note, ...] = ()


@dataclass(slots=True)
class _Column:
    rows: list[SpineRow] = field(default_factory=list)
    left: float = 0
    right: float = 0
    height: float = 0


class Columns:
    """A series in columns of about equal height, up to a limit. A part that is higher has its own column.

    With a ``ratio`` of width to height, many columns become higher, so that the whole is not wider than that.
    """

    def __init__(
        self, rows: list[SpineRow], bands: list[str], most: float, ratio: float = 0, headings: tuple[str, ...] = ()
    ) -> None:
        self.headings = headings
        self.bands = [shorten(name, _NAME, SMALL) for name in bands]
        named = max([text_width(name, SMALL) for name in self.bands], default=0)
        columns = zip_longest(*[note.texts for row in rows for note in row.notes], headings, fillvalue="")
        self.notes = [max([text_width(note, SMALL) for note in column]) for column in columns]
        noted = sum(self.notes) + _APART * (len(self.notes) - 1) if self.notes else 0
        self.before = named + 2 * _SIDE if bands else 0
        # A viewer's font may be wider than the table of widths says, but a note must not cross a frame or a bar.
        away = _APART if headings or any(isinstance(row.laid, Framed | Splitting) for row in rows) else _SIDE
        self.after = (noted + away if noted else 0) + (_SIDE if bands else 0)
        self.found = _broken(rows, most, ratio, self.before + self.after)
        widths = [round(self.before + each.left) + round(each.right + self.after) for each in self.found]
        self.width = sum(widths) + _GUTTER * (len(widths) - 1)
        self.height = max([each.height for each in self.found], default=0) + (16 if len(self.found) > 1 else 0)

    @property
    def axis(self) -> float:
        """The distance from its left side to the axis of its first column."""
        return round(self.before + self.found[0].left) if self.found else 0

    def draw(self, canvas: Canvas, x: float, end: End) -> list[End]:
        """Draw it with its left side at ``x``, below the end, which is on its axis."""
        top, ends = end.y, [end]
        for number, column in enumerate(self.found):
            axis = x + round(self.before + column.left)
            right = axis + round(column.right + self.after)
            if number:
                end, gutter = ends[0], x - _GUTTER / 2
                end = end.to((end.x, end.y + 10), (gutter, end.y + 10), (gutter, top), (axis, top))
                ends = [end.to((axis, top + 4))]
            self._write(canvas, self.headings, right, top - 6)
            ends = self._column(canvas, column, ends[0], x, right)
            x = right + _GUTTER
        return ends

    def _write(self, canvas: Canvas, notes: tuple[str, ...], right: float, y: float) -> None:
        """Write notes in their columns, each of which ends at its right side."""
        side = right - (_SIDE if self.bands else 0) - sum(self.notes) - _APART * (len(self.notes) - 1)
        for note, width in zip(notes, self.notes, strict=False):
            side += width
            if note:
                canvas.labels.append(Lettering(side, y, note, SMALL, "dim", "end"))
            side += _APART

    def _column(self, canvas: Canvas, column: _Column, end: End, left: float, right: float) -> list[End]:
        ends, begin = [end], 0.0
        band: int | None = None
        for row, after in zip(column.rows, [*column.rows[1:], SpineRow(_NOTHING)], strict=True):
            if row.band is not None and row.band != band:
                begin = ends[0].y + _ABOVE
                ends = [ends[0].to((ends[0].x, begin + _TOP))]
                label = Lettering(left + 8, begin + 14, self.bands[row.band], SMALL, "dim", "start")
                canvas.labels.append(label)
            band = row.band
            top = ends[0].y
            ends = row.laid.draw(canvas, ends[0])
            for note in row.notes:
                self._write(canvas, note.texts, right, top + note.y + 3)
            bottom = max([each.y for each in ends])
            if band is not None and after.band != band:
                low = bottom + _BOTTOM
                canvas.behind.append(Rect(left, begin, right - left, low - begin, "band", 8))
                ends = [each.to((each.x, low)) for each in ends]
        return ends


class _Nothing:
    left = right = height = low = 0.0

    def draw(self, canvas: Canvas, end: End) -> list[End]:
        return [end]


_NOTHING = _Nothing()


def rows(
    parts: Parts, shape: str, tags: Mapping[str, str], costs: tuple[tuple[str, ...], ...] = ()
) -> tuple[list[SpineRow], list[str]]:
    """The rows of a spine with this input shape, and the names of its bands.

    A shape is written where it changes. ``tags`` are the notes, by value, for values that the model returns and also
    reads. The last row has no shape, because the output is below it. With ``costs``, one for each value on the axis,
    also inside plain graphs, each has its shape, and boxes have equal widths.
    """
    found: list[SpineRow] = []
    bands: list[str] = []
    widest = max([Blocked(each).width for each in boxes(parts) if isinstance(each, Card)], default=0)
    broad = max([Boxed(each).width for each in parts if isinstance(each, Box)], default=0) if costs else 0
    whole, spent = bool(costs), iter(costs)
    noting = _Noting(shape, tags, whole=whole)
    for part in parts:
        inside = part.parts if isinstance(part, Band) else (part,)
        band = len(bands) if isinstance(part, Band) else None
        bands += [part.label] if isinstance(part, Band) else []
        for each in inside:
            last = part is parts[-1] and each is inside[-1]
            laid: Laid = Blocked(each, widest) if isinstance(each, Card) else place(each)
            if costs and isinstance(each, Box):
                laid = Boxed(each, broad)
            texts = [(text, *next(spent, ())) for text in noting.texts(each, last=last)]
            notes = map(Note, middles(each, laid, members=whole), texts)
            found.append(SpineRow(laid, band, tuple(notes)))
    return found, bands


class _Noting:
    """Notes of values in order. ``shape`` is that of the value so far; ``whole``: also of values with equal shapes."""

    def __init__(self, shape: str, tags: Mapping[str, str], *, whole: bool) -> None:
        self.shape, self.tags, self.whole = shape, tags, whole

    def texts(self, part: Part, *, last: bool) -> list[str]:
        """The note of each value on the axis of a part, whose last value may be the last of all."""
        values = list(along(part, members=self.whole))
        found = [self._text(value, last=last and value is values[-1]) for value in values]
        if not self.tags:
            return found
        own = [self._returned(() if isinstance(value, Split) else (value,)) for value in values]
        beside = set(self._returned((part,))).difference(*own)
        own[-1] += [name for name in self._returned((part,)) if name in beside]
        said = ["; ".join([self.tags[name] for name in names]) for names in own]
        return [f"→ {out}" if out else text for out, text in zip(said, found, strict=True)]

    def _returned(self, values: tuple[Part | Junction, ...]) -> list[str]:
        """The values in a part that have a note."""
        return [name for drawn in boxes(values) for name in drawn.nodes if name in self.tags]

    def _text(self, value: Part | Junction, *, last: bool) -> str:
        before, shown = self.shape, _shape(value)
        self.shape = shown or before
        return shown if self.whole or (shown != before and not last) else ""


def _shape(value: Part | Junction) -> str:
    return "" if isinstance(value, Split | Band) else getattr(value, "shape", "")


def _broken(rows: list[SpineRow], most: float, ratio: float, beside: float) -> list[_Column]:
    total = sum([row.laid.height for row in rows]) + _BAND * len({row.band for row in rows if row.band is not None})
    width = max([row.laid.left + row.laid.right for row in rows], default=0) + beside + _GUTTER
    if ratio:
        most = max(most, round((total * width / ratio) ** 0.5))
    wanted = max(1, -(-total // most))
    target = min(most, total / wanted * 1.08 + 40) if wanted > 1 else most
    whole = dict.fromkeys([row.band for row in rows], float(_BAND))
    for row in rows:
        whole[row.band] += row.laid.height
    found: list[_Column] = []
    band: int | None = None
    for row in rows:
        begins = row.band is not None and row.band != band
        height = row.laid.height + (_BAND if begins else 0)
        full = found and found[-1].height + height > target
        torn = found and begins and whole[row.band] <= target < found[-1].height + whole[row.band]
        if not found or full or (torn and found[-1].height > _FULL * target):
            found.append(_Column())
            height = row.laid.height + (_BAND if row.band is not None else 0)
        column = found[-1]
        column.rows.append(row)
        column.left, column.right = max(column.left, row.laid.left), max(column.right, row.laid.right)
        column.height += height
        band = row.band
    return found
