"""Tables and longer texts on standard output: plain lines in a pipe, fitted to the screen for a person."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence

from archspec.screen import Listing, Rows, TextBlock, TextTable, lines

from .render import Terminal
from .streams import put


def put_blocks(blocks: Iterable[TextBlock]) -> None:
    """Print paragraphs, tables and lists."""
    terminal = Terminal.of(sys.stdout)
    for line in lines(blocks, terminal):
        put(line)


def put_table(
    rows: Rows,
    right: Collection[int] = (),
    *,
    indent: str = "",
    header: bool = False,
    total: bool = False,
    spare: Sequence[int] = (),
) -> None:
    """Print a :class:`TextTable`."""
    put_blocks([TextTable(rows, right, indent, header, total, spare)])


def put_keys(title: str, rows: Rows, *, indent: str) -> None:
    """Print a title and the first few of some rows of state-dict keys, or nothing without rows."""
    put_blocks([Listing(title, rows, indent)])
