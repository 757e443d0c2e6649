"""Where the step ``blocks`` belongs: once in the steps around a stage's blocks, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from archspec.diagnostics import Faults, Label, Span, cut
from archspec.language.extent import bounded, extent
from archspec.language.spec import Sequence, Step


def without_blocks(steps: tuple[Step, ...], span: Span, faults: Faults) -> tuple[Step, ...]:
    """The steps of a place that is not around the blocks of a stage; a fault if they have the step ``blocks``."""
    steps = bounded(steps, span, faults)
    check_without_blocks(steps, faults)
    return steps


def check_without_blocks(steps: tuple[Step, ...], faults: Faults) -> None:
    """Refuse the step ``blocks`` outside of an ``around``."""
    if extent(steps).blocks:
        place, _ = next(_places(steps))
        message = "the step `blocks` belongs only in the column `around` of the stage table"
        help = "move these steps to `around` in the stage table, or remove `blocks`"
        faults.record("E322", message, place.span, labels=_inside(place), help=help)


def check_around(sequence: Sequence, faults: Faults) -> None:
    """Refuse an ``around`` that does not have the step ``blocks`` exactly once."""
    steps = sequence.all_steps
    if extent(steps).blocks == 1:
        return
    found = list(islice(_places(steps), 2))
    help = "write `- blocks` once, where the blocks of the stage belong"
    if not found:
        faults.record("E322", "`around` does not say where the blocks are", sequence.span, help=help)
        return
    (first, repeated), (last, _) = found[0], found[-1]
    if repeated:
        help = "take `blocks` out of the `repeat`; `count` says how many blocks a stage has"
        faults.record("E322", "a stage has its blocks once, so `blocks` cannot be repeated", first.span, help=help)
        return
    label = Label(first.span, "the first is here")
    message = "a stage has its blocks once, but `around` has the step `blocks` twice"
    faults.record("E322", message, last.span, labels=(label,), help="keep one of them")


def place_of_blocks(sequence: Sequence) -> Span:
    """The place of the step ``blocks`` of an ``around``, or of the call of a fragment that has it."""
    return next(_places(sequence.all_steps))[0].span


def _inside(place: Step) -> tuple[Label, ...]:
    """Where a fragment that is called has the step."""
    if place.definition is None or place.definition.span.source.kind == "library":
        return ()
    return (Label(place.definition.span, f"`{cut(place.word)}` has the step `blocks`"),)


def _places(steps: tuple[Step, ...], repeated: bool = False) -> Iterator[tuple[Step, bool]]:
    """The steps ``blocks``, and the calls of fragments that have one; and whether a ``repeat`` repeats them."""
    for step in steps:
        again = repeated or step.kind == "repeat"
        inside = step.definition.steps if step.definition else step.steps or ()
        if step.kind == "blocks" or (step.definition and step.definition.extent.blocks == 1):
            yield step, repeated
        elif step.definition is None or step.definition.extent.blocks:
            yield from _places(inside, again)
            for branch in step.branches:
                yield from _places(branch.steps, again)
