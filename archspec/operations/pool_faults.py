"""What may be wrong with the arguments of a pool."""

from __future__ import annotations

from archspec.operations.padding import SAME, Sides
from archspec.operations.shapes import Shape, ShapeFault, show_shape
from archspec.operations.windows import Windows


def check_type(kind: str, windows: Windows, count_padding: bool, power: float, assumed: Shape | None) -> None:
    """Refuse arguments that only another type of pool reads. Raises ShapeFault."""
    of_type = {"max": {"dilation"}, "avg": {"padding", "count_padding"}, "lp": {"power"}}
    of_type["max"].add("padding")
    given = {
        "dilation": max(windows.dilation) > 1,
        "count_padding": not count_padding,
        "power": power != 2,
        "padding": any((*windows.padding, *windows.behind)),
    }
    for name, is_given in given.items():
        if is_given and name not in of_type[kind]:
            types = " and ".join([f"`{each}`" for each in of_type if name in of_type[each]])
            help = "pad in a step of its own: `- pad: {sides: 1}`" if name == "padding" else ""
            message = f"`{name}` is for {types} pooling only"
            raise ShapeFault("E206", message, argument=name, help=help, assumed=assumed)


def check_skipped(windows: Windows, size: Shape, counts: Shape, assumed: Shape) -> None:
    """Refuse windows of which no element is inside the input. Raises ShapeFault.

    Their maximum would be minus infinity, and torch's backward pass would write outside of the input's gradient.
    """
    if not windows.skips(size, counts):
        return
    kernel, dilation = show_shape(windows.kernel), show_shape(windows.dilation)
    raise ShapeFault(
        "E205",
        f"a whole window of {kernel} dilated by {dilation} lies in the padding of an input of {show_shape(size)}",
        argument="dilation",
        help="use a smaller dilation, less padding, or a larger `input`",
        assumed=assumed,
    )


def check_padding(padding: Sides | str, windows: Windows, *, ceil: bool, in_front: bool, assumed: Shape | None) -> None:
    """Refuse a padding that torch refuses, and one that is made in front of torch's layer beside ``ceil``.

    Raises ShapeFault.
    """
    if in_front and ceil:
        raise ShapeFault(
            "E206",
            f"`ceil` does not go with a `padding` that {'is `same`' if padding == SAME else 'differs by side'}",
            argument="ceil",
            help="leave `ceil` out, and pad more after each axis: a pair is before and after",
            assumed=assumed,
        )
    if padding == SAME:
        return
    if windows.lopsided:
        widest = tuple(map(max, windows.padding, windows.behind))
        reach = tuple([d * (k - 1) for k, d in zip(windows.kernel, windows.dilation, strict=True)])
        if any(wide > most for wide, most in zip(widest, reach, strict=True)):
            raise ShapeFault(
                "E205",
                f"a padding of {show_shape(widest)} is wider than the kernel's reach: whole windows would be in it",
                argument="padding",
                help=f"use at most {show_shape(reach)} on a side",
                assumed=assumed,
            )
    elif any(p > k // 2 for p, k in zip(windows.padding, windows.kernel, strict=True)):
        shown, kernel = show_shape(windows.padding), show_shape(windows.kernel)
        raise ShapeFault(
            "E205",
            f"a padding of {shown} is more than half of the kernel, {kernel}",
            argument="padding",
            help=f"use at most {show_shape(tuple(k // 2 for k in windows.kernel))}",
            assumed=assumed,
        )
