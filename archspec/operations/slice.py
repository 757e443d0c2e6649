"""Taking a range of channels."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import TorchCall, argument
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import Layout
from archspec.operations.onnx import OnnxCall, sliced
from archspec.operations.shapes import Shape, ShapeFault
from archspec.operations.signal import Gradient, Signal, Usage, cut, regrouped
from archspec.operations.traits import View


@dataclass(frozen=True)
class Slice(View):
    """``x[:, start:stop]``: ShuffleNet-v2's split."""

    name = "slice"
    summary = "Takes a range of channels."

    start: int = argument("integer", "The first channel taken, from 0.", default=0, minimum=0)
    stop: int | None = argument("integer", "The channel before which it ends; by default all.", default=None, minimum=1)

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *size = inputs[0]
        stop = channels if self.stop is None else self.stop
        if stop > channels or self.start >= stop:
            past_end = stop > channels or self.stop is None
            raise ShapeFault(
                "E507",
                f"channels {self.start} up to {stop} cannot be taken from {channels}",
                argument="stop" if stop > channels else "start",
                help=f"use 0 <= start < stop <= {channels}; the channel `stop` itself is not taken",
                assumed=(stop - self.start, *size) if self.start < stop else None,
                channels=past_end,
            )
        return (stop - self.start, *size)

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        # One channel of several has gaps, and what copies it puts it first.
        return "first" if self.shape(inputs)[0] == 1 < inputs[0][0] else "kept"

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        stop = None if self.stop == inputs[0][0] else self.stop  # to the end, however it is written
        return TorchCall("function", "operator.getitem", ((slice(None), slice(self.start, stop)),))

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        stop = self.start + self.shape(inputs)[0]
        return (sliced(1, self.start, stop),)

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        stop = inputs[0][0] if self.stop is None else self.stop
        if stop == self.start + 1:
            return (Phrase("channel {}", "start", self.start, without="one channel"),)
        channels = self.start, stop
        return (Phrase("channels {}", "start", channels, without="some channels", between=" to ", through=True),)

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        return cut(values[0], self.start, self.start + usage.output[0])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        return (regrouped(result, back, values[0], -self.start),)
