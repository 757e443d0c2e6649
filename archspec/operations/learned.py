"""Learned numbers by which a value is scaled or shifted: one for each channel, or one for the whole value."""

from __future__ import annotations

from archspec.operations.base import Weight
from archspec.operations.shapes import Numbers, Shape, ShapeFault

PER = ("channel", "whole")


def learned_weight(by: Numbers, per: str, shape: Shape) -> Weight:
    """The parameter, which starts at ``by``."""
    start = f"constant:{by}"
    return Weight(() if per == "whole" else (shape[0], *(1 for _ in shape[1:])), start)


def one_start(by: Numbers, shape: Shape) -> None:
    """Raises ShapeFault where learned numbers would start at different ones."""
    if isinstance(by, tuple):
        raise ShapeFault(
            "E206",
            "with `learned: true`, `by` is one number",
            argument="by",
            help="write the number at which all start",
            assumed=shape,
        )
