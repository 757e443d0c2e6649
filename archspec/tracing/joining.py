"""Rules for calls that join values: concatenation, stacking, and padding with zeros, which joins zeros.

A concatenation has one form, however a network writes it. Nested ones are flat. Neighboring slices of one value are one
slice, and all slices of a value are the value. Zeros at an end are padding. Where a part is added to some channels of a
value and the others are taken as they are, the padded part is added to the value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from archspec.tracing.canonical_form import Shape
from archspec.tracing.form_builder import FormBuilder, Operand, Value
from archspec.tracing.rearranging import reshaped

Range: TypeAlias = tuple[int, int, int]
"""What is taken along an axis: start, stop and step."""


def concat(b: FormBuilder, tensors: Any, dim: int = 0, axis: int | None = None) -> Value:
    values = [b.value(tensor) for tensor in tensors]
    if len({value.axes for value in values}) != 1:
        values = [b.plain(value) for value in values]
    return joined(b, values, values[0].axes[dim if axis is None else axis])


def stack(b: FormBuilder, tensors: Any, dim: int = 0) -> Value:
    values = [b.plain(tensor) for tensor in tensors]
    place = dim % (len(values[0].shape) + 1)
    shape = (*values[0].shape[:place], 1, *values[0].shape[place:])
    return joined(b, [b.value(reshaped(b, value, shape)) for value in values], place)


def zeros(b: FormBuilder, *args: Any, **kwargs: Any) -> Value:
    """The shape of the result says all, unless it has another dtype than the network's input."""
    other: dict[str, Any] = {} if b.result.dtype == b.dtype else {"dtype": str(b.result.dtype)}
    return b.add("zeros", (), b.shape, **other)


def pad(b: FormBuilder, input: Operand, pad: Any, mode: str = "constant", value: float | None = None) -> Value:
    """torch lists the padding from the last axis to the first."""
    x = b.value(input)
    added = {}
    for place, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        if before or after:
            added[x.axes[-1 - place]] = (before, after)
    return _padded(b, x, added, mode, float(value or 0) if mode == "constant" else 0.0)


def constant_pad(b: FormBuilder, input: Operand, padding: Any, value: float) -> Value:
    return pad(b, input, padding, "constant", value)


def _padded(
    b: FormBuilder, x: Value, added: dict[int, tuple[int, int]], mode: str = "constant", filled: float = 0.0
) -> Value:
    if not added:
        return b.copied(x)
    shape = tuple([size + sum(added.get(axis, (0, 0))) for axis, size in enumerate(x.shape)])
    return b.add("pad", (x,), shape, axes=x.axes, added=tuple(sorted(added.items())), mode=mode, filled=filled)


def joined(b: FormBuilder, values: Sequence[Value], axis: int) -> Value:
    """Values one after the other along an axis of the form. They have the same axes."""
    parts: list[Value] = []
    for value in values:
        for part in _flat(b, value, axis):
            merged = _merged(b, parts[-1], part, axis) if parts else None
            parts[-1:] = [merged] if merged is not None else [*parts[-1:], part]
    if len(parts) > 1 and (found := _padding(b, parts, axis) or _addition(b, parts, axis)):
        return found
    if len(parts) == 1:
        return b.copied(parts[0])
    return b.add("concat", parts, _total(parts, axis), axes=parts[0].axes, axis=axis)


def _total(parts: Sequence[Value], axis: int) -> Shape:
    total = sum(part.shape[axis] for part in parts)
    return tuple([total if place == axis else size for place, size in enumerate(parts[0].shape)])


def of_step(b: FormBuilder, number: int, like: Value) -> Value:
    """The result of an earlier step, seen with the axes, and in the storage, of another value."""
    return Value(number, b.steps[number].shape, like.axes, like.storage)


def _flat(b: FormBuilder, value: Value, axis: int) -> list[Value]:
    """The parts of a value that is itself a concatenation along the axis."""
    step = b.steps[value.step]
    if step.operation != "concat" or step.attributes != (("axis", axis),):
        return [value]
    return [of_step(b, number, value) for number in step.inputs]


class _Piece(NamedTuple):
    """A slice with step 1 along one axis, and with ``others`` along others."""

    source: int
    start: int
    stop: int
    others: tuple[tuple[int, Range], ...] = ()


def _slice(b: FormBuilder, value: Value, axis: int) -> _Piece | None:
    step = b.steps[value.step]
    taken: dict[int, Range] = dict(dict(step.attributes)["taken"]) if step.operation == "slice" else {}
    if axis not in taken or taken[axis][2] != 1 or not axis:  # a batch may have any size
        return None
    start, stop, _ = taken.pop(axis)
    return _Piece(step.inputs[0], start, stop, tuple(sorted(taken.items())))


def cut(b: FormBuilder, x: Value, taken: dict[int, Range]) -> Value:
    """A step that takes ranges of a value. Without any, the value itself."""
    if not taken:
        return x
    shape = tuple([len(range(*taken[axis])) if axis in taken else size for axis, size in enumerate(x.shape)])
    return b.add("slice", (x,), shape, axes=x.axes, taken=tuple(sorted(taken.items())))


def _merged(b: FormBuilder, first: Value, second: Value, axis: int) -> Value | None:
    """One slice for two neighboring ones of the same value."""
    one, other = _slice(b, first, axis), _slice(b, second, axis)
    if one is None or other is None:
        return None
    if (one.source, one.stop, one.others) != (other.source, other.start, other.others):
        return None
    source = of_step(b, one.source, first)
    taken: dict[int, Range] = dict(one.others)
    if (one.start, other.stop) != (0, source.shape[axis]):
        taken[axis] = (one.start, other.stop, 1)
    return cut(b, source, taken)


def _padding(b: FormBuilder, parts: Sequence[Value], axis: int) -> Value | None:
    """Zeros before and after other parts are padding."""
    empty = [b.steps[part.step].operation == "zeros" and not b.steps[part.step].attributes for part in parts]
    if all(empty) or not (empty[0] or empty[-1]) or not axis:
        return None
    first = empty.index(False)
    last = len(empty) - empty[::-1].index(False)
    before, after = (sum(part.shape[axis] for part in some) for some in (parts[:first], parts[last:]))
    return _padded(b, joined(b, parts[first:last], axis), {axis: (before, after)})


def _addition(b: FormBuilder, parts: Sequence[Value], axis: int) -> Value | None:
    """Slices of one value, to some of which another value is added."""
    bare = [_slice(b, part, axis) for part in parts]
    sources = {piece.source for piece in bare if piece and not piece.others}
    if len(sources) != 1 or not all(part.straight for part in parts):
        return None
    (source,) = sources
    added, place = [], 0
    for part, piece in zip(parts, bare, strict=True):
        addend = None
        if piece is None:
            piece, addend = _added(b, part, axis, source)
        if piece is None or (piece.source, piece.start, piece.others) != (source, place, ()):
            return None
        place = piece.stop
        added.append(b.add("zeros", (), part.shape) if addend is None else addend)
    whole = of_step(b, source, parts[0])
    if place != whole.shape[axis]:
        return None
    return b.add("add", (whole, joined(b, added, axis)), whole.shape)


def _added(b: FormBuilder, part: Value, axis: int, source: int) -> tuple[_Piece | None, Value | None]:
    """The slice of ``source`` that is added to another value, and that value."""
    step = b.steps[part.step]
    if step.operation != "add" or step.attributes or len(step.inputs) != 2:
        return None, None
    for one, other in (step.inputs, step.inputs[::-1]):
        piece, addend = _slice(b, of_step(b, one, part), axis), of_step(b, other, part)
        if piece and piece.source == source and addend.shape == part.shape == b.steps[one].shape:
            return piece, addend
    return None, None
