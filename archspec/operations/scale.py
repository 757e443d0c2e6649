"""A constant factor."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import TorchCall, argument
from archspec.operations.effects import Layout
from archspec.operations.shapes import Shape
from archspec.operations.traits import Elementwise


@dataclass(frozen=True)
class Scale(Elementwise):
    """``x * by``: how Inception-ResNet scales its residuals (Szegedy et al. 2016, section 3.3)."""

    name = "scale"
    summary = "Multiplies by a constant."

    by: float = argument("number", "The factor.")

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        return "kept"  # whose strides torch takes over, of an operation with a scalar or a broadcast factor

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return TorchCall("function", "torch.mul", (float(self.by),))
