"""Values of different shapes in one merge, where a spec asks for it: an axis of length 1 meets any length."""

from __future__ import annotations

import itertools
import math

from archspec.operations.shapes import Shape, ShapeFault, merge_fault
from archspec.operations.signal import Back, Gradient, Signal, Usage, averaged

ASK = "or `broadcast: true` beside named branches, to repeat what has one channel or position"
"""The end of the help where shapes meet only so."""


def met(inputs: tuple[Shape, ...]) -> Shape | None:
    """The shape to which all are repeated along axes of length 1; None where they do not meet.

    >>> met(((4, 1, 1), (1, 6, 5))), met(((4, 6, 5), (2, 6, 5)))
    ((4, 6, 5), None)
    """
    if len({len(shape) for shape in inputs}) > 1:
        return None
    found = tuple([max(axis) for axis in zip(*inputs, strict=True)])
    return (
        found if all(size in (1, most) for shape in inputs for size, most in zip(shape, found, strict=True)) else None
    )


def merged(verb: str, inputs: tuple[Shape, ...], *, broadcast: bool, instead: str = "") -> Shape:
    """The shape of a merge of values of one shape, or of shapes that meet. Raises ShapeFault.

    Args:
        verb: what the merge does, as a participle.
        inputs: the shapes.
        broadcast: whether values are repeated.
        instead: the end of the help where one of two maps has a single position.
    """
    first = inputs[0]
    if all(shape == first for shape in inputs):
        return first
    shape = met(inputs) if broadcast else None
    if shape is not None:
        return shape
    apart = [pair for pair in itertools.combinations(inputs, 2) if met(pair) is None]
    one, other = (apart if broadcast else [(first, each) for each in inputs if each != first])[0]
    fault = merge_fault(verb, one, other, assumed=first)
    if instead and one[0] == other[0] and len(one) == len(other) and 1 in (max(one[1:]), max(other[1:])):
        fault.help += f"; {instead}"
    raise asking(fault, inputs)


def asking(fault: ShapeFault, inputs: tuple[Shape, ...]) -> ShapeFault:
    """A fault of shapes, whose help says how to repeat values if that makes them fit."""
    if met(inputs) is not None:
        fault.help += f"; {ASK}"
    return fault


def repeated(values: tuple[Signal, ...], usage: Usage) -> tuple[Signal, ...]:
    """The signals, where each has the channels of the output."""
    if all(shape == usage.output for shape in usage.inputs):
        return values
    found = []
    for value, shape in zip(values, usage.inputs, strict=True):
        if shape[0] != usage.output[0]:
            value = tuple([law._replace(channels=usage.output[0]) for law in value])
        if shape[1:] != usage.output[1:]:
            value = tuple([law._replace(profile=()) for law in value])
        found.append(value)
    return tuple(found)


def gathered(back: Gradient, laws: Signal, shape: Shape, output: Shape) -> Gradient:
    """The gradient with respect to a value of ``shape`` that was repeated to ``output``: a sum over what it became.

    ``laws`` are those of the repeated value, of which ``back`` is the gradient.
    """
    times, positions = output[0] // shape[0], math.prod(output[1:]) // math.prod(shape[1:])
    if times > 1:
        back = (averaged(laws, back),)
    found = []
    for energy, shared, pieces, profile, _ in back:
        if positions == 1:
            found.append(Back(times * energy, times * shared, () if times > 1 else pieces, profile))
            continue
        whole = times * (positions * energy + positions * (positions - 1) * shared)
        alone = math.prod(shape[1:]) == 1
        found.append(Back(whole, whole if alone else times * positions * positions * shared))
    return tuple(found)
