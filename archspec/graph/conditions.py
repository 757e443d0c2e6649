"""The condition under which an optional part is present, expressed by the parameters of its definition."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.graph.columns import SMALL, Column, KnownColumn
from archspec.graph.fitting import Fitting
from archspec.graph.formulas import Class, Condition, Formula, Joined, Relation, Variable, names_in

Presence = tuple[bool, ...]
"""Whether each use has a part."""
MULTIPLES = (1, 2, 3, 4, 6, 8)
"""The factors that a person expects between a block's width and its output."""

_PLAIN = (bool, int, float, str, Class, type(None))
"""Values that conditions compare; no slices and tuples."""


def condition(present: Presence, fitting: Fitting, own: frozenset[str], *, beside: bool, name: str) -> Condition:
    """A condition that is true exactly where a part is present.

    Args:
        present: the uses in which it is present.
        fitting: the parameters; a new parameter is the last resort.
        own: the names of parameters that only this part reads.
        beside: whether the part is a shortcut or a merge, which depends on whether the shape changes.
        name: the name for a new parameter, which is true or false.
    """
    for found in _candidates(present, fitting, own, beside):
        for each in sorted(names_in(found)):
            fitting.use(each)
        return found
    return fitting.flag(present, name)


def _candidates(present: Presence, fitting: Fitting, own: frozenset[str], beside: bool) -> Iterator[Condition]:
    """Conditions that hold, preferred ones first. In each kind, those that need no other parameter come first."""
    plain = [each for each in fitting.known if all(isinstance(value, _PLAIN) for value in each.column)]
    known = sorted(plain, key=lambda each: each.name not in fitting.used)
    for each in known:
        if all(isinstance(value, bool) for value in each.column) and each.column == present:
            yield Variable(each.name)
    shape = [*_of_widths(present, known, fitting.output), *_with_stride(present, known, fitting.output)]
    shape.sort(key=lambda each: (isinstance(each, Joined), not _is_used(each, fitting)))
    if beside:
        yield from sorted(shape, key=lambda each: not (isinstance(each, Joined) and _is_used(each, fitting)))
    for each in known:
        if each.name in own and not each.given:
            yield from _by_itself(present, each)
    varying = [each for each in known if each.given and (each.role not in SMALL or each.role == "stride")]
    varying.sort(key=lambda each: each.role == "stride")
    for each in varying:
        yield from _left_out(present, each)
    yield from shape
    for each in known:
        if each.name != "in_channels":
            yield from _alone(present, each)


def _is_used(found: Condition, fitting: Fitting) -> bool:
    """Whether a condition needs no new parameter. The full test is then preferred: it holds for more arguments."""
    return names_in(found) <= fitting.used.keys()


def _by_itself(present: Presence, known: KnownColumn) -> Iterator[Condition]:
    """A parameter of the part itself, which is 0 or None elsewhere: ``squeeze > 0``."""
    if None in known.column:
        if present == tuple([value is not None for value in known.column]):
            yield Relation("is not", Variable(known.name), None)
    elif _numbers(known) and present == tuple([value > 0 for value in known.column]):
        yield Relation(">", Variable(known.name), 0)


def _left_out(present: Presence, known: KnownColumn) -> Iterator[Condition]:
    """A value that leaves the part out: 0, 1 or None."""
    there = {value for value, is_there in zip(known.column, present, strict=True) if is_there}
    elsewhere = {value for value, is_there in zip(known.column, present, strict=True) if not is_there}
    if elsewhere <= {0, 1, None} and len(elsewhere) == 1:
        yield from _alone(present, known)
    elif there <= {0, 1} and len(there) == 1 and not there & elsewhere and all(type(each) is int for each in there):
        yield Relation("==", Variable(known.name), next(iter(there)))


def _alone(present: Presence, known: KnownColumn) -> Iterator[Condition]:
    """One parameter: ``expand != 1``."""
    column, variable = known.column, Variable(known.name)
    there = {value for value, is_there in zip(column, present, strict=True) if is_there}
    elsewhere = {value for value, is_there in zip(column, present, strict=True) if not is_there}
    if there & elsewhere or None in there or any(isinstance(value, bool) for value in column):
        return
    if elsewhere == {None}:
        yield Relation("is not", variable, None)
    elif len(elsewhere) == 1:
        value = next(iter(elsewhere))
        positive = value == 0 and _numbers(known) and min(there) > 0
        yield Relation(">" if positive else "!=", variable, value)
    elif len(there) == 1:
        yield Relation("==", variable, next(iter(there)))


def _of_widths(present: Presence, known: list[KnownColumn], output: Column) -> Iterator[Condition]:
    """The input's width compared with another: ``in_channels != 4 * channels``."""
    source = next((each for each in known if each.name == "in_channels"), None)
    if source is None:
        return
    for each, factor, column in _multiples(known, output):
        differs = tuple([a != b for a, b in zip(source.column, column, strict=True)])
        if differs == present:
            yield _against(each, factor, "!=")
        elif differs == tuple([not there for there in present]):
            yield _against(each, factor, "==")


def _with_stride(present: Presence, known: list[KnownColumn], output: Column) -> Iterator[Condition]:
    """The usual test for a projection: ``stride != 1 or in_channels != 4 * channels``; or its negation."""
    source = next((each for each in known if each.name == "in_channels"), None)
    if source is None:
        return
    for stride in [each for each in known if each.role == "stride" and _numbers(each)]:
        one = Variable(stride.name)
        for each, factor, column in _multiples(known, output):
            rows = zip(stride.column, source.column, column, strict=True)
            changes = tuple([step != 1 or a != b for step, a, b in rows])
            if changes == present:
                yield Joined("or", (Relation("!=", one, 1), _against(each, factor, "!=")))
            elif changes == tuple([not there for there in present]):
                yield Joined("and", (Relation("==", one, 1), _against(each, factor, "==")))


def _multiples(known: list[KnownColumn], output: Column) -> Iterator[tuple[KnownColumn, int, Column]]:
    """Widths, and multiples of widths that equal the output's width."""
    for factor in MULTIPLES:
        for each in known:
            if each.name == "in_channels" or each.role not in (None, "width") or not _numbers(each):
                continue
            column = tuple([factor * value for value in each.column])
            if factor == 1 or column == output:
                yield each, factor, column


def _against(known: KnownColumn, factor: int, operator: str) -> Relation:
    width = Variable(known.name) if factor == 1 else Formula("*", factor, Variable(known.name))
    return Relation("==" if operator == "==" else "!=", Variable("in_channels"), width)


def _numbers(known: KnownColumn) -> bool:
    return all(type(value) in (int, float) for value in known.column)
