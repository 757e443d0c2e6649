"""Shapes of values, and the faults of shapes that do not fit."""

from __future__ import annotations

import math
from typing import TypeVar

from archspec.diagnostics import Mention
from archspec.display import counted

Shape = tuple[int, ...]
"""Channels first, without the batch: ``(C,)`` after flattening, else ``(C, *spatial)``."""

Size = int | tuple[int, ...]
"""One number for every spatial axis, or one number an axis."""

Numbers = float | tuple[float, ...]
"""One number for every channel, or one number a channel."""


Number = TypeVar("Number", bound=float)


class ShapeFault(Exception):
    """An operation does not fit its inputs.

    ``argument`` names the argument at fault, written or not (empty: the step as a whole). ``help`` says what to do, and
    ``mentions`` are the arguments of Python functions in it. ``assumed`` is the shape with which inference may go on to
    find more faults, or None. ``channels``: the input's channel count is part of the fault, so a message shows where it
    comes from.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        argument: str = "",
        help: str = "",
        assumed: Shape | None = None,
        channels: bool = False,
        mentions: tuple[Mention, ...] = (),
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.argument = code, message, argument
        self.help, self.assumed, self.channels, self.mentions = help, assumed, channels, mentions


def per_axis(value: Size, rank: int, name: str) -> tuple[int, ...]:
    """``value`` for each of ``rank`` spatial axes. Raises ShapeFault if a list has another length."""
    if isinstance(value, int):
        return (value,) * rank
    if len(value) != rank:
        axes = "axis" if rank == 1 else "axes"
        raise ShapeFault(
            "E506",
            f"`{name}` has {_counted(value)}, but the value here has {rank} spatial {axes}",
            argument=name,
            help=f"write one number for every axis, or a list of {rank}",
        )
    return value


def by_channel(value: Numbers, shape: Shape, name: str) -> Numbers:
    """``value`` as one float, or one for each channel if they differ. Raises ShapeFault for another number of them."""
    if not isinstance(value, tuple):
        return float(value)
    if len(value) != shape[0]:
        raise ShapeFault(
            "E507",
            f"`{name}` has {_counted(value)}, but the value here has {shape[0]} channel{'s'[: shape[0] > 1]}",
            argument=name,
            help="write one number for all channels, or a list with one for each",
            assumed=shape,
            channels=True,
        )
    return collapse(tuple(map(float, value)))


def _counted(value: tuple[float, ...]) -> str:
    return "1 number" if len(value) == 1 else f"{len(value)} numbers"


def differ(value: Numbers) -> bool:
    """Whether channels have different numbers, so that torch computes one at a time and then joins all of them."""
    return isinstance(value, tuple) and len(set(value)) > 1


def spatial_rank(shape: Shape, operation: str) -> int:
    """The number of spatial axes, one to three. Raises ShapeFault for a flattened value."""
    rank = len(shape) - 1
    if rank == 0:
        raise ShapeFault(
            "E506",
            f"`{operation}` needs a spatial value, but its input is flat, with {counted(shape[0], 'feature')}",
        )
    return rank


def lies_both_ways(shape: Shape) -> bool:
    """Whether channels first and channels last are the same order, as with a single channel or a single position.

    >>> lies_both_ways((1, 5, 5)), lies_both_ways((3, 1, 1)), lies_both_ways((3, 1, 2))
    (True, True, False)
    """
    return shape[0] == 1 or math.prod(shape[1:]) == 1


def collapse(values: tuple[Number, ...]) -> Number | tuple[Number, ...]:
    """One number where all axes agree, as a person would write it; else the tuple."""
    return values[0] if len(set(values)) == 1 else values


def show_shape(shape: tuple[float, ...]) -> str:
    """``64x56x56``, as messages and reports write a shape."""
    return "x".join(map(str, shape))


def unsplit(channels: int) -> str:
    """The beginning of a sentence: ``64 channels do not split``."""
    return f"{counted(channels, 'channel')} do{'es' if channels == 1 else ''} not split"


def groups_fault(channels: int, groups: int, assumed: Shape, help: str = "", *, by_input: bool = True) -> ShapeFault:
    """The fault of channels that do not split into groups; by default those of the input."""
    return ShapeFault(
        "E503",
        f"{unsplit(channels)} into {counted(groups, 'group')}",
        argument="groups",
        help=help or f"`groups` must divide {channels}; {math.gcd(channels, groups)} does",
        assumed=assumed,
        channels=by_input,
    )


def merge_fault(verb: str, first: Shape, other: Shape, assumed: Shape | None, *, channels: bool = True) -> ShapeFault:
    """The fault of a merge whose inputs disagree: ``64x56x56 and 128x28x28 cannot be added``.

    Args:
        verb: what cannot be done, as a participle.
        first, other: two shapes that disagree.
        assumed: the shape with which inference goes on.
        channels: whether the channels have to agree too.
    """
    channels = channels and first[0] != other[0]
    advice = []
    if len(first) != len(other):
        advice.append("`flatten` both or neither")
    else:
        if channels:
            means = "a 1x1 `conv` or `pad_channels`" if len(first) > 1 else "a `linear`"
            advice.append(f"give both the same channels, with {means}")
        if first[1:] != other[1:]:
            advice.append("give both the same size, with equal strides and padding")
    return ShapeFault(
        "E504",
        f"{show_shape(first)} and {show_shape(other)} cannot be {verb}",
        help="; ".join(advice),
        assumed=assumed,
        channels=channels,
    )


def size_of(shape: tuple[int, ...]) -> str:
    """The shape of a tensor, for people.

    >>> size_of((64, 3, 7, 7)), size_of(())
    ('64x3x7x7', 'a number')
    """
    return show_shape(shape) if shape else "a number"
