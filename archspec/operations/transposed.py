"""The geometry of transposed convolutions: of windows over the output, one for each position of the input."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from archspec.operations.effects import Reach
from archspec.operations.padding import SAME, Sides
from archspec.operations.shapes import Shape, ShapeFault, show_shape
from archspec.operations.windows import Windows


def usual_padding(kernel: int, stride: int, dilation: int) -> int:
    """The padding with which the size becomes ``stride`` times as large, if a further position makes up for an odd one.

    An even kernel at stride 1 cannot keep the size, and has no padding.

    >>> [usual_padding(kernel, 2, 1) for kernel in (1, 2, 3, 4, 5)], usual_padding(4, 1, 1)
    ([0, 0, 1, 1, 2], 0)
    """
    total = dilation * (kernel - 1) + 1 - stride
    if total < 0 or (total % 2 and max(stride, dilation) == 1):
        return 0
    return (total + 1) // 2


def usual_output_padding(kernel: int, stride: int, dilation: int) -> int:
    """The positions that the size lacks with :func:`usual_padding`.

    >>> [usual_output_padding(kernel, 2, 1) for kernel in (1, 2, 3, 4, 5)], usual_output_padding(4, 1, 1)
    ([1, 0, 1, 0, 1], 0)
    """
    lacks = stride - 1 - dilation * (kernel - 1) + 2 * usual_padding(kernel, stride, dilation)
    return max(lacks, 0)


def lengths(size: tuple[int, ...], windows: Windows, more: tuple[int, ...]) -> tuple[int, ...]:
    """The size of the output; ``more``: the output padding."""
    axes = zip(size, *windows[:4], more, strict=True)
    return tuple([(n - 1) * s - 2 * p + d * (k - 1) + 1 + extra for n, k, s, p, d, extra in axes])


def reach_along(kernel: int, stride: int, padding: int, dilation: int) -> Reach:
    """What a position of the output reads: position ``p`` of the input reaches those from ``p * stride - padding`` on.

    If the kernel is dilated, a position may read less.

    >>> reach_along(3, 1, 1, 1), reach_along(2, 2, 0, 1)
    (Reach(extent=3, stride=1, padding=1, end=None), Reach(extent=1, stride=Fraction(1, 2), padding=0, end=None))
    """
    span = dilation * (kernel - 1)
    if stride == 1:
        return Reach(span + 1, 1, span - padding)
    # From the smallest i with p <= i * stride - padding + span to the largest with i * stride - padding <= p.
    before, end = Fraction(span - padding - stride + 1, stride), Fraction(padding, stride)
    extents = {(p + padding) // stride + (span - padding - p) // stride + 1 for p in range(stride)}
    extent = max(extents)
    exact = len(extents) == 1
    return Reach(
        extent, Fraction(1, stride), int(before) if before.denominator == 1 else before, None if exact else end
    )


_WHY = {
    "padding_mode": "it takes its padding away from the output, so there is nothing to repeat",
    "standardized": "torch has no such layer; enlarge in another step, and convolve afterwards",
}


def check_padding(padding: Sides | str | None) -> None:
    """Refuse a padding that torch's transposed convolution does not have. Raises ShapeFault."""
    if padding == SAME:
        raise ShapeFault(
            "E206",
            "a transposed convolution does not take `padding: same`",
            argument="padding",
            help="leave `padding` out: the size then becomes `stride` times as large",
        )
    pairs = [axis for axis in padding if isinstance(axis, tuple)] if isinstance(padding, tuple) else []
    if any(before != after for before, after in pairs):
        raise ShapeFault(
            "E206",
            "a transposed convolution takes the same `padding` on both sides",
            argument="padding",
            help="write one number for an axis; `output_padding` adds positions after it",
        )


def check(
    windows: Windows, more: tuple[int, ...], others: Mapping[str, bool], size: tuple[int, ...], shape: Shape
) -> None:
    """Refuse an output padding that torch refuses, an empty output, and ``others`` that are set. Raises ShapeFault."""
    for argument, is_set in others.items():
        if is_set:
            message = f"a transposed convolution does not take `{argument}`"
            raise ShapeFault(
                "E206", message, argument=argument, help=_WHY[argument], assumed=shape if min(shape) > 0 else None
            )
    if min(shape) < 1:
        raise ShapeFault(
            "E502",
            f"a padding of {show_shape(windows.padding)} leaves nothing of what a transposed kernel of "
            f"{show_shape(windows.kernel)} makes of {show_shape(size)}",
            argument="padding",
            help="a transposed convolution takes its `padding` away from the output: use a smaller one",
        )
    most = tuple(map(max, windows.stride, windows.dilation))
    if any(m >= limit for m, limit in zip(more, most, strict=True)):
        raise ShapeFault(
            "E205",
            f"an `output_padding` of {show_shape(more)} is not less than the stride or dilation, {show_shape(most)}",
            argument="output_padding",
            help="leave `output_padding` out for `stride` times the size; a larger stride enlarges more",
            assumed=shape,
        )
