"""A constant factor."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from archspec.operations.base import Doubt, TorchCall, Weight, argument
from archspec.operations.effects import NOTHING, Bytes, Layout, Saved
from archspec.operations.learned import PER, learned_weight, one_start
from archspec.operations.onnx import OnnxCall, State, X, per_channel
from archspec.operations.shapes import Numbers, Shape, by_channel, differ
from archspec.operations.signal import Gradient, Law, Signal, Usage, affine, cut, joined, regrouped
from archspec.operations.traits import Elementwise


@dataclass(frozen=True)
class Scale(Elementwise):
    """``x * by``: how Inception-ResNet scales its residuals (Szegedy et al. 2016, section 3.3).

    With a factor for each channel, torch computes one channel at a time, as torchvision's GoogLeNet does with its
    input. So the factors are exact in every dtype, and they are not in the state dict. A learned factor is a parameter
    with the node's own name, as the gain of SkipInit and NFNet (De and Smith 2020).
    """

    name = "scale"
    summary = "Multiplies by a constant, or by a learned factor."
    attached = True

    by: Numbers = argument("numbers", "The factor, or one for each channel.")

    learned: bool = argument("boolean", "Whether the factor is learned; `by` is its initial value.", default=False)
    per: str = argument(
        "word",
        "Whether each channel has its own learned factor, or the whole value shares one.",
        default="channel",
        words=PER,
    )

    @property
    def has_state(self) -> bool:
        return self.learned

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        if self.learned:
            one_start(self.by, inputs[0])
        by_channel(self.by, inputs[0], "by")
        return inputs[0]

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, Weight]:
        return {"": learned_weight(self.by, self.per, inputs[0])} if self.learned else {}

    def unread(self) -> Mapping[str, str]:
        return {} if self.learned else {"per": "without `learned: true`"}

    def doubts(self) -> Iterator[Doubt]:
        if self.by == 0 and not self.learned:
            yield Doubt("by", "`by: 0` makes every value 0", "leave the step out to keep the value")

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        return Saved((0,) if trainable else ())

    def scratch(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes | None:
        return Bytes(elements=math.prod(output)) if differ(self.by) else NOTHING

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        # torch takes over the strides of an operation with a scalar; joined channels lie first.
        return "first" if differ(self.by) else "kept"

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        if self.learned:
            return TorchCall("function", "torch.mul")
        factor = by_channel(self.by, inputs[0], "by")
        if isinstance(factor, tuple):
            return TorchCall("function", "archspec.emit.modules.scale_channels", (factor,))
        return TorchCall("function", "torch.mul", (factor,))

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        if self.learned:
            return (OnnxCall("Mul", (X, State(""))),)
        return (OnnxCall("Mul", (X, per_channel(by_channel(self.by, inputs[0], "by"), len(inputs[0])))),)

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        return joined([affine(law, by) for law, by in _each(values[0], self.by)])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        pairs = _each(values[0], self.by)
        scaled = tuple([affine(law, by) for law, by in pairs])
        arrived = regrouped(result, back, scaled)
        found = tuple([each.scaled(by * by) for (_, by), each in zip(pairs, arrived, strict=True)])
        return (regrouped(scaled, found, values[0]),)


def _each(signal: Signal, by: Numbers) -> list[tuple[Law, float]]:
    """Laws, each with its number: one for each channel, if the channels have numbers of their own."""
    if not isinstance(by, tuple):
        return [(law, by) for law in signal]
    return [(cut(signal, i, i + 1)[0], each) for i, each in enumerate(by)]
