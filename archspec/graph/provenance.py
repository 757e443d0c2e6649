"""Where a node was written: the step, and the cells of the stage table that decided it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from archspec.diagnostics import Label, Span
from archspec.language.spec import Block, Step
from archspec.operations.base import Operation

if TYPE_CHECKING:
    from archspec.graph.environment import Environment


class TableCell(NamedTuple):
    """A cell of the stage table: the number of its stage, from 1, its column, and where the author wrote it."""

    stage: int
    column: str
    span: Span


class Blamed(NamedTuple):
    """Where a fault is shown: a place of the author's, and second places.

    ``certain``: whether the author's place decides what is at fault, so that no other needs to be looked for.
    """

    span: Span
    labels: tuple[Label, ...]
    certain: bool


class Provenance:
    """Where a node was written; nodes that were written alike share one.

    ``span`` is the author's own place: the step, or what asked for the block or the fragment that has it. ``written``
    is the step, which may be the library's, or the block that puts the node around its steps; ``env`` is the
    environment that finds :meth:`cells` when these are asked for. The network's input has neither.
    """

    __slots__ = ("_found", "env", "span", "written")

    def __init__(self, span: Span, written: Step | Block | None = None, env: Environment | None = None) -> None:
        self.span = span
        self.written = written
        self.env = env
        self._found: dict[str, tuple[TableCell, ...]] | None = None

    def __repr__(self) -> str:
        return f"Provenance({self.span})"

    @property
    def step(self) -> Span:
        """Where the step is written, which may be in the library."""
        return self.written.span if self.written else self.span

    def cells(self, operation: Operation) -> tuple[TableCell, ...]:
        """The cells that decided an operation of the step; a layer has several operations.

        They are those that its arguments and conditions follow from, through ``let``, parameters and calls, and in a
        block always that of the column ``block``. What follows from a shape, as ``in_channels`` does, has no cell.
        """
        if self._found is None:
            self._found = {}
        if operation.name not in self._found:
            found = self.env.cells(self.written, operation) if self.env and self.written else ()
            self._found[operation.name] = found
        return self._found[operation.name]


class Recorded(Provenance):
    """Where a node was written, as a file says that has no spec to look it up in."""

    __slots__ = ("recorded",)

    def __init__(self, span: Span, recorded: tuple[TableCell, ...] = ()) -> None:
        super().__init__(span)
        self.recorded = recorded

    def cells(self, operation: Operation) -> tuple[TableCell, ...]:
        """The cells that the file records for the node."""
        return self.recorded


class Site:
    """What all blocks have in common that are lowered from one place: a stage, or a call inside its blocks.

    ``cell`` finds the cell that gives a name its value here. All nodes here depend on ``always``, names of cells, and
    on ``names`` of the place around this. ``inside`` remembers the places of the calls.
    """

    __slots__ = ("always", "cell", "inside", "names")

    def __init__(self, cell: FindCell, always: tuple[str, ...] = (), names: Iterable[str] = ()) -> None:
        self.cell = cell
        self.always = always
        self.names = names
        self.inside: dict[int, Site] = {}


FindCell = Callable[[str], TableCell | None]


def no_cell(name: str) -> None:
    """Where no cell of the stage table gives a name its value."""


def reads(written: Step | Block, operation: Operation) -> set[str]:
    """The names that decide an operation that a step becomes, or that a block puts around its steps."""
    setting = operation.setting
    if isinstance(written, Block):
        return {"shortcut" if operation.arity == "many" else setting or operation.name}
    own = (written.settings or {}).get(setting)
    terms = [own] if own else [] if setting and written.kind == "layer" else [*written.arguments.values()]
    names = {setting} if setting and not own else set()
    conditions = (written.when, *[branch.when for branch in written.branches])
    return names.union(*[term.reads for term in (*terms, *conditions) if term])
