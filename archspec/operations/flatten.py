"""Flattening."""

from __future__ import annotations

import math
from dataclasses import dataclass

from archspec.operations.base import TorchCall
from archspec.operations.effects import EVERYWHERE, Alias, Everywhere, Layout, Reach, Strides, merged
from archspec.operations.onnx import NotInOnnx, OnnxCall, X
from archspec.operations.shapes import Shape
from archspec.operations.signal import Gradient, Signal, Usage
from archspec.operations.traits import View


@dataclass(frozen=True)
class Flatten(View):
    """``torch.flatten(x, 1)``: channels and positions become features, channel by channel."""

    name = "flatten"
    summary = "Channels and positions become one list of features."
    look = "view"

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return (math.prod(inputs[0]),)

    def alias(self, inputs: tuple[Shape, ...], *, training: bool) -> Alias:
        return "view" if len(inputs[0]) > 1 else "itself"

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        return "first"

    def view_strides(self, inputs: tuple[Shape, ...], strides: Strides) -> Strides | None:
        stride = merged(inputs[0], strides[1:])
        return None if stride is None else (strides[0], stride)

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        return EVERYWHERE

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return TorchCall("function", "torch.flatten", (1,))

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        if not fixed and len(inputs[0]) > 1 and math.prod(inputs[0][1:]) > 1:
            raise NotInOnnx("how many features it gives depends on the size of the input")
        return (OnnxCall("Flatten", (X,), {"axis": 1}),)

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        before, _ = usage.positions
        return tuple([law._replace(channels=law.channels * before, profile=()) for law in values[0]])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        before, _ = usage.positions
        return (back if before == 1 else tuple([each._replace(shared=0.0) for each in back]),)
