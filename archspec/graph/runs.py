"""Parts of a sequence that repeat, as a loop would have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from archspec.graph.columns import ABSENT
from archspec.graph.definitions import DefinedPart, Definition, Use
from archspec.graph.formulas import Expression, Formula, Variable, show
from archspec.graph.rates import Rates
from archspec.wording import Brief

INDEX = Variable("i")
"""The index in a run, from 0."""
FEWEST = 3
"""The fewest parts of a progression: two numbers always form one."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Repeat(Brief):
    """Neighbors of a sequence that are equal, or whose arguments progress with ``i``, which counts from 0.

    ``part`` is the first of them with the arguments of all, and ``paths`` are their paths.
    """

    count: int
    part: DefinedPart
    paths: tuple[str, ...]


def runs(definition: Definition) -> tuple[DefinedPart | Repeat, ...]:
    """The parts of a sequence. Neighbors that are equal, or at least three that progress, are combined.

    Integers progress by a constant step, and drop rates as ``0.1 * (i + 6) / 17``, of which two are enough. Any other
    number becomes an item of a tuple. A definition that is not a sequence has no runs.

    >>> import archspec
    >>> from archspec.graph.patterns import definitions, patterns
    >>> from archspec.graph.formulas import show
    >>> dense = next(each for each in definitions(patterns(archspec.compile("densenet121"))) if len(each.parts) == 6)
    >>> [(run.count, show(run.part.what.arguments["in_channels"])) for run in runs(dense)]
    [(6, '64 + 32 * i')]
    """
    if definition.kind != "sequential":
        return definition.parts
    found: list[DefinedPart | Repeat] = []
    for _, several in groupby(definition.parts, _definition):
        found += _divided(list(several), definition.rates)
    return tuple(found)


def _definition(part: DefinedPart) -> int:
    """A number that is equal for neighbors that may form a run: the identity of the definition that they use."""
    return id(part.what.definition) if isinstance(part.what, Use) and part.when is None else id(part)


def _divided(parts: Sequence[DefinedPart], rates: Rates | None) -> Iterator[DefinedPart | Repeat]:
    """Neighbors of one definition as runs, each as long as it can be, from the first on."""
    rows = [_arguments(part) for part in parts]
    start = 0
    while start < len(parts):
        count = _length(rows, start, rates)
        if count == 1:
            yield parts[start]
        else:
            yield _repeat(parts[start : start + count], rows[start : start + count], rates)
        start += count


def _arguments(part: DefinedPart) -> dict[str, Expression]:
    return dict(part.what.arguments) if isinstance(part.what, Use) else {}


def _length(rows: Sequence[dict[str, Expression]], start: int, rates: Rates | None) -> int:
    """How many rows from ``start`` on are equal, or progress: two by rates, at least three by other numbers."""
    equal = progress = start + 1
    while equal < len(rows) and _steps(rows[start], rows[equal], rates) == {}:
        equal += 1
    steps = _steps(rows[start], rows[start + 1], rates) if start + 1 < len(rows) else None
    while steps is not None and progress < len(rows) and _steps(rows[progress - 1], rows[progress], rates) == steps:
        progress += 1
    fewest = 2 if steps and rates and all(_is_rate(rows[start][name], rates) for name in steps) else FEWEST
    return max(equal - start, progress - start if progress - start >= fewest else 1)


def _is_rate(value: Expression, rates: Rates) -> bool:
    return rates.number(value) is not None


def _steps(
    one: dict[str, Expression], other: dict[str, Expression], rates: Rates | None
) -> dict[str, int | None] | None:
    """The step of each argument that changes, None if it is not an integer. No dict if one is not a number."""
    found: dict[str, int | None] = {}
    for name, before in one.items():
        after = other[name]
        if show(before) == show(after):
            continue
        step = _step(before, after, rates)
        if step is ABSENT:
            return None
        found[name] = step
    return found


def _step(before: Expression, after: Expression, rates: Rates | None) -> Any:
    """By how much a value changes; None if it is not an integer, ABSENT if it is not a number."""
    if type(before) is int and type(after) is int:
        return after - before
    numbers = (rates.number(before), rates.number(after)) if rates else (None, None)
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[1] - numbers[0]
    return None if isinstance(before, float) and isinstance(after, float) else ABSENT


def _repeat(parts: Sequence[DefinedPart], rows: Sequence[dict[str, Expression]], rates: Rates | None) -> Repeat:
    first = parts[0]
    assert isinstance(first.what, Use)
    arguments = {name: _progression([row[name] for row in rows], rates) for name in rows[0]}
    part = replace(first, what=Use(first.what.definition, arguments))
    return Repeat(len(parts), part, tuple([each.path for each in parts]))


def _progression(values: Sequence[Expression], rates: Rates | None) -> Expression:
    """The formula of an argument in a run."""
    first, second = values[0], values[1]
    if all(show(value) == show(first) for value in values):
        return first
    if isinstance(first, int) and isinstance(second, int):
        step = second - first
        moved: Expression = INDEX if abs(step) == 1 else Formula("*", abs(step), INDEX)
        if first == 0 and step > 0:
            return moved
        return Formula("+" if step > 0 else "-", first, moved)
    start, after = (rates.number(first), rates.number(second)) if rates else (None, None)
    if rates and start is not None and after is not None and after > start:
        moved = INDEX if after == start + 1 else Formula("*", after - start, INDEX)
        return rates.formula(Formula("+", moved, start) if start else moved)
    return Formula("[]", tuple(values), INDEX)
