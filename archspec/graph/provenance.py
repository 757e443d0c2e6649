"""Where a node was written: the step, and the cells of the stage table that decided it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from archspec.diagnostics import Span
from archspec.operations.base import Operation


class TableCell(NamedTuple):
    """A cell of the stage table: the number of its stage, from 1, its column, and where the author wrote it."""

    stage: int
    column: str
    span: Span


class Provenance:
    """Where a node was written; nodes that were written alike share one.

    ``step`` is the step, which may be the library's. ``span`` is the author's own: the step, or what asked for the
    block or the fragment that has it. ``find_cells`` finds :meth:`cells` when these are asked for.
    """

    __slots__ = ("_found", "find_cells", "span", "step")

    def __init__(self, span: Span, step: Span, find_cells: Callable[[Operation], tuple[TableCell, ...]]) -> None:
        self.span = span
        self.step = step
        self.find_cells = find_cells
        self._found: dict[str, tuple[TableCell, ...]] | None = None

    def cells(self, operation: Operation) -> tuple[TableCell, ...]:
        """The cells that decided an operation of the step; a layer has several operations.

        They are those that its arguments and conditions follow from, through ``let``, parameters and calls, and in a
        block always that of the column ``block``. What follows from a shape, as ``in_channels`` does, has no cell.
        """
        if self._found is None:
            self._found = {}
        if operation.name not in self._found:
            self._found[operation.name] = self.find_cells(operation)
        return self._found[operation.name]


class Site:
    """What all blocks have in common that are lowered from one place: a stage, or a call inside its blocks.

    ``cell`` finds the cell that gives a name its value here. All nodes here depend on ``always``, names of cells, and
    on ``names`` of the place around this. ``nodes`` remembers the provenance of what each step becomes, ``inside`` the
    places of the calls.
    """

    __slots__ = ("always", "cell", "inside", "names", "nodes")

    def __init__(self, cell: FindCell, always: tuple[str, ...] = (), names: Iterable[str] = ()) -> None:
        self.cell = cell
        self.always = always
        self.names = names
        self.nodes: dict[int, Provenance] = {}
        self.inside: dict[int, Site] = {}


FindCell = Callable[[str], TableCell | None]


def no_cell(name: str) -> None:
    """Where no cell of the stage table gives a name its value."""
