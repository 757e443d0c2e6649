"""The largest of channels or of positions."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import TorchCall, argument
from archspec.operations.effects import Saved
from archspec.operations.mixtures import before_largest, largest
from archspec.operations.onnx import OnnxCall
from archspec.operations.reductions import OVER, Reduction, together
from archspec.operations.shapes import Shape
from archspec.operations.signal import Gradient, Signal, Usage, joined, regrouped, uniform


@dataclass(frozen=True)
class Max(Reduction):
    """``torch.amax``. CBAM's spatial attention reads the maximum over the channels (Woo et al. 2018, section 3).

    Over the positions, it is global max pooling. Elements that tie for the maximum share the gradient.
    """

    name = "max"
    summary = "The maximum over the channels at each position, or over the positions of each channel."
    look = "pool"

    over: str = argument("word", "What to take the maximum over.", words=OVER)

    @property
    def saves_output(self) -> bool:
        return True

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        return Saved((0,), output=True)

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return self.call("torch.amax", inputs[0])

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        return self.reduced("ReduceMax", inputs[0])

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        if self.over == "positions":
            return joined([largest(law, usage.positions[0]) for law in values[0]])
        return (largest(together(values[0]), usage.inputs[0][0])._replace(channels=1),)

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        if self.over == "channels":
            law, count = together(values[0]), usage.inputs[0][0]
            found = before_largest(law, count, back[0], 1 / count)
            return (uniform(values[0], found.energy, found.shared),)
        count = usage.positions[0]
        arrived = regrouped(result, back, tuple([largest(law, count) for law in values[0]]))
        pairs = zip(values[0], arrived, strict=True)
        return (tuple([before_largest(law, count, each, 1 / count) for law, each in pairs]),)
