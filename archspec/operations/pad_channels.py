"""Adding channels of zeros."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import TorchCall, argument
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import Layout
from archspec.operations.onnx import Integers, OnnxCall, X
from archspec.operations.shapes import Shape, ShapeFault
from archspec.operations.signal import Gradient, Law, Signal, Usage, joined, regrouped
from archspec.operations.traits import Rearranging


@dataclass(frozen=True)
class PadChannels(Rearranging):
    """``torch.nn.functional.pad`` of the channels: part of He et al.'s parameter-free shortcut (2015, option A)."""

    name = "pad_channels"
    summary = "Adds channels of zeros."

    out: int = argument("integer", "Output channels, no fewer than the input has.", minimum=1)
    at: str = argument("word", "Where the zeros go.", default="end", words=("end", "both"))

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        shape = (self.out, *inputs[0][1:])
        if self.out < inputs[0][0]:
            raise ShapeFault(
                "E507",
                f"{inputs[0][0]} channels cannot be padded to {self.out}",
                argument="out",
                help="a 1x1 `conv` or `slice` takes channels away",
                assumed=shape,
                channels=True,
            )
        return shape

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        return "kept" if self.out == inputs[0][0] else super().layout(inputs)

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        channels, *size = inputs[0]
        added = self.out - channels
        before = added // 2 if self.at == "both" else 0
        # torch lists the axes from the last to the first.
        return TorchCall("function", "torch.nn.functional.pad", ((*(0, 0) * len(size), before, added - before),))

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        added, rank = self.out - inputs[0][0], len(inputs[0])
        before = added // 2 if self.at == "both" else 0
        pads = (0, before, *(0,) * rank, added - before, *(0,) * (rank - 1))
        return (OnnxCall("Pad", (X, Integers(pads))),)

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        return (Phrase("pad to {}", "out", self.out, without="pad channels"),)

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        added = self.out - usage.inputs[0][0]
        before = added // 2 if self.at == "both" else 0
        zeros = (Law(before, 0.0, 0.0), *values[0], Law(added - before, 0.0, 0.0))
        return joined([law for law in zeros if law.channels])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        before = (self.out - usage.inputs[0][0]) // 2 if self.at == "both" else 0
        return (regrouped(result, back, values[0], before),)
