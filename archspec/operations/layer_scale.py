"""A learned scale for each channel."""

from __future__ import annotations

import math
from dataclasses import dataclass

from archspec.operations.base import Operation, TorchCall, Weight, argument
from archspec.operations.effects import HERE, NOTHING, Bytes, Everywhere, Reach, Saved
from archspec.operations.shapes import Shape


@dataclass(frozen=True)
class LayerScale(Operation):
    """Multiplies each channel by a parameter that starts small (Touvron et al. 2021).

    The parameter stands at the node's own name, as torchvision's ConvNeXt has it.
    """

    name = "layer_scale"
    summary = "A learned scale for each channel, small at the start."

    initial: float = argument("number", "The scale at the start.", default=1e-6)

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, Weight]:
        channels, *size = inputs[0]
        return {"": Weight((channels, *(1 for _ in size)), f"constant:{self.initial}")}

    def elementwise(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        return math.prod(output)

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        return Saved((0,) if trainable else ())

    def scratch(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes | None:
        return NOTHING

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        return HERE * (len(output) - 1)

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return TorchCall("function", "torch.mul")

    def zero_from(self, inputs: tuple[Shape, ...]) -> int | None:
        return 0
