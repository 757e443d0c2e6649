"""A constant that is added."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from archspec.operations.base import TorchCall, Weight, argument
from archspec.operations.effects import NOTHING, Bytes, Layout
from archspec.operations.learned import PER, learned_weight, one_start
from archspec.operations.onnx import OnnxCall, State, X, per_channel
from archspec.operations.shapes import Numbers, Shape, by_channel, differ
from archspec.operations.signal import Gradient, Signal, Usage, affine, cut, joined, regrouped
from archspec.operations.traits import Elementwise


@dataclass(frozen=True)
class Shift(Elementwise):
    """``x + by``, after a ``scale`` to normalize an input.

    With a number for each channel, torch computes one channel at a time, as torchvision's GoogLeNet does with its
    input. So the numbers are exact in every dtype, and they are not in the state dict. A learned number is a parameter
    with the node's own name: with a learned ``scale``, the affine layer of ResMLP (Touvron et al. 2021).
    """

    name = "shift"
    summary = "Adds a constant, or a learned number."
    attached = True

    by: Numbers = argument("numbers", "The number to add, or one for each channel.")

    learned: bool = argument("boolean", "Whether the number is learned; `by` is its initial value.", default=False)
    per: str = argument(
        "word",
        "Whether each channel has its own learned number, or the whole value shares one.",
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

    def scratch(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes | None:
        return Bytes(elements=math.prod(output)) if differ(self.by) else NOTHING

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        # torch takes over the strides of an operation with a scalar; joined channels lie first.
        return "first" if differ(self.by) else "kept"

    def zero_from(self, inputs: tuple[Shape, ...]) -> int | None:
        return None  # zero becomes the constant

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        if self.learned:
            return TorchCall("function", "torch.add")
        added = by_channel(self.by, inputs[0], "by")
        if isinstance(added, tuple):
            return TorchCall("function", "archspec.emit.modules.shift_channels", (added,))
        return TorchCall("function", "torch.add", (added,))

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        if self.learned:
            return (OnnxCall("Add", (X, State(""))),)
        return (OnnxCall("Add", (X, per_channel(by_channel(self.by, inputs[0], "by"), len(inputs[0])))),)

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        if not isinstance(self.by, tuple):
            return tuple([affine(law, 1.0, self.by) for law in values[0]])
        return joined([affine(cut(values[0], i, i + 1)[0], 1.0, by) for i, by in enumerate(self.by)])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        return (regrouped(result, back, values[0]),)
