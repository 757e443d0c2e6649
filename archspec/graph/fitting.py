"""Numbers that differ between the uses of a definition, told by its parameters.

A column has the value of one number in each use, in order. Where the values differ, the column is a parameter that the
spec names, or the smallest formula of parameters that holds in all uses. What is left becomes a parameter of its own.
A formula that a few values fit by chance is worse than a parameter, so that few values allow few formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import Any, Final, Literal

from archspec.graph.formulas import Expression, Formula, Variable


class Absent:
    """The value of a number in a use that lacks its part."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = Absent()
Column = tuple[Any, ...]
"""A value for each use: a Constant, or ABSENT."""

Role = Literal["width", "size", "stride", "padding", "dilation", "groups", "other"]
"""What a number is for. A ``size`` is that of a kernel."""

ROLES: Mapping[str, Role] = {
    **dict.fromkeys(("in_channels", "out_channels", "in_features", "out_features"), "width"),
    **dict.fromkeys(("num_features", "num_channels", "normalized_shape", "channels", "hidden"), "width"),
    **dict.fromkeys(("kernel_size", "kernel"), "size"),
    **{name: name for name in ("stride", "padding", "dilation", "groups")},
    "num_groups": "groups",
}
"""Roles by the name of an argument, in torch or in a spec."""

SMALL: frozenset[Role] = frozenset({"size", "stride", "padding", "dilation"})
"""Roles that no width follows from."""
FACTORS = (2, 3, 4, 6, 8)
"""The factors that a person expects between widths; others need more than two values to be believed."""
MOST_FACTOR = 64


def role_of(name: str) -> Role | None:
    """The role of a number by its name; None where the name does not tell."""
    return ROLES.get(name)


@dataclass(slots=True)
class Known:
    """A parameter, or what may become one: ``given`` by the spec, or invented for an ``argument``.

    An invented one has any value in a use that lacks its part: that of another number, else ``filler``.
    """

    name: str
    column: Column
    role: Role | None
    given: bool
    argument: str = ""
    filler: Any = None


@dataclass(slots=True)
class Fitting:
    """The parameters of one definition while they are found.

    ``known`` are those that formulas may use, the preferred first; ``let`` are names for values that the spec computes.
    ``used`` has the names of those that a formula uses, in order.
    """

    known: list[Known]
    let: Mapping[str, Column]
    output: Column
    used: dict[str, None] = field(default_factory=dict)

    def fit(self, column: Column, name: str, place: str = "") -> Expression:
        """What gives a column: a constant, a formula, or a new parameter.

        Args:
            column: the values.
            name: of the argument, which tells its role.
            place: the path of the part, for the name of a new parameter.
        """
        role = role_of(name) or "other"
        found = self.find(column, role)
        if isinstance(found, Absent):
            found = self._shared(column, name)
        return self._invent(column, name, role, place) if isinstance(found, Absent) else found

    def find(self, column: Column, role: Role) -> Expression | Absent:
        """The same without a new parameter; ABSENT where there is no formula."""
        values = [value for value in column if value is not ABSENT]
        if not values:
            return None
        if all(map(_same(values[0]), values)):
            return values[0]  # type: ignore[no-any-return]
        for form in (self._exact, self._by_item, self._formula):
            found = form(column, role)
            if not isinstance(found, Absent):
                return found
        return ABSENT

    def use(self, name: str) -> Variable:
        """The variable of a parameter, which is used from now on."""
        self.used.setdefault(name)
        return Variable(name)

    def flag(self, present: tuple[bool, ...], name: str) -> Variable:
        """A parameter that is true where a part is there."""
        free = self._unique([name], "")
        self.known.append(Known(free, present, "other", False))
        return self.use(free)

    def _exact(self, column: Column, role: Role) -> Expression | Absent:
        fits = [each for each in self.known if _may_be(each, role) and _equal(each.column, column)]
        fits.sort(key=lambda each: each.name not in self.used)
        return self.use(fits[0].name) if fits else ABSENT

    def _by_item(self, column: Column, role: Role) -> Expression | Absent:
        """A tuple or a slice whose items have formulas: ``(1, stride, stride)``."""
        values = [value for value in column if value is not ABSENT]
        if all(isinstance(value, slice) for value in values):
            items = [self._item(column, role, attrgetter(end)) for end in ("start", "stop", "step")]
            return ABSENT if ABSENT in items else slice(*items)
        length = max([len(value) for value in values if isinstance(value, tuple)], default=0)
        if not length or not all(len(v) == length if isinstance(v, tuple) else _is_int(v) for v in values):
            return ABSENT
        whole = tuple([(value,) * length if _is_int(value) else value for value in column])  # as torch reads it
        items = [self._item(whole, role, itemgetter(at)) for at in range(length)]
        return ABSENT if ABSENT in items else tuple(items)

    def _item(self, column: Column, role: Role, take: Callable[[Any], Any]) -> Any:
        return self.find(tuple([value if value is ABSENT else take(value) for value in column]), role)

    def _formula(self, column: Column, role: Role) -> Expression | Absent:
        if not all(value is ABSENT or _is_int(value) for value in column):
            return ABSENT
        if role in ("width", "groups"):
            bases = [each for each in self.known if each.role not in SMALL and _are_ints(each.column)]
            forms: Iterator[tuple[Formula, tuple[Known, ...]]] = _of_widths(column, bases)
        elif role == "padding":
            forms = _of_kernels(column, [each for each in self.known if each.role == "size"])
        else:
            return ABSENT
        for formula, known in forms:
            for each in known:
                self.use(each.name)
            return formula
        return ABSENT

    def _shared(self, column: Column, argument: str) -> Expression | Absent:
        """A parameter for the same argument of another part, if both agree where both parts are there."""
        for known in self.known:
            if known.argument != argument or ABSENT not in known.column:
                continue
            both = [(a, b) for a, b in zip(known.column, column, strict=True) if a is not ABSENT and b is not ABSENT]
            if both and all(_same(a)(b) for a, b in both):
                pairs = zip(known.column, column, strict=True)
                known.column = tuple([b if a is ABSENT else a for a, b in pairs])
                return self.use(known.name)
        return ABSENT

    def _invent(self, column: Column, name: str, role: Role, place: str) -> Expression:
        values = [value for value in column if value is not ABSENT]
        filler = type(values[0])(0) if all(type(value) in (int, float) for value in values) else None
        named = [each for each, other in self.let.items() if _equal(other, column)]
        if role == "width" and not named:
            named = ["out_channels"] if _equal(self.output, column) else ["hidden"] if name in WIDTHS else []
        free = self._unique([*named, name], place)
        self.known.append(Known(free, column, role, False, name, filler))
        return self.use(free)

    def fill(self) -> None:
        """Give the parameters their values in uses that lack what they are for."""
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


WIDTHS = frozenset(name for name, role in ROLES.items() if role == "width")


def _is_int(value: object) -> bool:
    return type(value) is int


def _are_ints(column: Column) -> bool:
    return all(map(_is_int, column))


def _same(first: Any) -> Callable[[Any], bool]:
    """A test for values that are written alike: 1, 1.0 and True are not, and neither are 0.0 and -0.0."""
    kind, text = type(first), repr(first) if isinstance(first, float | tuple) else None
    return lambda value: type(value) is kind and value == first and (text is None or repr(value) == text)


def _equal(known: Column, column: Column) -> bool:
    """Whether a parameter has the values of a column wherever that has one."""
    return all(value is ABSENT or _same(value)(other) for value, other in zip(column, known, strict=True))


def _may_be(known: Known, role: Role) -> bool:
    """Whether a parameter may be a number of this role: a stride is not a width."""
    return known.role is None or known.role == role or not (known.role in SMALL or role in SMALL)


def _holds(column: Column, gives: Callable[..., int | None], *columns: Column) -> bool:
    return all(value is ABSENT or value == gives(*others) for value, *others in zip(column, *columns, strict=True))


def _of_widths(column: Column, bases: list[Known]) -> Iterator[tuple[Formula, tuple[Known, ...]]]:
    """Formulas of widths, the smallest first."""
    values = {value for value in column if value is not ABSENT}
    at = next(place for place, value in enumerate(column) if value is not ABSENT)
    target = column[at]
    for known in bases:
        base = known.column[at]
        if base <= 0 or target <= 0 or base == target:
            continue
        if target % base == 0:
            factor, formula = target // base, Formula("*", target // base, Variable(known.name))
            fits = _holds(column, lambda value, by=factor: by * value, known.column)
        else:
            factor, formula = base // target, Formula("//", Variable(known.name), base // target)
            fits = base % target == 0 and _holds(
                column, lambda value, by=factor: value // by if value % by == 0 else None, known.column
            )
        if fits and (factor in FACTORS or (len(values) > 2 and factor <= MOST_FACTOR)):
            yield formula, (known,)
    if len(values) <= 2:
        return
    for sign, gives in _OF_TWO.items():
        for one in bases:
            for other in bases:
                if one is not other and _holds(column, gives, one.column, other.column):
                    yield Formula(sign, Variable(one.name), Variable(other.name)), (one, other)


_OF_TWO: Mapping[Literal["+", "*", "//", "-"], Callable[[int, int], int | None]] = {
    "+": lambda one, other: one + other,
    "*": lambda one, other: one * other,
    "//": lambda one, other: one // other if other > 0 and one % other == 0 else None,
    "-": lambda one, other: one - other,
}


def _of_kernels(column: Column, kernels: list[Known]) -> Iterator[tuple[Formula, tuple[Known, ...]]]:
    """The padding that keeps the size, by the kernel."""
    for known in kernels:
        if _are_ints(known.column) and _holds(column, lambda kernel: (kernel - 1) // 2, known.column):
            yield Formula("//", Formula("-", Variable(known.name), 1), 2), (known,)
