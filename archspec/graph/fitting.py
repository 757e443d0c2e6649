"""Numbers that differ between the uses of a definition, expressed by its parameters.

If the values of a column differ, the column is a parameter that the spec names, or the smallest formula of parameters
that holds in all uses, or else a new parameter. A formula that fits by chance is worse than a new parameter, so few
formulas are tried for a column with few values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any

from archspec.graph.columns import (
    ABSENT,
    SMALL,
    WIDTHS,
    WORDS,
    Absent,
    Column,
    KnownColumn,
    Role,
    are_ints,
    equal,
    is_int,
    may_be,
    role_of,
    same,
)
from archspec.graph.formulas import Expression, Formula, Variable, names_in
from archspec.graph.guesses import column_of, of_kernels, of_widths


@dataclass(slots=True)
class Fitting:
    """The parameters of one definition under construction.

    ``known`` are the parameters that formulas may use, preferred ones first; ``let`` are the names of values that the
    spec computes. ``used`` has the names that formulas use, in order; ``formulas`` are those found so far, with their
    values. ``optional``: whether some blocks lack the definition; if so, it has the stride of its block.
    """

    known: list[KnownColumn]
    let: Mapping[str, Column]
    output: Column
    used: dict[str, None] = field(default_factory=dict)
    formulas: list[tuple[Formula, Column]] = field(default_factory=list)
    optional: bool = False

    def fit(self, column: Column, name: str, place: str = "", role: Role | None = None) -> Expression:
        """The expression of a column: a constant, a formula, or a new parameter.

        Args:
            column: the values.
            name: the name of the argument.
            place: the path of the part, for the name of a new parameter.
            role: the role of the argument, if it does not follow from the name.
        """
        role = role or role_of(name) or "other"
        found = self.find(column, role, name)
        if isinstance(found, Absent):
            found = self._shared(column, name)
        if isinstance(found, Absent):
            found = self._with_items(column, name, role, place)
        return self._invent(column, name, role, place) if isinstance(found, Absent) else found

    def find(self, column: Column, role: Role, name: str = "") -> Expression | Absent:
        """The same without a new parameter; ABSENT if there is no formula."""
        values = [value for value in column if value is not ABSENT]
        if not values:
            return None
        if all(map(same(values[0]), values)):
            of_block = ABSENT in column or (self.optional and role == "stride")
            found = self._exact(column, role, self._of_definition(role), name) if of_block else ABSENT
            if found is ABSENT and self.optional and _strided(values[0]):
                found = self._by_item(column, role)
            return values[0] if isinstance(found, Absent) else found
        given = [each for each in self.known if each.given]
        invented = [each for each in self.known if not each.given]
        found = self._exact(column, role, given, name)
        if found is ABSENT:
            found = self._by_item(column, role)
        if found is ABSENT:
            found = self._formula(column, role, given)
        if found is ABSENT and invented:
            found = self._exact(column, role, invented, name)
            if found is ABSENT:
                found = self._formula(column, role, self.known)
        return found

    def use(self, name: str) -> Variable:
        """The variable of a parameter, which is now used."""
        self.used.setdefault(name)
        return Variable(name)

    def flag(self, present: tuple[bool, ...], name: str) -> Variable:
        """A new parameter that is true where a part is present."""
        free = self._unique([name], "")
        self.known.append(KnownColumn(free, present, "other", False))
        return self.use(free)

    def _of_definition(self, role: Role) -> list[KnownColumn]:
        """The varying parameters of a role in the spec: an optional part has the width or stride of its definition."""
        of_block = self.optional and role == "stride"
        return [each for each in self.known if each.given and each.role == role and (each.varies or of_block)]

    def _exact(self, column: Column, role: Role, among: list[KnownColumn], name: str) -> Expression | Absent:
        fits = [each for each in among if may_be(each, role) and equal(each.column, column)]
        if not fits:
            return ABSENT
        reads = ABSENT in column and name.startswith("in_")
        known = min(fits, key=lambda each: (reads and not each.name.startswith("in_"), each.name not in self.used))
        if known.role is None and role != "other":
            known.role = role
        return self.use(known.name)

    def _by_item(self, column: Column, role: Role) -> Expression | Absent:
        """A tuple or a slice whose items have formulas: ``(1, stride, stride)``."""
        values = [value for value in column if value is not ABSENT]
        if all(isinstance(value, slice) for value in values):
            ends: tuple[tuple[Role, str], ...] = (("width", "start"), ("width", "stop"), ("stride", "step"))
            items = [self._end(column, role, attrgetter(end)) for role, end in ends]
            return ABSENT if ABSENT in items else slice(*items)
        length = max([len(value) for value in values if isinstance(value, tuple)], default=0)
        if not length or not all(len(v) == length if isinstance(v, tuple) else is_int(v) for v in values):
            return ABSENT
        whole = tuple([(value,) * length if is_int(value) else value for value in column])  # as torch reads it
        items = [self._item(whole, role, itemgetter(at)) for at in range(length)]
        return ABSENT if ABSENT in items else tuple(items)

    def _end(self, column: Column, role: Role, take: Callable[[Any], Any]) -> Any:
        """The expression of an end of a slice: what the spec names goes before an invented parameter."""
        own = tuple([value if value is ABSENT else take(value) for value in column])
        if len(set(own)) > 1:
            given = [each for each in self.known if each.given]
            for found in (self._exact(own, role, given, ""), self._multiple(own)):
                if found is not ABSENT:
                    return found
        return self._item(column, role, take)

    def _multiple(self, column: Column) -> Expression | Absent:
        """A multiple of a width that the spec names, as a slice of equal parts starts at: ``2 * part``."""
        for each in self.let.values() if are_ints(column) else ():
            if not are_ints(each) or len(set(each)) == 1 or each[0] <= 0 or column[0] < each[0]:
                continue
            times = column[0] // each[0]
            if all(value == times * width for value, width in zip(column, each, strict=True)):
                width = self.find(each, "width")
                if isinstance(width, Variable | Formula):
                    return width if times == 1 else Formula("*", times, width)
        return ABSENT

    def _with_items(self, column: Column, name: str, role: Role, place: str) -> Expression | Absent:
        """A tuple or a slice with a new parameter for the one item that has no formula, or for each end of a slice."""
        values = [value for value in column if value is not ABSENT]
        takes: list[tuple[str, Role, Callable[[Any], Any]]] = []
        if all(isinstance(value, slice) for value in values):
            takes = [(end, "width", attrgetter(end)) for end in ("start", "stop", "step")]
        elif all(isinstance(value, tuple) and len(value) == len(values[0]) for value in values):
            takes = [(name, role, itemgetter(at)) for at in range(len(values[0]))]
        before, items = dict(self.used), list[Any]()
        missing: dict[int, tuple[Column, str, Role]] = {}
        for word, purpose, take in takes:
            own = tuple([value if value is ABSENT else take(value) for value in column])
            item = self._end(column, purpose, take) if isinstance(values[0], slice) else self.find(own, purpose)
            if item is ABSENT:
                item = self._with_items(own, word, purpose, place)
            if item is ABSENT:
                missing[len(items)] = own, word, purpose
            items.append(item)
        most = 2 if isinstance(values[0], slice) else 1
        ints = all(value is ABSENT or is_int(value) for own, _, _ in missing.values() for value in own)
        if not takes or not ints or len({own for own, _, _ in missing.values()}) > most:
            self.used = before
            return ABSENT
        for at, (own, word, purpose) in missing.items():
            items[at] = self.fit(own, word, place, purpose)  # the second of two equal ones is the first
        return slice(*items) if isinstance(values[0], slice) else tuple(items)

    def _item(self, column: Column, role: Role, take: Callable[[Any], Any]) -> Any:
        return self.find(tuple([value if value is ABSENT else take(value) for value in column]), role)

    def _formula(self, column: Column, role: Role, among: list[KnownColumn]) -> Expression | Absent:
        if not all(value is ABSENT or is_int(value) for value in column):
            return ABSENT
        known = [each for each in among if are_ints(each.column) and each.varies]
        if role in ("width", "groups"):
            forms = of_widths(column, [each for each in known if each.role not in SMALL], role)
        elif role == "padding":
            forms = of_kernels(column, known)
        else:
            return ABSENT
        again = (formula for formula, other in self.formulas if equal(other, column))
        formula = next(chain(again, forms), None)
        if formula is None:
            return ABSENT
        names = names_in(formula)
        columns = {each.name: each.column for each in known if each.name in names}
        for name in sorted(names):
            self.use(name)
        if columns.keys() == names:
            self.formulas.append((formula, column_of(formula, columns)))
        return formula

    def _shared(self, column: Column, argument: str) -> Expression | Absent:
        """A parameter for the same argument of another part, if both agree wherever both parts are present."""
        for known in self.known:
            if known.argument != argument or ABSENT not in known.column:
                continue
            both = [(a, b) for a, b in zip(known.column, column, strict=True) if a is not ABSENT and b is not ABSENT]
            if both and all(same(a)(b) for a, b in both):
                pairs = zip(known.column, column, strict=True)
                known.column = tuple([b if a is ABSENT else a for a, b in pairs])
                return self.use(known.name)
        return ABSENT

    def _invent(self, column: Column, name: str, role: Role, place: str) -> Expression:
        values = [value for value in column if value is not ABSENT]
        filler = type(values[0])(0) if all(type(value) in (int, float) for value in values) else None
        named = [each for each, other in self.let.items() if equal(other, column)]
        if role == "width" and not named:
            named = ["out_channels"] if equal(self.output, column) else ["hidden"] if name in WIDTHS else []
        free = self._unique([*named, WORDS.get(name, name)], place)
        self.known.append(KnownColumn(free, column, role, False, name, filler))
        return self.use(free)

    def fill(self) -> None:
        """Give parameters a value in uses that lack the part that needs them."""
        for known in self.known:
            if ABSENT in known.column:
                known.column = tuple([known.filler if value is ABSENT else value for value in known.column])

    def _unique(self, names: Sequence[str], place: str) -> str:
        taken = {each.name for each in self.known}
        last = "_".join([part for part in place.split(".") if part.isidentifier()][-1:])
        wanted = [*names, *([f"{last}_{names[-1]}"] if last else [])]
        free = next((name for name in wanted if name not in taken), None)
        number = 2
        while free is None:
            name = f"{names[-1]}{number}"
            free, number = (name if name not in taken else None), number + 1
        return free


def _strided(value: object) -> bool:
    """Whether a value takes every n-th position, as ``[:, :, ::2, ::2]`` does."""
    items = value if isinstance(value, tuple) else (value,)
    return any(isinstance(each, slice) and each.step is not None for each in items)
