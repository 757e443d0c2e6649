"""Rules for calls that take parts of a value.

A slice has one form, however a network writes it. A slice of a slice is one slice, and a slice of a concatenation is
the concatenation of its parts' slices.
"""

from __future__ import annotations

import math
from typing import Any

from archspec.tracing.form_builder import FormBuilder, Operand, StateTensor, UnknownCall, Value
from archspec.tracing.joining import Range, cut, joined, of_step
from archspec.tracing.rearranging import reshaped

EVERYTHING = (slice(None), slice(0, None), slice(None, None, 1), slice(0, None, 1))
"""Slices that take everything, whatever the size of the axis."""


def chunk(b: FormBuilder, input: Operand, *args: Any, dim: int = 0, **kwargs: Any) -> tuple[Value, ...]:
    """``chunk`` and ``split``: slices along one axis, with the lengths of the parts that torch returned."""
    return _parts(b, b.value(input), args[1] if len(args) > 1 else dim)


def unbind(b: FormBuilder, input: Operand, dim: int = 0) -> tuple[Value, ...]:
    """Parts of length 1, without their axis."""
    x = b.value(input)
    found = []
    for number, part in enumerate(b.result):
        taken = sliced(b, x, {x.axes[dim]: slice(number, number + 1)})
        found.append(b.value(reshaped(b, taken, tuple(part.shape))))
    return tuple(found)


def split_along(dim: int) -> Any:
    """The rule for ``hsplit``, ``vsplit`` and ``dsplit``, each of which splits along its own axis."""

    def rule(b: FormBuilder, input: Operand, *args: Any, **kwargs: Any) -> tuple[Value, ...]:
        return _parts(b, b.value(input), dim)

    return rule


def _parts(b: FormBuilder, x: Value, dim: int) -> tuple[Value, ...]:
    parts, start = [], 0
    for part in b.result:
        stop = start + part.shape[dim]
        parts.append(sliced(b, x, {x.axes[dim]: slice(start, stop)}))
        start = stop
    return tuple(parts)


def narrow(b: FormBuilder, input: Operand, dim: int, start: int, length: int) -> Value:
    x = b.value(input)
    return sliced(b, x, {x.axes[dim]: slice(start, start + length)})


def select(b: FormBuilder, input: Operand, dim: int, index: int) -> Value:
    x = b.value(input)
    start = index % x.shape[x.axes[dim]]
    return b.value(reshaped(b, sliced(b, x, {x.axes[dim]: slice(start, start + 1)}), b.shape))


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
    taken: dict[int, Range] = {}
    for axis, part in ranges.items():
        start, stop, step = part.indices(x.shape[axis])
        length = len(range(start, stop, step))
        if length != x.shape[axis] or (axis == 0 and part not in EVERYTHING):
            taken[axis] = (start, start + (length - 1) * step + 1, step if length > 1 else 1)
    return _taken(b, x, taken)


def _taken(b: FormBuilder, x: Value, taken: dict[int, Range]) -> Value:
    """Ranges of a value, of which none takes everything."""
    step = b.steps[x.step]
    if not taken or not all(len(range(*part)) for part in taken.values()):
        return cut(b, x, taken)
    attributes = dict(step.attributes)
    if step.operation == "slice" and 0 not in taken:
        inner: dict[int, Range] = dict(attributes["taken"])
        if 0 not in inner:
            within = {axis: _composed(inner.get(axis), taken.get(axis)) for axis in {*inner, *taken}}
            return cut(b, of_step(b, step.inputs[0], x), within)
    if step.operation == "reshape" and (found := _of_reshaped(b, x, taken)):
        return found
    if step.operation == "concat":
        axis = attributes["axis"]
        if axis and axis in taken and taken[axis][2] == 1:
            return _of_concat(b, x, axis, taken)
    return cut(b, x, taken)


def _of_reshaped(b: FormBuilder, x: Value, taken: dict[int, Range]) -> Value | None:
    """A part of a reshaped value is a reshaped part of the original, where both are one range of an axis.

    So half of the channels has the same form as the first or second of two groups.
    """
    source = Value(
        number := b.steps[x.step].inputs[0], shape := b.steps[number].shape, tuple(range(len(shape))), x.storage
    )
    (axis, (start, stop, by)), *others = taken.items()
    if others or by != 1 or not axis:
        return None
    before = math.prod(x.shape[:axis])
    places = [place for place in range(1, len(shape)) if math.prod(shape[:place]) == before and shape[place] != 1]
    if not places:
        return None
    (place,) = places
    whole, size = x.shape[axis], shape[place]
    if size % whole == 0:  # the axis is the outer part of one axis of the original
        block = size // whole
        part = (start * block, stop * block, 1)
    elif whole % size == 0 and start % (whole // size) == stop % (whole // size) == 0:
        block = whole // size
        part = (start // block, stop // block, 1)
    else:
        return None
    wanted = tuple([stop - start if at == axis else length for at, length in enumerate(x.shape)])
    found = b.value(reshaped(b, _taken(b, source, {place: part}), wanted))
    return found._replace(axes=x.axes, storage=x.storage)


def _composed(inner: Range | None, outer: Range | None) -> Range:
    """What a slice of a slice takes of the original."""
    if inner is None or outer is None:
        return inner or outer or (0, 0, 1)
    found = range(*inner)[slice(*outer)]
    return found.start, found[-1] + 1, found.step if len(found) > 1 else 1


def _of_concat(b: FormBuilder, x: Value, axis: int, taken: dict[int, Range]) -> Value:
    """The parts that a slice of a concatenation takes, each as far as it is taken."""
    start, stop, _ = taken[axis]
    others = {place: part for place, part in taken.items() if place != axis}
    parts, begin = [], 0
    for number in b.steps[x.step].inputs:
        part = of_step(b, number, x)
        length = part.shape[axis]
        first, last = max(start - begin, 0), min(stop - begin, length)
        if first < last:
            along = {} if (first, last) == (0, length) else {axis: (first, last, 1)}
            parts.append(_taken(b, part, {**others, **along}))
        begin += length
    found = joined(b, parts, axis)
    return found._replace(storage=x.storage)
