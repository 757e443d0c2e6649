"""Rules for arithmetic of two values, of a value and a parameter, or of a value and a number."""

from __future__ import annotations

from typing import Any

import torch

from archspec.tracing.canonical_form import Recorder, Shape, State, Traced, Unknown
from archspec.tracing.layers import Rule, Tensor


def binary(operation: str) -> Rule:
    """The rule of an operation of two operands, either of which may be a number or a parameter."""

    def rule(b: Recorder, input: Any, other: Any, *, alpha: Any = 1, rounding_mode: str | None = None) -> Traced:
        further: dict[str, Any] = {}
        if alpha != 1:
            further["alpha"] = alpha
        if rounding_mode is not None:
            further["rounding_mode"] = rounding_mode
        if not isinstance(input, Traced | State) or not isinstance(other, Traced | State):
            return _with_number(b, operation, input, other, further)
        if isinstance(input, State) != isinstance(other, State):
            found = _with_parameter(b, operation, input, other, further)
            if found is not None:
                return found
        left, right = b.value(input), b.value(other)
        if left.axes != right.axes or further:
            left, right = b.plain(left), b.plain(right)
        named = operation if not further else f"{operation} ({', '.join(map(str, further))})"  # no longer commutative
        shape = tuple(torch.broadcast_shapes(left.shape, right.shape))
        return b.add(named, (left, right), shape, axes=left.axes if len(shape) == len(left.axes) else None, **further)

    return rule


def _with_number(b: Recorder, operation: str, input: Any, other: Any, further: dict[str, Any]) -> Traced:
    first = isinstance(input, Traced | State)
    tensor, number = (input, other) if first else (other, input)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise Unknown
    x = b.value(tensor)
    if not further and number == (1 if operation in ("mul", "div") else 0) and (first or operation in ("add", "mul")):
        return b.copied(x)
    attributes = {"number": float(number), **further}
    if not first and operation not in ("add", "mul"):
        attributes["reversed"] = True
    return b.add(f"{operation} a number", (x,), x.shape, axes=x.axes, **attributes)


def _with_parameter(
    b: Recorder, operation: str, input: Tensor, other: Tensor, further: dict[str, Any]
) -> Traced | None:
    """A value and a parameter that is broadcast over it, described by the axes along which it differs."""
    value, state = (input, other) if isinstance(other, State) else (other, input)
    assert isinstance(value, Traced)
    assert isinstance(state, State)
    if len(state.shape) > len(value.axes):
        return None
    seen = zip(value.axes[len(value.axes) - len(state.shape) :], state.shape, strict=True)
    long = [(axis, size) for axis, size in seen if size != 1]
    if long != sorted(long) or any(value.shape[axis] != size for axis, size in long):
        return None
    attributes: dict[str, Any] = {"along": tuple([axis for axis, _ in long]), **further}
    if state is input and operation not in ("add", "mul"):
        attributes["reversed"] = True
    shape: Shape = tuple([size for _, size in long])
    return b.add(
        f"{operation} a parameter",
        (value,),
        value.shape,
        axes=value.axes,
        state={"parameter": State(state.key, shape)},
        **attributes,
    )
