"""Tables: aligned text in a pipe. For a person, rich draws them and folds long cells to fit the screen."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence

from archspec.analysis.parts import Totals
from archspec.display import MAX_COLUMN, counted, display_width
from archspec.operations.shapes import show_shape

from .inert import inert
from .render import MAX_KEYS, Terminal, and_more, put, short

Rows = Sequence[Sequence[str]]


def put_table(
    rows: Rows,
    right: Collection[int] = (),
    *,
    indent: str = "",
    header: bool = False,
    total: bool = False,
    spare: Sequence[int] = (),
) -> None:
    """Print rows on standard output.

    Args:
        rows: cells with any text; this function makes it safe.
        right: the numbers of the columns to align right.
        indent: the text before every row.
        header: whether the first row has the names of the columns.
        total: whether the last row is the sum of the others.
        spare: the columns to leave out, in this order, while the table is wider than a person's screen.
    """
    terminal = Terminal.of(sys.stdout)
    safe = [[terminal.safe(cell) for cell in row] for row in rows]
    if not terminal.person:
        put(plain(safe, right, indent))
    elif safe:
        left = _fitting(safe, spare, terminal.width - len(indent))
        right = [place for place, column in enumerate(left) if column in right]
        _draw([[row[column] for column in left] for row in safe], right, indent, header, total, terminal)


def put_keys(title: str, rows: Rows, *, indent: str) -> None:
    """Print a title and the first few of some rows of state-dict keys, or nothing without rows."""
    if not rows:
        return
    put(title)
    put_table(rows[:MAX_KEYS], indent=indent)
    if len(rows) > MAX_KEYS:
        put(f"{indent}{and_more(len(rows) - MAX_KEYS)}")


def size_of(shape: tuple[int, ...]) -> str:
    """The shape of a tensor, for people."""
    return show_shape(shape) if shape else "a number"


def summed(totals: Totals) -> str:
    """The size of a network: ``25,557,032 parameters, 4.09 G MACs, 50 layers``."""
    return f"{totals.costs.params:,} parameters, {short(totals.costs.macs)} MACs, {counted(totals.layers, 'layer')}"


def _fitting(rows: Rows, spare: Sequence[int], width: int) -> list[int]:
    """The columns that fit, without as many of ``spare`` as needed."""
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    left = list(range(len(widths)))
    for column in spare:
        if sum(widths[each] for each in left) + 2 * (len(left) - 1) > width:
            left.remove(column)
    return left


def plain(rows: Rows, right: Collection[int] = (), indent: str = "") -> str:
    """Rows in aligned columns, two spaces apart. A cell wider than :data:`MAX_COLUMN` widens its own row only."""
    widths = [min(MAX_COLUMN, max(map(display_width, column))) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - display_width(cell))
            cells.append(space + cell if number in right else cell + space)
        lines.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def _draw(rows: Rows, right: Collection[int], indent: str, header: bool, total: bool, terminal: Terminal) -> None:
    """The same table for a person."""
    from rich.padding import Padding  # only for a person
    from rich.table import Table  # only for a person
    from rich.text import Text  # only for a person

    drawn = Table(box=None, show_header=header, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    named = max(display_width(row[0]) for row in rows)
    for number, cell in enumerate(rows[0]):
        # The names of rows are folded last: nobody can copy a name in two pieces.
        whole = number == 0 and 3 * named <= 2 * terminal.width
        drawn.add_column(Text(cell), justify="right" if number in right else "left", overflow="fold", no_wrap=whole)
    body = [[inert(cell) for cell in row] for row in (rows[1:] if header else rows)]
    for number, row in enumerate(body):
        style = "bold" if total and number == len(body) - 1 else ""
        drawn.add_row(*map(Text, row), style=style)
    terminal.console(sys.stdout).print(Padding.indent(drawn, len(indent)))
