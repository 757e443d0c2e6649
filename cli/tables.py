"""Tables: aligned text in a pipe, drawn by rich where a person looks, which folds long cells to fit the screen."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence

from archspec.display import display_width
from archspec.operations.shapes import show_shape

from .render import MAX_KEYS, Terminal, and_more, put

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
    """Rows as data for standard output.

    Args:
        rows: cells of any text; it is made safe here.
        right: the numbers of the columns that are aligned to the right.
        indent: what stands before every row.
        header: whether the first row names the columns.
        total: whether the last row sums up the others.
        spare: columns that are left out, in this order, while the table is wider than a person's screen.
    """
    terminal = Terminal.of(sys.stdout)
    safe = [[terminal.safe(cell) for cell in row] for row in rows]
    if not terminal.person:
        put(plain(safe, right, indent))
    elif safe:
        left = _fitting(safe, spare, terminal.width - len(indent))
        right = [place for place, column in enumerate(left) if column in right]
        _draw([[row[column] for column in left] for row in safe], right, indent, header, total, terminal)


def put_keys(rows: Rows, *, indent: str) -> None:
    """Rows of state-dict keys, the first few."""
    put_table(rows[:MAX_KEYS], indent=indent)
    if len(rows) > MAX_KEYS:
        put(f"{indent}{and_more(len(rows) - MAX_KEYS)}")


def size_of(shape: tuple[int, ...]) -> str:
    """A tensor's shape as people read it."""
    return show_shape(shape) if shape else "a number"


def _fitting(rows: Rows, spare: Sequence[int], width: int) -> list[int]:
    """The columns that are left when as many of ``spare`` are left out as must be."""
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    left = list(range(len(widths)))
    for column in spare:
        if sum(widths[each] for each in left) + 2 * (len(left) - 1) > width:
            left.remove(column)
    return left


def plain(rows: Rows, right: Collection[int] = (), indent: str = "") -> str:
    """Rows in aligned columns, two spaces apart."""
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - display_width(cell))
            cells.append(space + cell if number in right else cell + space)
        lines.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def _draw(rows: Rows, right: Collection[int], indent: str, header: bool, total: bool, terminal: Terminal) -> None:
    """The same table for a person. rich takes 50 ms to import, so nothing else pays for it."""
    from rich.console import Console  # only for a person
    from rich.padding import Padding  # only for a person
    from rich.table import Table  # only for a person
    from rich.text import Text  # only for a person

    drawn = Table(box=None, show_header=header, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    named = max(display_width(row[0]) for row in rows)
    for number, cell in enumerate(rows[0]):
        # What a row is called is folded last: a name in two pieces cannot be copied.
        whole = number == 0 and 3 * named <= 2 * terminal.width
        drawn.add_column(Text(cell), justify="right" if number in right else "left", overflow="fold", no_wrap=whole)
    body = rows[1:] if header else rows
    for number, row in enumerate(body):
        style = "bold" if total and number == len(body) - 1 else ""
        drawn.add_row(*map(Text, row), style=style)
    console = Console(file=sys.stdout, force_terminal=True, color_system="auto" if terminal.colour else None)
    console.print(Padding.indent(drawn, len(indent)))
