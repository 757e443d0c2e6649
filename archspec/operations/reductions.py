"""What the reductions of a map share: over the channels of a position, or over the positions of a channel."""

from __future__ import annotations

import math

from archspec.operations.base import TorchCall
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import EVERYWHERE, HERE, Everywhere, Layout, Reach
from archspec.operations.onnx import Integers, OnnxCall, X
from archspec.operations.shapes import Shape, spatial_rank
from archspec.operations.signal import Law, Signal
from archspec.operations.traits import Lean

OVER = ("channels", "positions")


class Reduction(Lean):
    """One number of many: ``1xHxW`` over the channels, ``Cx1x1`` over the positions."""

    over: str

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        rank = spatial_rank(inputs[0], self.name)
        return (1, *inputs[0][1:]) if self.over == "channels" else (inputs[0][0], *(1,) * rank)

    def elementwise(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        return math.prod(inputs[0])

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        return "first"

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        return HERE * (len(output) - 1) if self.over == "channels" else EVERYWHERE

    def axes(self, shape: Shape) -> tuple[int, ...]:
        """The axes over which it reduces, the batch being axis 0."""
        return (1,) if self.over == "channels" else tuple(range(2, len(shape) + 1))

    def call(self, target: str, shape: Shape) -> TorchCall:
        """The function of torch with this name."""
        return TorchCall("function", target, (self.axes(shape),), {"keepdim": True}, takes=("dim",))

    def reduced(self, op: str, shape: Shape) -> tuple[OnnxCall, ...]:
        """The operator of ONNX with this name."""
        return (OnnxCall(op, (X, Integers(self.axes(shape)))),)

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        return (Phrase(f"{self.name} of {self.over}"),)


def together(signal: Signal) -> Law:
    """The law of all elements at one position, whichever channel they are of."""
    if len(signal) == 1:
        law = signal[0]
        return Law(law.channels, law.mean, law.variance, 0.0, law.pieces, law.profile)
    channels = sum([law.channels for law in signal])
    pieces = tuple([(law.channels / channels * w, m, v) for law in signal for w, m, v in law.mixture])
    mean = sum([w * m for w, m, _ in pieces])
    power = sum([law.channels * law.power for law in signal]) / channels
    return Law(channels, mean, power - mean * mean, 0.0, pieces, signal[0].profile)
