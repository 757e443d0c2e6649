"""Where a node was written: the step, and the cells of the stage table that decided it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from archspec.diagnostics import Span


class TableCell(NamedTuple):
    """A cell of the stage table: the number of its stage, from 1, its column, and where the author wrote it."""

    stage: int
    column: str
    span: Span


class Provenance(NamedTuple):
    """Where a node was written; nodes that were written alike share one.

    ``step`` is the step, which may be the library's. ``span`` is the author's own: the step, or what asked for the
    block or the fragment that has it. ``cells`` are those that the step's arguments and conditions follow from, through
    ``let``, parameters and calls, and in a block always that of the column ``block``. What follows from a shape alone,
    as ``in_channels`` does, has no cell.
    """

    span: Span
    step: Span
    cells: tuple[TableCell, ...] = ()


@dataclass(slots=True)
class Place:
    """What all blocks have in common that are lowered from one place: a stage, or a call inside its blocks.

    ``cells`` give names their values here, and ``always`` decide every node. ``nodes`` remembers the provenance of what
    each step becomes, ``inside`` the places of the calls.
    """

    cells: Mapping[str, TableCell] = field(default_factory=dict)
    always: tuple[TableCell, ...] = ()
    nodes: dict[tuple[int, str], Provenance] = field(default_factory=dict)
    inside: dict[int, Place] = field(default_factory=dict)
