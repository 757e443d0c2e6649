"""Expressions as closures: for every form of the grammar, the function that computes it and refuses wrong values.

Kinds are compared by ``type(...)`` and not by ``isinstance``: a truth value is not a number here, and this is
the compiler's innermost loop.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

from archspec.language.expressions.values import (
    LIMIT,
    NUMBERS,
    SEVERAL,
    TRUTH_HELP,
    UNARY,
    ExpressionFault,
    Number,
    Value,
    number,
    out_of_bounds,
    undefined,
    wrong_kind,
)

Values = Mapping[str, Value]
ScaleWidth = Callable[[Number], Value]
"""What ``scaled`` does with a width."""

Run = Callable[[Values, ScaleWidth], Value]
Operand = tuple[Run, int, int]  # what it computes, and its place in the text
Check = Callable[[Value, Value], bool]

ARITHMETIC: dict[str, Callable[[Number, Number], Number]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
ORDER: dict[str, Callable[[Number, Number], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def read(name: str, start: int, end: int) -> Run:
    """A name, looked up when the expression is evaluated."""

    def run(values: Values, scale: ScaleWidth) -> Value:
        try:
            return values[name]
        except KeyError:
            raise undefined(name, start, end) from None

    return run


def arithmetic(symbol: str, left: Operand, right: Operand) -> Operand:
    """An operator between two numbers."""
    apply = ARITHMETIC[symbol]
    first, start, _ = left
    second, _, end = right

    def run(values: Values, scale: ScaleWidth) -> Value:
        a = first(values, scale)
        b = second(values, scale)
        if type(a) in NUMBERS and type(b) in NUMBERS:
            try:
                result = apply(a, b)  # type: ignore[arg-type]
            except (ZeroDivisionError, OverflowError) as error:
                raise _no_result(symbol, error, left, right) from None
            if -LIMIT <= result <= LIMIT:
                return result
            raise out_of_bounds(f"the result of `{symbol}`", result, start, end)
        raise _not_numbers(f"`{symbol}` takes numbers", a, b, left, right)

    return run, start, end


def _no_result(symbol: str, error: ArithmeticError, left: Operand, right: Operand) -> ExpressionFault:
    if isinstance(error, ZeroDivisionError):
        return ExpressionFault("E404", f"`{symbol}` divides by zero", right[1], right[2])
    return ExpressionFault("E405", f"the result of `{symbol}` is larger than 10^15", left[1], right[2])


def _not_numbers(wanted: str, a: Value, b: Value, left: Operand, right: Operand) -> ExpressionFault:
    value, (_, start, end) = (a, left) if type(a) not in NUMBERS else (b, right)
    return wrong_kind(value, wanted, start, end)


def signed(symbol: str, node: Operand, start: int) -> Operand:
    """A sign before a number; ``start`` is the sign's place."""
    inner, inner_start, end = node
    apply: Callable[[Number], Number] = operator.neg if symbol == "-" else operator.pos

    def run(values: Values, scale: ScaleWidth) -> Value:
        value = inner(values, scale)
        if type(value) not in NUMBERS:
            raise wrong_kind(value, f"`{symbol}` takes a number", inner_start, end)
        result = apply(value)  # type: ignore[arg-type]
        if -LIMIT <= result <= LIMIT:
            return result
        raise out_of_bounds(f"the result of `{symbol}`", result, start, end)

    return run, start, end


def negated(node: Operand, start: int) -> Operand:
    """``not``; ``start`` is its place."""
    inner, inner_start, end = node

    def run(values: Values, scale: ScaleWidth) -> Value:
        value = inner(values, scale)
        if value is True or value is False:
            return not value
        raise wrong_kind(value, "`not` takes a truth value", inner_start, end, TRUTH_HELP)

    return run, start, end


def junction(symbol: str, left: Operand, right: Operand) -> Operand:
    """``and`` or ``or``; the right side is evaluated only where it matters."""
    first, start, first_end = left
    second, second_start, end = right
    decisive = symbol == "or"

    def run(values: Values, scale: ScaleWidth) -> Value:
        value = first(values, scale)
        if value is decisive:
            return value
        if value is not True and value is not False:
            raise wrong_kind(value, f"`{symbol}` takes truth values", start, first_end, TRUTH_HELP)
        value = second(values, scale)
        if value is True or value is False:
            return value
        raise wrong_kind(value, f"`{symbol}` takes truth values", second_start, end, TRUTH_HELP)

    return run, start, end


def conditional(chosen: Operand, condition: Operand, other: Operand) -> Operand:
    """``chosen if condition else other``."""
    first, start, _ = chosen
    test, test_start, test_end = condition
    second, _, end = other

    def run(values: Values, scale: ScaleWidth) -> Value:
        value = test(values, scale)
        if value is True:
            return first(values, scale)
        if value is False:
            return second(values, scale)
        raise wrong_kind(value, "the condition of `if` must be a truth value", test_start, test_end, TRUTH_HELP)

    return run, start, end


def compared(first: Run, steps: list[tuple[Run, Check]]) -> Run:
    """A comparison, or a chain of them as in ``0 < a < b``."""
    second, only = steps[0]
    if len(steps) == 1:
        return lambda values, scale: only(first(values, scale), second(values, scale))

    def run(values: Values, scale: ScaleWidth) -> Value:
        a = first(values, scale)
        for right, check in steps:
            b = right(values, scale)
            if not check(a, b):
                return False
            a = b
        return True

    return run


def comparator(symbol: str, left: Operand, right: Operand) -> Check:
    """The check of one comparison."""
    return _ordered(symbol, left, right) if symbol in ORDER else _equal(symbol, left, right)


def _ordered(symbol: str, left: Operand, right: Operand) -> Check:
    """One of ``<``, ``<=``, ``>``, ``>=``, between numbers."""
    apply = ORDER[symbol]

    def check(a: Value, b: Value) -> bool:
        if type(a) in NUMBERS and type(b) in NUMBERS:
            return apply(a, b)  # type: ignore[arg-type]
        raise _not_numbers(f"`{symbol}` compares numbers", a, b, left, right)

    return check


def _equal(symbol: str, left: Operand, right: Operand) -> Check:
    """``==`` or ``!=``: values of different kinds differ, but a truth value beside a number is a slip."""
    wanted = symbol == "=="
    message = f"`{symbol}` compares a number with a number"

    def check(a: Value, b: Value) -> bool:
        if type(a) is bool and type(b) in NUMBERS:
            raise wrong_kind(a, message, left[1], left[2])
        if type(b) is bool and type(a) in NUMBERS:
            raise wrong_kind(b, message, right[1], right[2])
        return (a == b) is wanted

    return check


def called(name: str, argument: Operand) -> Run:
    """A function of one argument; the evaluation brings that of ``scaled``."""
    function = UNARY.get(name)
    inner, start, end = argument

    def run(values: Values, scale: ScaleWidth) -> Value:
        value = inner(values, scale)
        if type(value) in NUMBERS and -LIMIT <= value <= LIMIT:  # type: ignore[operator]
            try:
                return function(value) if function else number(scale(value))  # type: ignore[arg-type]
            except ExpressionFault as fault:
                raise fault.at(start, end) from None
        raise _refused(name, value, start, end)

    return run


def called_with(name: str, arguments: list[Operand], start: int, end: int) -> Run:
    """A function of several arguments."""
    function = SEVERAL[name]

    def run(values: Values, scale: ScaleWidth) -> Value:
        given = []
        for inner, inner_start, inner_end in arguments:
            value = inner(values, scale)
            if type(value) not in NUMBERS or not -LIMIT <= value <= LIMIT:  # type: ignore[operator]
                raise _refused(name, value, inner_start, inner_end)
            given.append(value)
        try:
            result = function(*given)
        except ExpressionFault as fault:  # about the divisor of `make_divisible`
            raise fault.at(inner_start, inner_end) from None
        if -LIMIT <= result <= LIMIT:
            return result
        raise out_of_bounds(f"the result of `{name}`", result, start, end)

    return run


def _refused(name: str, value: Value, start: int, end: int) -> ExpressionFault:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return out_of_bounds(f"the argument of `{name}`", value, start, end)
    return wrong_kind(value, f"`{name}` takes numbers", start, end)
