"""Taking every n-th position."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import Operation, TorchCall, argument
from archspec.operations.effects import NOTHING, Bytes, Everywhere, Reach, Saved
from archspec.operations.shapes import Shape, Size, per_axis, spatial_rank


@dataclass(frozen=True)
class Subsample(Operation):
    """``x[:, :, ::2, ::2]``: the spatial part of He et al.'s parameter-free shortcut (2015, option A)."""

    name = "subsample"
    summary = "Takes every n-th position, beginning with the first."
    aliases = True

    stride: Size = argument("size", "Distance between the positions taken.", minimum=1)

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *size = inputs[0]
        stride = per_axis(self.stride, spatial_rank(inputs[0], self.name), "stride")
        return (channels, *(-(-s // d) for s, d in zip(size, stride, strict=True)))

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        return Saved()

    def scratch(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes | None:
        return NOTHING

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        return tuple(Reach(stride=stride) for stride in per_axis(self.stride, len(output) - 1, "stride"))

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        stride = per_axis(self.stride, len(inputs[0]) - 1, "stride")
        everything = (slice(None), slice(None))
        return TorchCall("function", "operator.getitem", ((*everything, *(slice(None, None, d) for d in stride)),))
