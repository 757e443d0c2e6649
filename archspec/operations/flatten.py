"""Flattening."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from archspec.operations.base import Operation, TorchCall
from archspec.operations.effects import EVERYWHERE, NOTHING, Bytes, Everywhere, Layout, Reach, Saved
from archspec.operations.shapes import Shape


@dataclass(frozen=True)
class Flatten(Operation):
    """``torch.flatten(x, 1)``: channels and positions become features, channel by channel."""

    name = "flatten"
    summary = "Channels and positions become one list of features."
    aliases = True

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return (math.prod(inputs[0]),)

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        return Saved()

    def scratch(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes | None:
        return NOTHING

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        return "first"

    def reads(self, inputs: tuple[Shape, ...]) -> Literal["", "first", "last"]:
        return "first"

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        return EVERYWHERE

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return TorchCall("function", "torch.flatten", (1,))
