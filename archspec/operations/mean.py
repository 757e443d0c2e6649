"""The mean of channels or of positions."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import TorchCall, argument
from archspec.operations.onnx import OnnxCall
from archspec.operations.reductions import OVER, Reduction
from archspec.operations.shapes import Shape
from archspec.operations.signal import Back, Gradient, Law, Signal, Usage, profile_of, uniform


@dataclass(frozen=True)
class Mean(Reduction):
    """``torch.mean``. CBAM's spatial attention reads the mean over the channels (Woo et al. 2018, section 3).

    Over the positions, it is global average pooling.
    """

    name = "mean"
    summary = "The mean over the channels at each position, or over the positions of each channel."
    look = "pool"

    over: str = argument("word", "What to average over.", words=OVER)

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return self.call("torch.mean", inputs[0])

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        return self.reduced("ReduceMean", inputs[0])

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        if self.over == "positions":
            return tuple([_pooled(law, usage.positions[0]) for law in values[0]])
        laws, channels = values[0], usage.inputs[0][0]
        mean = sum([law.channels * law.mean for law in laws]) / channels
        within, between, fixed = (
            sum([law.channels * getattr(law, part) for law in laws]) / channels**2
            for part in ("within", "between", "fixed")
        )
        return (Law(1, mean, within, between, (), profile_of(laws), fixed),)

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        if self.over == "channels":
            by = usage.inputs[0][0] ** 2
            return (uniform(values[0], back[0].energy / by, back[0].shared / by, back[0].profile),)
        by = usage.positions[0] ** 2
        return (tuple([Back(each.energy / by, each.energy / by) for each in back]),)


def _pooled(law: Law, positions: int) -> Law:
    level, mean = law.level * law.root**2, law.mean * law.root
    return Law(law.channels, mean, (law.power - level) / positions, level - mean * mean)
