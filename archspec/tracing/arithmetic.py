"""Rules for arithmetic between two values, a value and a parameter, or a value and a number."""

from __future__ import annotations

import math
from typing import Any

import torch

from archspec.tracing.form_builder import FormBuilder, Operand, Rule, StateTensor, UnknownCall, Value
from archspec.tracing.joining import concat
from archspec.tracing.rearranging import unexpanded
from archspec.tracing.slicing import sliced


def binary(operation: str) -> Rule:
    """The rule for an operation with two operands, each of which may be a number or a parameter."""

    def rule(b: FormBuilder, input: Any, other: Any, *, alpha: Any = 1, rounding_mode: str | None = None) -> Value:
        further: dict[str, Any] = {"alpha": alpha} if alpha != 1 else {}
        further |= {"rounding_mode": rounding_mode} if rounding_mode is not None else {}
        if not isinstance(input, Operand) or not isinstance(other, Operand):
            return _with_number(b, operation, input, other, further)
        if isinstance(input, StateTensor) != isinstance(other, StateTensor):
            found = _with_parameter(b, operation, input, other, further)
            if found is not None:
                return found
        left, right = b.value(input), b.value(other)
        left = unexpanded(b, left, right)
        right = unexpanded(b, right, left)
        if left.axes != right.axes or further:
            left, right = b.plain(left), b.plain(right)
        named = operation if not further else f"{operation} ({', '.join(map(str, further))})"  # no longer commutative
        shape = tuple(torch.broadcast_shapes(left.shape, right.shape))
        return b.add(named, (left, right), shape, axes=left.axes if len(shape) == len(left.axes) else None, **further)

    return rule


def _with_number(b: FormBuilder, operation: str, input: Any, other: Any, further: dict[str, Any]) -> Value:
    first = isinstance(input, Operand)
    tensor, number = (input, other) if first else (other, input)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise UnknownCall
    x = b.value(tensor)
    if not further and number == (1 if operation in ("mul", "div") else 0) and (first or operation in ("add", "mul")):
        return b.copied(x)
    if operation == "div" and first and not further and abs(math.frexp(number)[0]) == 0.5:
        operation, number = "mul", 1 / number  # exact, because the number is a power of two
    attributes = {"number": float(number), **further}
    if not first and operation not in ("add", "mul"):
        attributes["reversed"] = True
    return b.add(f"{operation} a number", (x,), x.shape, axes=x.axes, **attributes)


def power(b: FormBuilder, input: Operand, exponent: Any) -> Value:
    x = b.value(input)
    if isinstance(exponent, bool) or not isinstance(exponent, int | float):
        raise UnknownCall
    return b.copied(x) if exponent == 1 else b.add("power", (x,), x.shape, axes=x.axes, exponent=float(exponent))


def by_channel(operation: str) -> Rule:
    """The rule for a number for each channel: as networks write it by hand, one channel at a time and then joined."""
    rule = binary(operation)

    def each(b: FormBuilder, input: Operand, by: tuple[float, ...]) -> Value:
        x = b.value(input)
        channels = [sliced(b, x, {1: slice(channel, channel + 1)}) for channel in range(x.shape[1])]
        return concat(b, [rule(b, channel, number) for channel, number in zip(channels, by, strict=True)], 1)

    return each


def _with_parameter(
    b: FormBuilder, operation: str, input: Operand, other: Operand, further: dict[str, Any]
) -> Value | None:
    """A parameter that is broadcast over a value: the step says along which axes it varies. None if it does not fit."""
    value, state = (input, other) if isinstance(other, StateTensor) else (other, input)
    assert isinstance(value, Value)
    assert isinstance(state, StateTensor)
    if len(state.shape) > len(value.axes):
        return None
    seen = zip(value.axes[len(value.axes) - len(state.shape) :], state.shape, strict=True)
    long = [(axis, size) for axis, size in seen if size != 1]
    if long != sorted(long) or any(value.shape[axis] != size for axis, size in long):
        return None
    attributes: dict[str, Any] = {"along": tuple([axis for axis, _ in long]), **further}
    if state is input and operation not in ("add", "mul"):
        attributes["reversed"] = True
    parameter = StateTensor(state.key, tuple([size for _, size in long]))
    varying = {"parameter": parameter}
    return b.add(f"{operation} a parameter", (value,), value.shape, axes=value.axes, state=varying, **attributes)
