"""Rules for calls that only move elements, and for the mean, which over all positions is global average pooling."""

from __future__ import annotations

import math
from typing import Any

import torch

from archspec.tracing.canonical_form import Shape
from archspec.tracing.form_builder import FormBuilder, Operand, StateTensor, UnknownCall, Value


def reshaped(b: FormBuilder, input: Operand, shape: Shape) -> Operand:
    """A value or a parameter in another shape."""
    if isinstance(input, StateTensor):
        if _long(input.shape) == _long(shape):
            return StateTensor(input.key, shape)
        input = b.value(input)
    if input.seen == shape:
        return input
    return b.viewed(b.plain(input), shape)


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


def permuted_copy(b: FormBuilder, input: Operand, dims: Any) -> Value:
    return b.copied(permute(b, input, dims))


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


def mean(b: FormBuilder, input: Operand, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Value:
    if dtype is not None or dim is None:
        raise UnknownCall
    return _reduced(b, input, dim, keepdim, "mean", "adaptive_avg_pool")


def amax(b: FormBuilder, input: Operand, dim: Any = (), keepdim: bool = False) -> Value:
    return _reduced(b, input, dim, keepdim, "max", "adaptive_max_pool")


def _reduced(b: FormBuilder, input: Operand, dim: Any, keepdim: bool, operation: str, pool: str) -> Value:
    """A reduction over some axes; over all positions it is what a global pool computes."""
    x = b.value(input)
    if dim == ():
        raise UnknownCall
    over = tuple(sorted(x.axes[axis] for axis in ((dim,) if isinstance(dim, int) else dim)))
    shape = tuple([1 if axis in over else size for axis, size in enumerate(x.shape)])
    if over == tuple(range(2, len(shape))):
        pooled = b.add(pool, (x,), shape, axes=x.axes, output=(1,) * len(over))
    else:
        pooled = b.add(operation, (x,), shape, axes=x.axes, over=over)
    if keepdim:
        return pooled
    kept = [axis for axis in x.axes if axis not in over]
    if kept != sorted(kept):
        return b.value(reshaped(b, pooled, b.shape))
    straight = pooled._replace(axes=tuple(range(len(shape))))
    return b.value(reshaped(b, straight, tuple([size for axis, size in enumerate(shape) if axis not in over])))


def expand(b: FormBuilder, input: Operand, *sizes: Any) -> Value:
    """``expand`` and ``expand_as``: the shape of the result says all. One that repeats nothing adds no step."""
    x, wanted = b.value(input), b.shape
    if math.prod(wanted) == math.prod(x.shape):
        return b.value(reshaped(b, x, wanted))
    if len(wanted) != len(x.axes):
        raise UnknownCall
    sizes_of = dict(zip(x.axes, wanted, strict=True))
    shape = tuple([sizes_of[axis] for axis in range(len(wanted))])
    return b.add("expand", (x,), shape, axes=x.axes, shape=shape)


def unexpanded(b: FormBuilder, value: Value, other: Value) -> Value:
    """What was expanded, if arithmetic with the other operand repeats it anyway."""
    step = b.steps[value.step]
    if step.operation != "expand":
        return value
    source = value._replace(step=step.inputs[0], shape=b.steps[step.inputs[0]].shape)
    repeated = torch.broadcast_shapes(source.seen, other.seen) == torch.broadcast_shapes(value.seen, other.seen)
    return source if repeated else value
