"""Numbers that differ between the uses of a definition, as a person would write them: names, formulas, conditions."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Variable:
    """A parameter of the definition around it, or ``i``, the index in a run."""

    name: str


@dataclass(frozen=True, slots=True)
class Class:
    """A class as the value of a parameter, by its qualified name, such as ``torch.nn.ReLU``."""

    target: str


@dataclass(frozen=True, slots=True)
class Formula:
    """Arithmetic with two operands. ``[]`` takes an item of a tuple, for a run whose values have no formula."""

    operator: Literal["+", "-", "*", "/", "//", "[]"]
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation of two values. ``is not`` is only for None."""

    operator: Literal["==", "!=", ">", "is not"]
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Joined:
    """Several conditions: ``stride != 1 or in_channels != 4 * channels``."""

    word: Literal["and", "or"]
    conditions: tuple[Condition, ...]


Constant: TypeAlias = int | float | str | bool | Class | slice | tuple["Expression", ...] | None
"""The items of a tuple or a slice are expressions; after evaluation, they are values."""
Expression: TypeAlias = Variable | Formula | Constant
Condition: TypeAlias = Variable | Relation | Joined
"""A variable alone is a parameter that is true or false."""

_APPLY: Mapping[str, Callable[..., Constant]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "[]": operator.getitem,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "is not": operator.is_not,
}
_BINDS = {"or": 1, "and": 2, "==": 3, "!=": 3, ">": 3, "is not": 3, "+": 4, "-": 4, "*": 5, "/": 5, "//": 5, "[]": 6}


def evaluate(expression: Expression | Condition, arguments: Mapping[str, Constant]) -> Constant:
    """The value of an expression or a condition.

    Args:
        arguments: the values of the names in it.

    >>> evaluate(Formula("*", 4, Variable("channels")), {"channels": 64})
    256
    >>> evaluate(Relation("!=", Variable("stride"), 1), {"stride": 2})
    True
    """
    if isinstance(expression, Variable):
        return arguments[expression.name]
    if isinstance(expression, Formula | Relation):
        left, right = evaluate(expression.left, arguments), evaluate(expression.right, arguments)
        return _APPLY[expression.operator](left, right)
    if isinstance(expression, Joined):
        among = any if expression.word == "or" else all
        return among(bool(evaluate(each, arguments)) for each in expression.conditions)
    if isinstance(expression, tuple):
        return tuple([evaluate(item, arguments) for item in expression])
    if isinstance(expression, slice):
        return slice(*[evaluate(each, arguments) for each in (expression.start, expression.stop, expression.step)])
    return expression


def names_in(expression: Expression | Condition) -> frozenset[str]:
    """The names that an expression or a condition reads.

    >>> sorted(names_in(Joined("or", (Relation("!=", Variable("stride"), 1), Variable("project")))))
    ['project', 'stride']
    """
    if isinstance(expression, Variable):
        return frozenset((expression.name,))
    if isinstance(expression, Formula | Relation):
        return names_in(expression.left) | names_in(expression.right)
    inside: tuple[Expression | Condition, ...] = ()
    if isinstance(expression, Joined):
        inside = expression.conditions
    elif isinstance(expression, tuple):
        inside = expression
    elif isinstance(expression, slice):
        inside = (expression.start, expression.stop, expression.step)
    return frozenset().union(*map(names_in, inside))


def show(expression: Expression | Condition) -> str:
    """An expression or a condition as Python text.

    >>> show(Formula("//", Formula("-", Variable("kernel"), 1), 2))
    '(kernel - 1) // 2'
    >>> show(Joined("or", (Relation("!=", Variable("stride"), 1), Relation("is not", Class("torch.nn.ReLU"), None))))
    'stride != 1 or nn.ReLU is not None'
    """
    return _show(expression, 0)


def _show(expression: Expression | Condition, around: int) -> str:
    if isinstance(expression, Variable):
        return expression.name
    if isinstance(expression, Class):
        module, _, name = expression.target.rpartition(".")
        return f"nn.{name}" if module == "torch.nn" else name
    if isinstance(expression, tuple):
        items = [_show(item, 0) for item in expression]
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    if isinstance(expression, slice):
        parts = (expression.start, expression.stop, expression.step)
        return f"slice({', '.join([_show(part, 0) for part in parts])})"
    if not isinstance(expression, Formula | Relation | Joined):
        return repr(expression)
    if isinstance(expression, Joined):
        binds = _BINDS[expression.word]
        text = f" {expression.word} ".join([_show(each, binds + 1) for each in expression.conditions])
    else:
        binds = _BINDS[expression.operator]
        left, right = _show(expression.left, binds), _show(expression.right, binds + 1)
        if expression.operator == "[]":
            return f"{left}[{_show(expression.right, 0)}]"
        text = f"{left} {expression.operator} {right}"
    return f"({text})" if binds < around else text
