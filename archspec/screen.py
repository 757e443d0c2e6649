"""Texts of several blocks, such as a report, laid out for a screen: paragraphs, tables, lists that are cut, bars.

The same blocks give what ``print`` shows in Python, in plain lines, and what the command line shows, fitted to the
terminal. A word or a number is never broken, however narrow the screen is.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from archspec.display import display_width

PIPE_WIDTH = 160
"""The most columns of an excerpt if there is no terminal."""

MAX_COLUMN = 200
"""The most characters to which the cells of a column are filled up: one merge may name thousands of inputs."""

MAX_LISTED = 12
"""The most state-dict keys of a kind, or items of a message, that a text shows. Data has them all."""

TAB = 4
BARS = "▁▂▃▄▅▆▇█"
PLAIN_BARS = ".:-=+*#@"
MAX_BARS = 60
BOLD = "1"

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Screen:
    """Where text goes: whether it takes colors, how wide it is, and which characters it can show.

    If it is for a ``person``, lines are fitted to the width.
    """

    color: bool = False
    width: int = PIPE_WIDTH
    encoding: str = "utf-8"
    person: bool = False

    rest: ClassVar[str] = "which `as_data()` lists"
    """Where the rest of a list is that was cut."""

    def paint(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.color and text else text

    def safe(self, text: str) -> str:
        """``text`` with escapes for what would control a terminal, break a line or fail to encode."""
        return text if text.isascii() and text.isprintable() else "".join(map(self._shown, text))

    def cell(self, text: str) -> str:
        """``text`` as it is shown in a table."""
        return self.safe(text)

    def _shown(self, character: str) -> str:
        with contextlib.suppress(UnicodeError):
            if character.isprintable() and character.encode(self.encoding):
                return character
        return f"\\u{ord(character):04x}"

    def cells(self, line: str) -> tuple[list[str], list[int]]:
        """The text for each character of ``line``, and the columns, from 0, at which they start. The end comes last."""
        if line.isascii() and line.isprintable():
            return list(line), list(range(len(line) + 1))
        shown: list[str] = []
        starts = [0]
        for character in line:
            text = " " * (TAB - starts[-1] % TAB) if character == "\t" else self._shown(character)
            shown.append(text)
            starts.append(starts[-1] + display_width(text))
        return shown, starts


class TextTable(NamedTuple):
    """Rows of cells.

    ``right`` are the numbers of the columns to align right, ``indent`` is the text before every row. ``header``: the
    first row has the names of the columns; ``total``: the last row is the sum of the others. ``spare`` are the columns
    to leave out, in this order, while the table is wider than a person's screen. ``fold``: long names of columns are
    written on several lines first.
    """

    rows: Rows
    right: Collection[int] = ()
    indent: str = ""
    header: bool = False
    total: bool = False
    spare: Sequence[int] = ()
    fold: bool = False


class Listing(NamedTuple):
    """A title, and the first few of some rows; nothing without rows."""

    title: str
    rows: Rows
    indent: str


class Bars(NamedTuple):
    """A histogram in one line: the counts of the lengths from ``first`` to ``last``."""

    counts: Sequence[int]
    first: int
    last: int


class Spark(NamedTuple):
    """A line with a bar for each value, as high as the value is between the lowest and the highest."""

    before: str
    values: Sequence[float]
    after: str


TextBlock = str | TextTable | Listing | Bars | Spark


def as_text(blocks: Iterable[TextBlock]) -> str:
    """Blocks as plain text, without a line break at the end."""
    return "\n".join(lines(blocks, Screen())).rstrip("\n")


def lines(blocks: Iterable[TextBlock], screen: Screen) -> Iterator[str]:
    """The lines of blocks on a screen."""
    for block in blocks:
        if isinstance(block, str):
            yield from paragraph(screen.safe(block), screen)
        elif isinstance(block, TextTable):
            yield from _table(block, screen)
        elif isinstance(block, Listing):
            yield from _listing(block, screen)
        elif isinstance(block, Spark):
            yield _spark(block, screen)
        else:
            yield _bars(block, screen)


def and_more(number: int, rest: str) -> str:
    """The line below the first items of a long list."""
    return f"and {number:,} more, {rest}"


def paragraph(text: str, screen: Screen) -> list[str]:
    """The lines of a text, broken between words for a person, and never in a pipe. All have the indent of the first."""
    if not screen.person or display_width(text) <= screen.width:
        return [text]
    indent = text[: len(text) - len(text.lstrip(" "))]
    return [indent + line for line in _wrapped(text.lstrip(" "), screen.width - len(indent))]


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of whole words; only a word that is longer than the width makes a longer line."""
    found, used = [""], 0
    for word in text.split(" "):
        size = display_width(word)
        if found[-1] and used + 1 + size > width:
            found, used = [*found, word], size
        else:
            found[-1], used = (f"{found[-1]} {word}", used + 1 + size) if found[-1] else (word, size)
    return found


def _listing(block: Listing, screen: Screen) -> Iterator[str]:
    if block.rows:
        yield from paragraph(block.title, screen)
        yield from _table(TextTable(block.rows[:MAX_LISTED], indent=block.indent), screen)
    if len(block.rows) > MAX_LISTED:
        yield from paragraph(f"{block.indent}{and_more(len(block.rows) - MAX_LISTED, screen.rest)}", screen)


# -- tables ------------------------------------------------------------------------------------------------------------


def _table(table: TextTable, screen: Screen) -> Iterator[str]:
    rows = [[screen.cell(cell) for cell in row] for row in table.rows]
    if not rows:
        return
    room = screen.width - len(table.indent)
    right = table.right
    if screen.person:
        left = _fitting(rows, table, room)
        right = [place for place, column in enumerate(left) if column in table.right]
        rows = [[row[column] for column in left] for row in rows]
    widths = _widths(rows, right, room if screen.person else None, table.fold)
    last = len(rows) - 1
    for number, row in enumerate(rows):
        if widths is None and number == 0 and table.header:
            continue  # the names of the columns are beside the cells
        shown = (
            _aligned(row, widths, right, screen.person)
            if widths
            else _stacked(row, rows[0] if table.header else [], room)
        )
        bold = (number == 0 and table.header) or (number == last and table.total)
        for line in shown:
            text = (table.indent + line).rstrip()
            yield screen.paint(text, BOLD) if bold else text


def _fitting(rows: Rows, table: TextTable, width: int) -> list[int]:
    """The columns that fit, without as many of ``spare`` as needed."""
    columns = zip(*rows, strict=True)
    widths = [_whole(column, table.fold and place in table.right) for place, column in enumerate(columns)]
    left = list(range(len(widths)))
    for column in table.spare:
        if sum(widths[each] for each in left) + 2 * (len(left) - 1) > width:
            left.remove(column)
    return left


def _whole(column: Sequence[str], fold: bool) -> int:
    """The width of a column whose cells stay whole; with ``fold``, all but its name."""
    return max([_longest_word(column[:1]), *map(display_width, column[1:])] if fold else map(display_width, column))


def _widths(rows: Rows, right: Collection[int], room: int | None, fold: bool) -> list[int] | None:
    """The width of each column; None if whole words do not fit into the room. In a pipe there is room for all."""
    columns = list(zip(*rows, strict=True))
    wanted = [max(map(display_width, column)) for column in columns]
    if room is None:
        return [min(MAX_COLUMN, each) for each in wanted]
    room -= 2 * (len(columns) - 1)
    if sum(wanted) <= room:
        return wanted
    whole = {*right} | ({0} if 3 * wanted[0] <= 2 * room else set())  # nobody can copy a name in two pieces
    least = [_whole(column, fold) if i in whole else _longest_word(column) for i, column in enumerate(columns)]
    if sum(least) > room:
        return None
    widest = max(wanted)
    while sum(found := [max(low, min(high, widest)) for low, high in zip(least, wanted, strict=True)]) > room:
        widest -= 1
    return found


def _longest_word(column: Iterable[str]) -> int:
    return max(display_width(word) for cell in column for word in cell.split(" "))


def _aligned(row: Sequence[str], widths: Sequence[int], right: Collection[int], fold: bool) -> Iterator[str]:
    """The lines of a row in columns, two spaces apart. A cell of a pipe that is wider than its column is not broken."""
    cells = [_wrapped(cell, width) if fold else [cell] for cell, width in zip(row, widths, strict=True)]
    for number in range(max(map(len, cells), default=0)):
        line = []
        for column, (parts, width) in enumerate(zip(cells, widths, strict=True)):
            text = parts[number] if number < len(parts) else ""
            space = " " * (width - display_width(text))
            line.append(space + text if column in right else text + space)
        yield "  ".join(line)


def _stacked(row: Sequence[str], names: Sequence[str], room: int) -> Iterator[str]:
    """A row as a line for each cell, for a screen that is too narrow for its columns."""
    yield from _wrapped(row[0], room)
    for number, cell in enumerate(row[1:], 1):
        if cell:
            name = names[number] if names else ""
            yield from (f"  {line}" for line in _wrapped(f"{name} {cell}" if name else cell, room - 2))


# -- histograms --------------------------------------------------------------------------------------------------------


def _spark(block: Spark, screen: Screen) -> str:
    room = screen.width - len(block.before) - len(block.after) if screen.person else MAX_BARS
    size = -(-len(block.values) // max(8, min(MAX_BARS, room)))
    parts = [block.values[start : start + size] for start in range(0, len(block.values), size)]
    means = [sum(part) / len(part) for part in parts]
    low, high = min(means), max(means)
    scale = 8 / (high - low) if high > low else 0.0
    drawn = "".join([_ramp(screen)[min(int(scale * (mean - low)), 7)] for mean in means])
    return f"{screen.safe(block.before)}{drawn}{screen.safe(block.after)}"


def _ramp(screen: Screen) -> str:
    return BARS if screen.safe(BARS) == BARS else PLAIN_BARS


def _bars(block: Bars, screen: Screen) -> str:
    ends = (f"  {block.first} ", f" {block.last}")
    width = min(MAX_BARS, screen.width - sum(map(len, ends))) if screen.person else MAX_BARS
    return _histogram(block.counts, width, _ramp(screen)).join(ends)


def _histogram(counts: Sequence[int], width: int, bars: str) -> str:
    """A bar for each length that occurs, or for several neighboring lengths if there are more than ``width``."""
    step = math.gcd(*(length for length, count in enumerate(counts) if count))
    counts = counts[:: max(step, 1)]
    size = -(-len(counts) // width)
    bins = [sum(counts[start : start + size]) for start in range(0, len(counts), size)]
    return "".join(bars[min(8 * found // max(bins), 7)] if found else " " for found in bins)
