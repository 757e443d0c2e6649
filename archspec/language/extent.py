"""How many steps a sequence expands to, computed before anything is built: calls can double at each level."""

from __future__ import annotations

from collections.abc import Iterable

from archspec.diagnostics import Faults, Span
from archspec.language.spec import Extent, Step

MAX_STEPS = 20_000
"""How many steps one sequence may expand to, ``when`` aside."""


def has_layer(steps: Iterable[Step]) -> bool:
    """Whether the steps may contain a layer, at any depth."""
    return any(step.has_layer for step in steps)


def bounded(steps: tuple[Step, ...], span: Span, faults: Faults) -> tuple[Step, ...]:
    """The steps, or an empty tuple and a fault if they expand to too many."""
    if extent(steps).steps <= MAX_STEPS:
        return steps
    if any(fault.code == "E601" for fault in faults):  # those that call these
        return ()
    message = f"these steps expand to more than {MAX_STEPS:,}, with those of the fragments that they call"
    help = "call each fragment fewer times; blocks are repeated by the stage table"
    faults.record("E601", message, span, help=help)
    return ()


def extent(steps: Iterable[Step]) -> Extent:
    """How far the steps expand, fragments included."""
    nodes = count = levels = blocks = 0
    for step in steps:
        inside = (*(step.steps or ()), *(inner for branch in step.branches for inner in branch.steps))
        inner = step.definition.extent if step.definition else extent(inside)
        own = step.kind in ("operation", "layer", "merge")
        if step.when is None:  # else it may be left out
            nodes += inner.nodes * _fewest(step) + own
        count += inner.steps + 1
        levels = max(levels, inner.levels)
        blocks += 1 if step.kind == "blocks" else inner.blocks * (2 if step.kind == "repeat" else 1)
    return Extent(nodes, count, levels + 1, min(blocks, 2))


def _fewest(step: Step) -> int:
    """How often the steps inside a step are there at the least: more or less than once inside a ``repeat`` only."""
    if step.kind != "repeat":
        return 1
    times = step.arguments["times"].constant
    return times if type(times) is int and times > 0 else 0


def largest_repeat(steps: Iterable[Step], nodes: int) -> Span | None:
    """Where a ``repeat`` says how often, if it alone makes more than ``nodes``; of nested ones, the inner."""
    for step in steps:
        inside = step.definition.steps if step.definition else step.steps or ()
        found = largest_repeat((*inside, *[inner for branch in step.branches for inner in branch.steps]), nodes)
        if found or (step.kind == "repeat" and step.when is None and extent((step,)).nodes > nodes):
            return found or step.arguments["times"].span
    return None
