"""The language's expressions, evaluated over Python's syntax tree, and text where a word is expected."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from tests.interpreter.reading import Refused

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ACTIVATIONS = (
    *("relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish", "hardswish"),
    *("hardsigmoid", "hardtanh", "sigmoid", "log_sigmoid", "tanh", "softplus", "softmax"),
)
ORDERS = ("post", "norm-after-add", "act-before-add", "act-only-pre", "pre")
NORMS = ("batch", "group", "layer", "instance", "rms", "grn", "local_response", "frozen")
WORDS = {
    *ACTIVATIONS,
    "glu",
    *ORDERS,
    "batch",
    "group",
    "layer",
    "instance",
    "rms",
    "grn",
    "local_response",
    "frozen",
    "none",
    "max",
    "avg",
    "end",
    "both",
    "channel",
    "whole",
}

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def make_divisible(value: float, divisor: int = 8) -> int:
    """The multiple of the divisor nearest to a width, never more than a tenth below it."""
    found = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return found + divisor if found < 0.9 * value else found


def scaled_width(value: float, width: float, divisor: int) -> int:
    """A width under a spec's scale."""
    if value < 1:
        raise Refused("a width must be at least 1")
    return make_divisible(value * width, divisor)


class Names:
    """The names that an expression can read, with ``let`` computed when it is read."""

    def __init__(self, values: Mapping[str, Any], scaled: Callable[[float], Any], let: Mapping[str, Any] | None = None):
        self.let = dict(let or {})
        self.values = {name: value for name, value in values.items() if name not in self.let}
        self.scaled = scaled
        self._computing: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self.values or name in self.let

    def __getitem__(self, name: str) -> Any:
        if name in self.values:
            return self.values[name]
        if name not in self.let:
            raise Refused(f"`{name}` is not known here")
        if name in self._computing:
            raise Refused(f"`{name}` is circular")
        self._computing.append(name)
        value = self.let[name]
        self.values[name] = evaluate(value, self) if isinstance(value, str) else value
        self._computing.pop()
        return self.values[name]

    def with_(self, **values: Any) -> Names:
        """These names and more."""
        return Names({**self.values, **values}, self.scaled, self.let)


def evaluate(text: str, names: Names) -> Any:
    """The value of an expression."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise Refused(f"`{text}` is not an expression") from error
    return _value(tree, names)


def _value(node: ast.expr, names: Names) -> Any:
    match node:
        case ast.Constant(value=bool() | None):
            raise Refused("Python's truth values are not the language's")
        case ast.Constant(value=int() | float() | str() as value):
            return value
        case ast.Name(id="true" | "false" as word):
            return word == "true"
        case ast.Name(id=name):
            return names[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return _arithmetic(_ARITHMETIC[type(op)], _number(left, names), _number(right, names))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(operand, names)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _truth(operand, names)
        case ast.BoolOp(op=op, values=values):
            return (all if isinstance(op, ast.And) else any)(_truth(value, names) for value in values)
        case ast.Compare(left=left, ops=ops, comparators=others):
            return _compare(_value(left, names), ops, others, names)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _truth(test, names) else orelse, names)
        case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
            return _call(function, [_number(argument, names) for argument in arguments], names)
    raise Refused(f"an expression cannot contain {type(node).__name__}")


def _compare(left: Any, ops: list[ast.cmpop], others: list[ast.expr], names: Names) -> bool:
    for op, other in zip(ops, others, strict=True):
        right = _value(other, names)
        compare = _COMPARISONS.get(type(op))
        if compare is None or isinstance(left, str) != isinstance(right, str):
            raise Refused("these cannot be compared")
        if not compare(left, right):
            return False
        left = right
    return True


def _number(node: ast.expr, names: Names) -> int | float:
    value = _value(node, names)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"{value!r} is not a number")
    return value


def _truth(node: ast.expr, names: Names) -> bool:
    value = _value(node, names)
    if not isinstance(value, bool):
        raise Refused(f"{value!r} is not a truth value")
    return value


def _arithmetic(function: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    try:
        return function(left, right)
    except (ZeroDivisionError, OverflowError) as error:
        raise Refused("arithmetic") from error


def _call(function: str, arguments: list[Any], names: Names) -> Any:
    functions: dict[str, Callable[..., Any]] = {
        "int": int,
        "round": round,
        "floor": math.floor,
        "ceil": math.ceil,
        "min": min,
        "max": max,
        "abs": abs,
        "sqrt": math.sqrt,
        "make_divisible": make_divisible,
        "scaled": names.scaled,
        "letter": lambda i: "abcdefghijklmnopqrstuvwxyz"[i],
    }
    if function not in functions:
        raise Refused(f"`{function}` is not a function")
    try:
        return functions[function](*arguments)
    except (TypeError, ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
        raise Refused(f"{function}{tuple(arguments)}") from error


# -- where a certain kind of value is expected -------------------------------------------------------------------------


def number(value: Any, names: Names) -> int | float:
    """A number, or an expression that gives one."""
    found = evaluate(value, names) if isinstance(value, str) else value
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise Refused(f"{found!r} is not a number")
    return found


def integer(value: Any, names: Names) -> int:
    """A whole number."""
    found = number(value, names)
    if found != int(found):
        raise Refused(f"{found} is not whole")
    return int(found)


def truth(value: Any, names: Names) -> bool:
    """A truth value."""
    found = evaluate(value, names) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise Refused(f"{found!r} is not a truth value")
    return found


def word(value: Any, names: Names, known: Collection[str] = ()) -> str:
    """A word: the text itself, a name's value, or an expression that gives a word. ``known`` are words of the place."""
    found = value if isinstance(value, str) and value in known and value not in names else anything(value, names)
    if not isinstance(found, str):
        raise Refused(f"{found!r} is not a word")
    return found


def anything(value: Any, names: Names) -> Any:
    """The value of an argument of a block or fragment: a number, a truth value, a word, or an expression."""
    if not isinstance(value, str):
        return value
    if value in WORDS:
        return value
    plain = IDENTIFIER.fullmatch(value) and value not in names and value not in ("true", "false")
    return value if plain else evaluate(value, names)


def template(text: str, names: Names) -> str:
    """A template of a name, with its expressions in braces filled in."""
    return re.sub(r"\{([^{}]*)\}", lambda found: _part(evaluate(found[1], names)), text)


def _part(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value == int(value) else str(value)
