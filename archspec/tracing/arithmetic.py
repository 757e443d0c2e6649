"""Rules for arithmetic between two values, a value and a parameter, or a value and a number."""

from __future__ import annotations

import math
from typing import Any

import torch

from archspec.tracing.form_builder import FormBuilder, Operand, Rule, StateTensor, UnknownCall, Value
from archspec.tracing.joining import concat
from archspec.tracing.rearranging import reshaped, unexpanded
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


BINARY_ADD, BINARY_MUL = binary("add"), binary("mul")


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
    attributes = {"number": float(f"{number:.12g}"), **further}  # networks compute it in different orders
    if not first and operation not in ("add", "mul"):
        attributes["reversed"] = True
    return b.add(f"{operation} a number", (x,), x.shape, axes=x.axes, **attributes)


def power(b: FormBuilder, input: Operand, exponent: Any) -> Value:
    x = b.value(input)
    if isinstance(exponent, bool) or not isinstance(exponent, int | float):
        raise UnknownCall
    return b.copied(x) if exponent == 1 else b.add("power", (x,), x.shape, axes=x.axes, exponent=float(exponent))


def total(b: FormBuilder, input: Operand, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Value:
    """A sum over a short axis, such as the branches of a stack, is an addition of its parts.

    A sum of products adds the products of the parts.
    """
    x = b.value(input)
    (place,) = (dim,) if isinstance(dim, int) else dim
    axis = x.axes[place]
    if dtype is not None or not axis or x.shape[axis] > _FEW or not x.straight:
        raise UnknownCall
    step = b.steps[x.step]
    factors = [x]
    if step.operation == "mul" and not step.attributes and not step.state:
        factors = [Value(number, b.steps[number].shape, x.axes, x.storage) for number in step.inputs]
        if any(len(factor.shape) != len(x.shape) for factor in factors):
            factors = [x]
    found = None
    for number in range(x.shape[axis]):
        parts = [_part(b, factor, axis, number) for factor in factors]
        part = parts[0] if len(parts) == 1 else BINARY_MUL(b, *parts)
        found = part if found is None else BINARY_ADD(b, found, part)
    assert found is not None
    return b.value(reshaped(b, found, b.shape))


_FEW = 16
"""The longest axis over which a sum is written as additions."""


def _part(b: FormBuilder, x: Value, axis: int, number: int) -> Value:
    """One position of an axis, without the axis. An axis of length 1 is repeated."""
    part = x if x.shape[axis] == 1 else sliced(b, x, {axis: slice(number, number + 1)})
    return b.value(reshaped(b, part, (*part.shape[:axis], *part.shape[axis + 1 :])))


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
