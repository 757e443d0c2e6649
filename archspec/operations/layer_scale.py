"""A learned scale for each channel."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import TorchCall, Weight, argument
from archspec.operations.effects import Layout, Saved
from archspec.operations.onnx import OnnxCall, State, X
from archspec.operations.shapes import Shape
from archspec.operations.signal import Gradient, Signal, Usage, affine
from archspec.operations.traits import Elementwise


@dataclass(frozen=True)
class LayerScale(Elementwise):
    """Multiplies each channel by a parameter that starts small (Touvron et al. 2021).

    The parameter has the node's own name, as in torchvision's ConvNeXt.
    """

    name = "layer_scale"
    summary = "A learned scale for each channel, small at the start."
    attached = True

    initial: float = argument("number", "The scale at the start.", default=1e-6)

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, Weight]:
        channels, *size = inputs[0]
        return {"": Weight((channels, *(1 for _ in size)), f"constant:{self.initial}")}

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        return Saved((0,) if trainable else ())

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        return "kept"  # whose strides torch takes over, of an operation with a scalar or a broadcast factor

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return TorchCall("function", "torch.mul")

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        return (OnnxCall("Mul", (X, State(""))),)

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        return tuple([affine(law, self.initial) for law in values[0]])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        return (tuple([each.scaled(self.initial**2) for each in back]),)
