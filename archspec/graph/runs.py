"""Parts of a sequence that repeat, as loops are written over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from archspec.graph.definitions import DefinedPart, Definition, Use
from archspec.graph.formulas import Constant, Expression, Formula, Variable, evaluate, show
from archspec.wording import Brief

INDEX = Variable("i")
"""The index in a run, from 0."""
FEWEST = 3
"""The fewest parts that progress: two numbers always do."""
MOST_STEPS = 2048
"""The most steps into which a number is divided, as a rate that grows over all blocks of a network is."""
CLOSE = 1e-9
DIGITS = 4
"""The decimals of the rate that such a number grows to."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Repeat(Brief):
    """Neighbors of a sequence that are equal, or whose arguments progress with ``i``, which counts from 0.

    ``part`` is the first of them with the arguments of all, and ``paths`` are their paths.
    """

    count: int
    part: DefinedPart
    paths: tuple[str, ...]


def runs(definition: Definition) -> tuple[DefinedPart | Repeat, ...]:
    """The parts of a sequence, with neighbors that are equal, or at least three that progress, as one.

    Whole numbers progress by a constant step. Other numbers are ``0.1 * (6 + i) / 17`` if that gives them exactly, else
    an item of a tuple. A definition that is not a sequence has no runs.

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
        found += _divided(list(several), definition.blocks)
    return tuple(found)


def _definition(part: DefinedPart) -> int:
    """A number that neighbors share which may be a run: the definition that they use."""
    return id(part.what.definition) if isinstance(part.what, Use) and part.when is None else id(part)


def _divided(parts: Sequence[DefinedPart], blocks: int) -> Iterator[DefinedPart | Repeat]:
    """Neighbors of one definition as runs, each as long as it can be, from the first on."""
    rows = [_arguments(part) for part in parts]
    start = 0
    while start < len(parts):
        count = _length(rows, start)
        if count == 1:
            yield parts[start]
        else:
            yield _repeat(parts[start : start + count], rows[start : start + count], blocks)
        start += count


def _arguments(part: DefinedPart) -> dict[str, Expression]:
    return dict(part.what.arguments) if isinstance(part.what, Use) else {}


def _length(rows: Sequence[dict[str, Expression]], start: int) -> int:
    """How many rows from ``start`` on are equal, or progress."""
    first, ends = rows[start], {1, 2}
    equal = progress = start + 1
    while equal < len(rows) and _steps(first, rows[equal]) == {}:
        equal += 1
    steps = _steps(first, rows[start + 1]) if len(rows) - start >= FEWEST else None
    while steps is not None and progress < len(rows) and _steps(rows[progress - 1], rows[progress]) == steps:
        progress += 1
    return max(equal - start, progress - start if progress - start not in ends else 1)


def _steps(one: dict[str, Expression], other: dict[str, Expression]) -> dict[str, int | None] | None:
    """By how much the arguments change: None for a number that is not whole; no steps where others change."""
    found: dict[str, int | None] = {}
    for name, before in one.items():
        after = other[name]
        if type(before) is int and type(after) is int:
            if before != after:
                found[name] = after - before
        elif isinstance(before, float) and isinstance(after, float):
            if show(before) != show(after):
                found[name] = None
        elif show(before) != show(after):
            return None
    return found


def _repeat(parts: Sequence[DefinedPart], rows: Sequence[dict[str, Expression]], blocks: int) -> Repeat:
    first = parts[0]
    assert isinstance(first.what, Use)
    arguments = {name: _progression([row[name] for row in rows], blocks) for name in rows[0]}
    part = replace(first, what=Use(first.what.definition, arguments))
    return Repeat(len(parts), part, tuple([each.path for each in parts]))


def _progression(values: Sequence[Expression], blocks: int) -> Expression:
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
    numbers = [value for value in values if isinstance(value, float)]
    return _rate(numbers, blocks) or Formula("[]", tuple(values), INDEX)


def _rate(values: list[float], blocks: int) -> Expression | None:
    """``rate * (start + i) / steps`` if it gives exactly these numbers.

    Args:
        values: the numbers.
        blocks: how many the network has, since steps are most often counted over all of them.
    """
    step = (values[-1] - values[0]) / (len(values) - 1)
    start = round(values[0] / step) if step else 0
    if start < 0 or step <= 0:
        return None
    count: Expression = Formula("+", start, INDEX) if start else INDEX
    for steps in (blocks, blocks - 1, *range(1, MOST_STEPS)):
        rate = round(step * steps, DIGITS)
        if steps < 1 or not rate or abs(rate - step * steps) > rate * CLOSE:
            continue
        counted: Expression = Formula("*", rate, count)
        formula = counted if steps == 1 else Formula("/", counted, steps)
        if all(_gives(formula, place, value) for place, value in enumerate(values)):
            return formula
    return None


def _gives(formula: Expression, place: int, value: Constant) -> bool:
    return evaluate(formula, {INDEX.name: place}) == value
