"""Padding by side: how many positions are added before and after each spatial axis, and what is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from archspec.operations.shapes import Shape, ShapeFault, per_axis, show_shape

Sides = int | tuple[int | tuple[int, int], ...]
"""One number for every side, or for each axis a number for both sides or a pair: before and after."""

SAME, VALID = "same", "valid"

Places = tuple[int, ...]
"""For each position of a padded axis, the position that it repeats, or -1 where it is filled."""


def _reflected(place: int, size: int) -> int:
    return -place if place < 0 else 2 * (size - 1) - place


MODES: Mapping[str, Callable[[int, int], int]] = {
    "zeros": lambda place, size: -1,
    "reflect": _reflected,
    "replicate": lambda place, size: 0 if place < 0 else size - 1,
    "circular": lambda place, size: place % size,
}
"""What is in the padding, by torch's words: the position inside that a position outside repeats."""

ONNX_MODES: Mapping[str, str] = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""The words of ONNX's ``Pad``, for all but constants."""


class BySide(NamedTuple):
    """The padding of every axis."""

    before: tuple[int, ...]
    after: tuple[int, ...]


def by_side(padding: Sides, rank: int, name: str) -> BySide:
    """The padding of each of ``rank`` axes. Raises ShapeFault for another number of axes.

    >>> by_side((1, (2, 0)), 2, "padding"), by_side(3, 1, "padding")
    (BySide(before=(1, 2), after=(1, 0)), BySide(before=(3,), after=(3,)))
    """
    if isinstance(padding, tuple) and len(padding) != rank:
        given, here = (f"{each} ax{'is' if each == 1 else 'es'}" for each in (len(padding), rank))
        shown = ", ".join(["[2, 0]", "1", "1"][:rank])
        raise ShapeFault(
            "E506",
            f"`{name}` is given for {given}, but the value here has {here}",
            argument=name,
            help=f"write one number for all sides, or a number or a pair for each axis: `{name}: [{shown}]`",
        )
    axes: tuple[int | tuple[int, int], ...] = per_axis(padding, rank, name)  # type: ignore[arg-type]
    pairs = [axis if isinstance(axis, tuple) else (axis, axis) for axis in axes]
    return BySide(tuple([before for before, _ in pairs]), tuple([after for _, after in pairs]))


def numbers(padding: Sides) -> Iterable[int]:
    """Every number of a padding."""
    for axis in padding if isinstance(padding, tuple) else (padding,):
        yield from axis if isinstance(axis, tuple) else (axis,)


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """TensorFlow's padding ``SAME`` along one axis, for which the output has ``ceil(size / stride)`` positions.

    An odd position more is after the axis.

    >>> same_padding(224, 3, 2, 1), same_padding(225, 3, 2, 1), same_padding(7, 4, 1, 1)
    ((0, 1), (1, 1), (1, 2))
    """
    total = max(dilation * (kernel - 1) - (size - 1) % stride, 0)
    return total // 2, total - total // 2


def same(size: Iterable[int], kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]) -> BySide:
    """The padding ``same`` of an input of this size."""
    pairs = [same_padding(*axis) for axis in zip(size, kernel, stride, dilation, strict=True)]
    return BySide(tuple([before for before, _ in pairs]), tuple([after for _, after in pairs]))


def places(size: int, before: int, after: int, mode: str) -> Places:
    """Where each position of a padded axis has its value from.

    >>> places(3, 2, 1, "reflect"), places(3, 2, 1, "zeros")
    ((2, 1, 0, 1, 2, 1), (-1, -1, 0, 1, 2, -1))
    """
    outside = MODES[mode]
    return tuple([at if 0 <= at < size else outside(at, size) for at in range(-before, size + after)])


def left(size: int, before: int, after: int) -> int:
    """How many of an axis' own positions a padding leaves, of which a negative number removes some.

    >>> left(5, -1, 1), left(5, 2, 2), left(5, -2, -3)
    (4, 5, 0)
    """
    return size + min(before, 0) + min(after, 0)


def check_removed(mode: str | bool, sides: BySide, size: Shape, argument: str) -> None:
    """Refuse to remove all positions of an axis, or any if what is added repeats positions. Raises ShapeFault."""
    if min((*sides.before, *sides.after), default=0) >= 0:
        return
    if mode:
        message = f"`{mode}` can only add positions, so no number may be negative"
        raise ShapeFault(
            "E502", message, argument=argument, help="use a `pad` of its own, without `mode`, to remove them"
        )
    if any(left(*axis) < 1 for axis in zip(size, *sides, strict=True)):
        message = f"this removes every position of an input of {show_shape(size)}"
        raise ShapeFault("E502", message, argument=argument, help="remove fewer positions, or use a larger `input`")


def check_mode(mode: str, sides: BySide, size: Shape, argument: str, assumed: Shape | None) -> None:
    """Refuse to repeat more positions than there are. Raises ShapeFault."""
    least = {"reflect": 1, "circular": 0}.get(mode)
    if least is None:
        return
    most = tuple([length - least for length in size])
    widest = tuple(map(max, *sides))
    if any(wide > limit for wide, limit in zip(widest, most, strict=True)):
        raise ShapeFault(
            "E502",
            f"a padding of {show_shape(widest)} cannot be `{mode}` with an input of {show_shape(size)}: "
            f"there are only {show_shape(most)} positions to repeat",
            argument=argument,
            help="use a smaller padding, a larger `input`, or another mode: `replicate` takes any padding",
            assumed=assumed,
        )
