"""When an optional part is there, told by the parameters of its definition."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.graph.fitting import Fitting, Known
from archspec.graph.formulas import Condition, Formula, Joined, Relation, Variable, names_in

Presence = tuple[bool, ...]
"""Whether each use has a part."""
MULTIPLES = (1, 2, 3, 4, 6, 8)
"""The factors that a person expects between a block's width and its output."""


def condition(present: Presence, fitting: Fitting, own: frozenset[str], name: str) -> Condition:
    """What is true where a part is there.

    Args:
        present: where it is.
        fitting: the parameters; a new one is the last resort.
        own: the names of parameters that only this part reads.
        name: for a new parameter, which is true or false.
    """
    for found in _candidates(present, fitting, own):
        for each in sorted(names_in(found)):
            fitting.use(each)
        return found
    return fitting.flag(present, name)


def _candidates(present: Presence, fitting: Fitting, own: frozenset[str]) -> Iterator[Condition]:
    """Conditions that hold, the preferred first."""
    known = sorted(fitting.known, key=lambda each: each.name not in fitting.used)
    for each in known:
        if each.name in own and not each.given:
            yield from _by_itself(present, each)
    widths = list(_of_widths(present, known))
    yield from (found for found, used in widths if used <= fitting.used.keys())
    alone = [(each, found) for each in known if each.name != "in_channels" for found in _alone(present, each)]
    yield from (found for each, found in alone if each.name in fitting.used)
    yield from (found for found, _ in widths)
    yield from (found for _, found in alone)
    yield from _with_stride(present, known)


def _by_itself(present: Presence, known: Known) -> Iterator[Condition]:
    """A parameter of the part itself, which is 0 or None elsewhere: ``squeeze > 0``."""
    if None in known.column:
        if present == tuple([value is not None for value in known.column]):
            yield Relation("is not", Variable(known.name), None)
    elif _numbers(known) and present == tuple([value > 0 for value in known.column]):
        yield Relation(">", Variable(known.name), 0)


def _alone(present: Presence, known: Known) -> Iterator[Condition]:
    """One parameter: ``expand != 1``."""
    column, variable = known.column, Variable(known.name)
    if all(isinstance(value, bool) for value in column):
        if present == column:
            yield variable
        return
    there = {value for value, is_there in zip(column, present, strict=True) if is_there}
    elsewhere = {value for value, is_there in zip(column, present, strict=True) if not is_there}
    if there & elsewhere:
        return
    if elsewhere == {None}:
        yield Relation("is not", variable, None)
    elif len(elsewhere) == 1:
        value = next(iter(elsewhere))
        positive = value == 0 and _numbers(known) and min(there) > 0
        yield Relation(">" if positive else "!=", variable, value)
    elif len(there) == 1:
        yield Relation("==", variable, next(iter(there)))


def _of_widths(present: Presence, known: list[Known]) -> Iterator[tuple[Condition, frozenset[str]]]:
    """The input's width compared with another: ``in_channels != 4 * channels``."""
    source = next((each for each in known if each.name == "in_channels"), None)
    if source is None:
        return
    for each, factor, column in _multiples(known):
        differs = tuple([a != b for a, b in zip(source.column, column, strict=True)])
        if differs == present:
            yield _against(each, factor, "!="), frozenset({"in_channels", each.name})
        elif differs == tuple([not there for there in present]):
            yield _against(each, factor, "=="), frozenset({"in_channels", each.name})


def _with_stride(present: Presence, known: list[Known]) -> Iterator[Condition]:
    """The usual test for a projection: ``stride != 1 or in_channels != 4 * channels``; or its contrary."""
    source = next((each for each in known if each.name == "in_channels"), None)
    for stride in [each for each in known if each.role == "stride" and _numbers(each)]:
        for each, factor, column in _multiples(known) if source else ():
            rows = zip(stride.column, source.column, column, strict=True) if source else ()
            changes = tuple([step != 1 or a != b for step, a, b in rows])
            one = Variable(stride.name)
            if changes == present:
                yield Joined("or", (Relation("!=", one, 1), _against(each, factor, "!=")))
            elif changes == tuple([not there for there in present]):
                yield Joined("and", (Relation("==", one, 1), _against(each, factor, "==")))


def _multiples(known: list[Known]) -> Iterator[tuple[Known, int, tuple[int, ...]]]:
    for factor in MULTIPLES:
        for each in known:
            if each.name != "in_channels" and each.role in (None, "width") and _numbers(each):
                yield each, factor, tuple([factor * value for value in each.column])


def _against(known: Known, factor: int, operator: str) -> Relation:
    width = Variable(known.name) if factor == 1 else Formula("*", factor, Variable(known.name))
    return Relation("==" if operator == "==" else "!=", Variable("in_channels"), width)


def _numbers(known: Known) -> bool:
    return all(type(value) in (int, float) for value in known.column)
