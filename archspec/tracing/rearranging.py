"""Rules for calls that only move elements, and for the mean, which over all positions is global average pooling."""

from __future__ import annotations

import math
from typing import Any

from archspec.tracing.canonical_form import Shape
from archspec.tracing.form_builder import FormBuilder, Operand, StateTensor, UnknownCall, Value

EVERYTHING = (slice(None), slice(0, None), slice(None, None, 1), slice(0, None, 1))
"""Slices that take everything, whatever the size of the axis."""


def reshaped(b: FormBuilder, input: Operand, shape: Shape) -> Operand:
    """A value in another shape. Reshaping a reshaped value starts from the original."""
    if isinstance(input, StateTensor):
        if _long(input.shape) == _long(shape):
            return StateTensor(input.key, shape)
        input = b.value(input)
    if input.seen == shape:
        return input
    source = b.plain(input)
    step = b.steps[source.step]
    while step.operation == "reshape":
        number = step.inputs[0]
        step = b.steps[number]
        source = Value(number, step.shape, tuple(range(len(step.shape))), number)
    if source.shape == shape:
        return source
    return b.add("reshape", (source,), shape, shape=shape)


def _long(shape: Shape) -> list[int]:
    return [size for size in shape if size != 1]


def same(b: FormBuilder, input: Operand, *args: Any, **kwargs: Any) -> Operand:
    """A call that returns its input."""
    return input


def copy(b: FormBuilder, input: Operand, *args: Any, **kwargs: Any) -> Value:
    """A call that returns its input in a storage of its own."""
    return b.copied(b.value(input))


def reshape(b: FormBuilder, input: Operand, *args: Any, **kwargs: Any) -> Operand:
    """``flatten``, ``view``, ``squeeze`` and the like: the shape of the result says all."""
    return reshaped(b, input, b.shape)


def permute(b: FormBuilder, input: Operand, *dims: Any) -> Value:
    order = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
    return _ordered(b.value(input), [axis % len(order) for axis in order])


def transpose(b: FormBuilder, input: Operand, dim0: int, dim1: int) -> Value:
    x = b.value(input)
    order = list(range(len(x.axes)))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return _ordered(x, order)


def movedim(b: FormBuilder, input: Operand, source: Any, destination: Any) -> Value:
    x = b.value(input)
    if not isinstance(source, int) or not isinstance(destination, int):
        raise UnknownCall
    order = list(range(len(x.axes)))
    order.insert(destination % len(order), order.pop(source))
    return _ordered(x, order)


def _ordered(x: Value, order: list[int]) -> Value:
    return x._replace(axes=tuple([x.axes[axis] for axis in order]))


def channel_shuffle(b: FormBuilder, input: Operand, groups: int) -> Operand:
    """Expressed as the view, transposition and view that many networks write by hand."""
    x = b.plain(input)
    batch, channels, *size = x.shape
    parted = b.value(reshaped(b, x, (batch, groups, channels // groups, *size)))
    return reshaped(b, transpose(b, parted, 1, 2), x.shape)


def concat(b: FormBuilder, tensors: Any, dim: int = 0, axis: int | None = None) -> Value:
    """Nested concatenations are flattened: some networks collect features in one call, others one by one."""
    values = [b.value(tensor) for tensor in tensors]
    if len({value.axes for value in values}) != 1:
        values = [b.plain(value) for value in values]
    if len(values) == 1:
        return b.copied(values[0])
    axes = values[0].axes
    over = axes[dim if axis is None else axis]
    parts = []
    for value in values:
        step = b.steps[value.step]
        inside = step.operation == "concat" and step.attributes == (("axis", over),)
        numbers = step.inputs if inside else (value.step,)
        parts += [Value(number, b.steps[number].shape, axes, number) for number in numbers]
    total = sum(value.shape[over] for value in values)
    shape = tuple([total if place == over else size for place, size in enumerate(values[0].shape)])
    return b.add("concat", parts, shape, axes=axes, axis=over)


def pad(b: FormBuilder, input: Operand, pad: Any, mode: str = "constant", value: float | None = None) -> Value:
    """torch lists the padding from the last axis to the first."""
    x = b.value(input)
    added = {}
    shape = list(x.shape)
    for place, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        axis = x.axes[-1 - place]
        shape[axis] += before + after
        if before or after:
            added[axis] = (before, after)
    if not added:
        return b.copied(x)
    filled = float(value or 0) if mode == "constant" else 0.0
    return b.add("pad", (x,), tuple(shape), axes=x.axes, added=tuple(sorted(added.items())), mode=mode, filled=filled)


def chunk(b: FormBuilder, input: Operand, *args: Any, dim: int = 0, **kwargs: Any) -> tuple[Value, ...]:
    """``chunk`` and ``split``: slices along one axis, with the lengths of the parts that torch returned."""
    x = b.value(input)
    dim = args[1] if len(args) > 1 else dim
    parts, start = [], 0
    for part in b.result:
        stop = start + part.shape[dim]
        parts.append(sliced(b, x, {x.axes[dim]: slice(start, stop)}))
        start = stop
    return tuple(parts)


def narrow(b: FormBuilder, input: Operand, dim: int, start: int, length: int) -> Value:
    x = b.value(input)
    return sliced(b, x, {x.axes[dim]: slice(start, start + length)})


def item(b: FormBuilder, input: Any, index: Any) -> Any:
    """Indexing: a slice of a value, or one result of a call that returns several."""
    if not isinstance(input, Operand):
        return input[index]
    wanted = list(index) if isinstance(index, tuple) else [index]
    if isinstance(input, StateTensor) and all(
        part is None or part is Ellipsis or part == slice(None) for part in wanted
    ):
        return reshaped(b, input, b.shape)
    x = b.value(input)
    if not all(part is None or part is Ellipsis or type(part) in (int, slice) for part in wanted):
        raise UnknownCall
    missing = len(x.axes) - sum(part is not None and part is not Ellipsis for part in wanted)
    if Ellipsis not in wanted:
        wanted.append(Ellipsis)
    place = wanted.index(Ellipsis)
    wanted[place : place + 1] = [slice(None)] * missing
    ranges: dict[int, slice] = {}
    axes = iter(x.axes)
    for part in wanted:
        if part is not None:
            axis = next(axes)
            start = part % x.shape[axis] if isinstance(part, int) else 0
            ranges[axis] = slice(start, start + 1) if isinstance(part, int) else part
    return b.value(reshaped(b, sliced(b, x, ranges), b.shape))


def sliced(b: FormBuilder, x: Value, ranges: dict[int, slice]) -> Value:
    """A slice of a value, by the form's axes. A slice that takes everything adds no step.

    A batch may have any size, so only a slice without numbers takes all of it.
    """
    taken = {}
    shape = list(x.shape)
    for axis, part in ranges.items():
        start, stop, step = part.indices(shape[axis])
        length = len(range(start, stop, step))
        if length != shape[axis] or (axis == 0 and part not in EVERYTHING):
            taken[axis] = (start, start + (length - 1) * step + 1, step if length > 1 else 1)
            shape[axis] = length
    if not taken:
        return x
    return b.add("slice", (x,), tuple(shape), axes=x.axes, taken=tuple(sorted(taken.items())))


def mean(b: FormBuilder, input: Operand, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Value:
    x = b.value(input)
    if dtype is not None or dim is None:
        raise UnknownCall
    over = tuple(sorted(x.axes[axis] for axis in ((dim,) if isinstance(dim, int) else dim)))
    shape = tuple([1 if axis in over else size for axis, size in enumerate(x.shape)])
    if over == tuple(range(2, len(shape))):
        pooled = b.add("adaptive_avg_pool", (x,), shape, axes=x.axes, output=(1,) * len(over))
    else:
        pooled = b.add("mean", (x,), shape, axes=x.axes, over=over)
    if keepdim:
        return pooled
    kept = [axis for axis in x.axes if axis not in over]
    if kept != sorted(kept):
        return b.value(reshaped(b, pooled, b.shape))
    straight = pooled._replace(axes=tuple(range(len(shape))))
    return b.value(reshaped(b, straight, tuple([size for axis, size in enumerate(shape) if axis not in over])))


def expand(b: FormBuilder, input: Operand, *sizes: Any) -> Value:
    """Only an expansion that repeats nothing has a rule."""
    x = b.value(input)
    if math.prod(b.result.shape) != math.prod(x.shape):
        raise UnknownCall
    return b.value(reshaped(b, x, b.shape))
