"""Subtraction of branches."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import TorchCall, argument
from archspec.operations.broadcasting import merged
from archspec.operations.onnx import OnnxCall, folded
from archspec.operations.shapes import Shape
from archspec.operations.sums import Sum


@dataclass(frozen=True)
class Subtract(Sum):
    """``a - b``: the first branch minus all others, as DnCNN subtracts the noise (Zhang et al. 2017)."""

    name = "subtract"
    summary = "Subtracts all other branches of the same shape from the first."
    sign = -1.0
    ordered = True
    symbol = "\N{MINUS SIGN}"

    broadcast: bool = argument("boolean", "Whether axes of length 1 are repeated to fit.", default=False)

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return merged("subtracted", inputs, broadcast=self.broadcast)

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        if in_place:
            return TorchCall("method", "sub_", fold=True)  # a method, as for an addition
        return TorchCall("function", "operator.sub", fold=True)

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        return folded("Sub", len(inputs))

    def may_write_in_place(self) -> bool:
        return True
