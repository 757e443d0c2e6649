"""The numbers of a definition in columns: a value for each use."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal


class Absent:
    """The value of a number in a use that lacks its part."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = Absent()
Column = tuple[Any, ...]
"""A value for each use: a Constant, or ABSENT."""

Role = Literal["width", "size", "stride", "padding", "dilation", "groups", "other"]
"""The purpose of a number. A ``size`` is the size of a kernel."""

ROLES: Mapping[str, Role] = {
    **dict.fromkeys(("in_channels", "out_channels", "in_features", "out_features"), "width"),
    **dict.fromkeys(("num_features", "num_channels", "normalized_shape", "channels", "hidden"), "width"),
    **dict.fromkeys(("kernel_size", "kernel"), "size"),
    **{name: name for name in ("stride", "padding", "dilation", "groups")},
    "num_groups": "groups",
}
"""Roles by the name of an argument, in torch or in a spec."""

WORDS: Mapping[str, str] = {"kernel_size": "kernel"}
"""The names of parameters for arguments of torch that have another name in specs."""

SMALL: frozenset[Role] = frozenset({"size", "stride", "padding", "dilation"})
"""Roles from which no width follows."""


UNSAFE = frozenset({"self", "x", "i", "torch", "nn", "F", "in_channels", "in_features"})
"""Names that parameters of the spec cannot have in a definition, in addition to those of Python."""


def safe(name: str) -> str:
    """The name that a parameter of the spec has in a definition.

    >>> safe("growth"), safe("lambda"), safe("x")
    ('growth', 'lambda_', 'x_')
    """
    return f"{name}_" if name in UNSAFE or keyword.iskeyword(name) or hasattr(builtins, name) else name


def role_of(name: str) -> Role | None:
    """The role of a number by its name; None if the name does not determine it."""
    return ROLES.get(name)


@dataclass(slots=True)
class KnownColumn:
    """A parameter or a candidate for one: ``given`` by the spec, or invented for an ``argument``.

    In a use that lacks its part, an invented parameter may have any value: that of another number, or ``filler``.
    """

    name: str
    column: Column
    role: Role | None
    given: bool
    argument: str = ""
    filler: Any = None

    @property
    def varies(self) -> bool:
        """Whether its values differ."""
        return any(value != self.column[0] for value in self.column)


WIDTHS = frozenset(name for name, role in ROLES.items() if role == "width")


def is_int(value: object) -> bool:
    return type(value) is int


def are_ints(column: Column) -> bool:
    return all(map(is_int, column))


def same(first: Any) -> Callable[[Any], bool]:
    """A test for values that are written alike: 1, 1.0 and True are not, and neither are 0.0 and -0.0."""
    kind, text = type(first), repr(first) if isinstance(first, float | tuple) else None
    return lambda value: type(value) is kind and value == first and (text is None or repr(value) == text)


def equal(known: Column, column: Column) -> bool:
    """Whether a parameter has the value of a column wherever the column has one."""
    return all(
        value is ABSENT or value is other or same(value)(other) for value, other in zip(column, known, strict=True)
    )


def may_be(known: KnownColumn, role: Role) -> bool:
    """Whether a parameter may be a number of this role: a stride is not a width."""
    if known.role is None or known.role == role or (known.role, role) == ("dilation", "padding"):
        return True
    return not (known.role in SMALL or role in SMALL)
