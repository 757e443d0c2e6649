"""Taking every n-th position."""

from __future__ import annotations

import math
from dataclasses import dataclass

from archspec.operations.base import TorchCall, argument
from archspec.operations.captions import Caption, Phrase, strided
from archspec.operations.effects import Everywhere, Reach, Strides
from archspec.operations.onnx import LAST, Integers, OnnxCall, X
from archspec.operations.profiles import reached, seen
from archspec.operations.shapes import Shape, Size, collapse, per_axis, spatial_rank
from archspec.operations.signal import Gradient, Signal, Usage, affine
from archspec.operations.traits import View
from archspec.operations.windows import Windows


@dataclass(frozen=True)
class Subsample(View):
    """``x[:, :, ::2, ::2]``: the spatial part of He et al.'s parameter-free shortcut (2015, option A)."""

    name = "subsample"
    summary = "Takes every n-th position, beginning with the first."

    stride: Size = argument("size", "Distance between the positions taken.", minimum=1)

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *size = inputs[0]
        stride = per_axis(self.stride, spatial_rank(inputs[0], self.name), "stride")
        return (channels, *(-(-s // d) for s, d in zip(size, stride, strict=True)))

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        return tuple(Reach(stride=stride) for stride in per_axis(self.stride, len(output) - 1, "stride"))

    def view_strides(self, inputs: tuple[Shape, ...], strides: Strides) -> Strides | None:
        apart = per_axis(self.stride, len(inputs[0]) - 1, "stride")
        return (*strides[:2], *(stride * each for stride, each in zip(strides[2:], apart, strict=True)))

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        stride = per_axis(self.stride, len(inputs[0]) - 1, "stride")
        everything = (slice(None), slice(None))
        return TorchCall("function", "operator.getitem", ((*everything, *(slice(None, None, d) for d in stride)),))

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        stride = per_axis(self.stride, len(inputs[0]) - 1, "stride")
        axes = tuple(range(2, 2 + len(stride)))
        start, stop = (0,) * len(stride), (LAST,) * len(stride)
        return (OnnxCall("Slice", (X, *map(Integers, (start, stop, axes, stride)))),)

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        return (Phrase("subsample"), strided(collapse(per_axis(self.stride, len(inputs[0]) - 1, "stride"))))

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        found = []
        for law in values[0]:
            gain, _, profile = seen(law.profile, usage.inputs[0][1:], usage.output[1:], self._windows(usage))
            found.append(affine(law, math.sqrt(gain))._replace(profile=profile))
        return tuple(found)

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        before, after = usage.positions
        found = []
        for each in back:
            gain, profile = reached(each.profile, usage.inputs[0][1:], usage.output[1:], self._windows(usage))
            scaled = each.scaled(gain)
            share = after / before
            following = each.following and each.following.scaled(share)
            found.append(scaled._replace(shared=scaled.shared * share, profile=profile, following=following))
        return (tuple(found),)

    def _windows(self, usage: Usage) -> Windows:
        rank = len(usage.output) - 1
        return Windows((1,) * rank, per_axis(self.stride, rank, "stride"), (0,) * rank, (1,) * rank)
