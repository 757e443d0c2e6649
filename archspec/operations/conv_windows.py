"""The windows of a convolution: its sizes for every axis, and its padding where none or a word is written."""

from __future__ import annotations

import functools

from archspec.operations import transposed
from archspec.operations.padding import SAME, Sides, by_side, same
from archspec.operations.shapes import Shape, Size, per_axis
from archspec.operations.windows import Windows

MEMORY = 4096
"""How many windows a process remembers: those of a network have few kernels and strides."""


@functools.lru_cache(MEMORY)
def windows_of(
    kernel: Size, stride: Size, dilation: Size, padding: Sides | str | None, size: Shape, *, enlarges: bool
) -> Windows:
    """The windows over an input of this spatial ``size``, which only ``padding: same`` reads; ``enlarges``: transposed.

    Raises ShapeFault for another number of axes, and where a transposed convolution has no such padding.

    >>> windows_of(3, 2, 1, None, (224, 224), enlarges=False)
    Windows(kernel=(3, 3), stride=(2, 2), padding=(1, 1), dilation=(1, 1), after=(1, 1))
    """
    rank = len(size)
    kernels, dilations = per_axis(kernel, rank, "kernel"), per_axis(dilation, rank, "dilation")
    strides = per_axis(stride, rank, "stride")
    if enlarges:
        transposed.check_padding(padding)
    if padding == SAME:
        before, after = same(size, kernels, strides, dilations)
    elif padding is not None:
        before, after = by_side(0 if isinstance(padding, str) else padding, rank, "padding")
    else:
        axes = zip(kernels, strides, dilations, strict=True)
        before = after = tuple([transposed.usual_padding(*axis) if enlarges else _usual(*axis) for axis in axes])
    return Windows(kernels, strides, before, dilations, after)


def _usual(kernel: int, stride: int, dilation: int) -> int:
    """The padding of an odd kernel, which keeps the size at stride 1."""
    return dilation * (kernel - 1) // 2 if kernel % 2 else 0
