"""Windows that slide over the spatial axes: what convolution and pooling share."""

from __future__ import annotations

from archspec.operations.shapes import ShapeFault, show_shape


def window(size: int, kernel: int, stride: int, padding: int, dilation: int, *, ceil: bool = False) -> int:
    """How many windows fit along one axis, as torch counts them; 0 or less where the kernel does not fit.

    With ``ceil`` a last, partial window is counted if it starts inside the input or its left padding, even where it is
    the only one.
    """
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def window_fault(
    kernel: tuple[int, ...], size: tuple[int, ...], padding: tuple[int, ...], dilation: tuple[int, ...]
) -> ShapeFault:
    """The fault of a window that does not fit even once."""
    spread = f" dilated by {show_shape(dilation)}" if any(d > 1 for d in dilation) else ""
    padded = f" padded by {show_shape(padding)}" if any(padding) else ""
    return ShapeFault(
        "E502",
        f"a kernel of {show_shape(kernel)}{spread} does not fit an input of {show_shape(size)}{padded}",
        argument="kernel",
        help="use a larger `input`, fewer strides before this step, or a smaller kernel",
    )
