"""Formulas that hold for a column of numbers, the smallest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from archspec.graph.columns import ABSENT, Column, KnownColumn, Role, equal
from archspec.graph.formulas import Formula, Variable, evaluate

FACTORS = (2, 3, 4, 6, 8)
"""The factors that a person expects between widths; other factors need more than two values."""
MOST_FACTOR = 64
MOST_BASES = 16
"""The most parameters whose pairs are tried."""


def _holds(column: Column, gives: Callable[..., int | None], *columns: Column) -> bool:
    return all(value is ABSENT or value == gives(*others) for value, *others in zip(column, *columns, strict=True))


def _all(column: Column, value: int) -> Column:
    """A value wherever a column has one."""
    return tuple([each if each is ABSENT else value for each in column])


def column_of(formula: Formula, columns: Mapping[str, Column]) -> Column:
    """The value of a formula in each use; ABSENT where it divides by zero because a part is absent."""
    found: list[Any] = []
    for row in zip(*columns.values(), strict=True):
        try:
            found.append(evaluate(formula, dict(zip(columns, row, strict=True))))
        except ZeroDivisionError:
            found.append(ABSENT)
    return tuple(found)


def of_widths(column: Column, bases: list[KnownColumn], role: Role) -> Iterator[Formula]:
    """Formulas of widths, the smallest first. Groups may be of any width, which divides that of the channels."""
    few = len({value for value in column if value is not ABSENT}) <= 2
    for known in bases:
        sign, factor = _factor(column, known)
        if sign and (factor in FACTORS or not (few or (factor > MOST_FACTOR and role != "groups"))):
            varying = (
                each for each in bases if each.given and each is not known and equal(each.column, _all(column, factor))
            )
            for other in varying:  # in an optional part, a constant factor may be a parameter that varies elsewhere
                yield Formula(sign, Variable(known.name), Variable(other.name))
            base = Variable(known.name)
            yield Formula(sign, factor, base) if sign == "*" else Formula(sign, base, factor)
    if few:
        return
    bases = sorted(bases, key=lambda each: each.name != "in_channels")[:MOST_BASES]
    for operator, gives in _OF_TWO.items():
        for one in bases:
            for other in bases:
                if one is not other and _holds(column, gives, one.column, other.column):
                    yield Formula(operator, Variable(one.name), Variable(other.name))


def _factor(column: Column, known: KnownColumn) -> tuple[Literal["*", "//", ""], int]:
    """Whether a column is a multiple or a fraction of a parameter, and the factor; the sign is empty if neither."""
    at = next(place for place, value in enumerate(column) if value is not ABSENT)
    base, target = known.column[at], column[at]
    if base <= 0 or target <= 0 or base == target:
        return "", 0
    if target % base == 0:
        by = target // base
        return ("*", by) if _holds(column, lambda value: by * value, known.column) else ("", 0)
    by = base // target
    fits = base % target == 0 and _holds(column, lambda value: None if value % by else value // by, known.column)
    return ("//", by) if fits else ("", 0)


_OF_TWO: Mapping[Literal["+", "*", "//", "-"], Callable[[int, int], int | None]] = {
    "+": lambda one, other: one + other,
    "*": lambda one, other: one * other,
    "//": lambda one, other: one // other if other > 0 and one % other == 0 else None,
    "-": lambda one, other: one - other,
}


def of_kernels(column: Column, known: list[KnownColumn]) -> Iterator[Formula]:
    """The padding that keeps the size, as a formula of the kernel size and the dilation."""
    kernels = [each for each in known if each.role == "size"]
    dilations = [each for each in known if each.role == "dilation"]
    for kernel in kernels:
        reach = Formula("-", Variable(kernel.name), 1)
        if _holds(column, lambda size: (size - 1) // 2, kernel.column):
            odd = all(size is ABSENT or size % 2 for size in kernel.column)
            yield Formula("//", Variable(kernel.name) if odd else reach, 2)
        for dilation in dilations:
            if _holds(column, lambda step, size: step * (size - 1) // 2, dilation.column, kernel.column):
                yield Formula("//", Formula("*", Variable(dilation.name), reach), 2)
    for dilation in dilations:
        sign, factor = _factor(column, dilation)
        if sign == "*":
            yield Formula(sign, factor, Variable(dilation.name))
