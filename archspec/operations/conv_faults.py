"""What may be wrong with the arguments of a convolution."""

from __future__ import annotations

import math
from collections.abc import Iterator

from archspec.operations.base import Doubt
from archspec.operations.padding import Sides
from archspec.operations.shapes import Shape, ShapeFault, Size, groups_fault, show_shape


def unsplit_channels(channels: int, shape: Shape, groups: int) -> ShapeFault:
    """The fault of channels, those of the input or those of ``shape``, that do not split into groups."""
    out = shape[0]
    culprit, by_input = (channels, True) if channels % groups else (out, False)
    divisor = math.gcd(channels, out)
    help = f"both {channels} and {out} must be multiples of `groups`; {divisor} divides both"
    if groups == channels > 1:
        help = "a depthwise convolution keeps the channels: write `out: width`, and change them in another `conv`"
    if channels == out:
        help = f"{channels} must be a multiple of `groups`"
    return groups_fault(culprit, groups, shape, help, by_input=by_input)


def single_weight(shape: Shape) -> ShapeFault:
    """The fault of filters that cannot be standardized."""
    return ShapeFault(
        "E206",
        "a filter of a single weight cannot be standardized, because one number has no variance",
        argument="standardized",
        help="use a larger kernel or fewer groups, or leave `standardized` out",
        assumed=shape,
    )


def wide_padding(padding: Sides, kernel: Size, dilation: Size, mode: str) -> Iterator[Doubt]:
    """The doubt of a padding so wide that windows at the border lie in it as a whole."""
    widest: Size = padding if isinstance(padding, int) else tuple([_widest(axis) for axis in padding])
    axes = zip(*(_axes(size) for size in (widest, kernel, dilation)), strict=False)
    if any(padded > d * (k - 1) for padded, k, d in axes):
        shown = show_shape(_axes(widest)[: 1 if isinstance(widest, int) else None])
        what = "zeros" if mode == "zeros" else "padding"
        told = f"a padding of {shown} is wider than the kernel's reach: positions at the border read only {what}"
        yield Doubt("padding", told, "leave `padding` out")


def _widest(axis: int | tuple[int, int]) -> int:
    return max(axis) if isinstance(axis, tuple) else axis


def _axes(size: Size) -> tuple[int, ...]:
    """A size for each of three axes, if it is one number; otherwise as it is."""
    return size if isinstance(size, tuple) else (size,) * 3
