"""Mixing the channels of groups."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import Operation, TorchCall, argument
from archspec.operations.effects import HERE, NOTHING, Bytes, Everywhere, Layout, Reach, Saved
from archspec.operations.shapes import Shape, groups_fault, spatial_rank


@dataclass(frozen=True)
class ChannelShuffle(Operation):
    """``torch.nn.functional.channel_shuffle``: each group's first channel, then each second (ShuffleNet)."""

    name = "channel_shuffle"
    summary = "Reorders channels so that each group meets all others."

    groups: int = argument("integer", "Groups of channels.", minimum=1)

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        spatial_rank(inputs[0], self.name)
        if inputs[0][0] % self.groups:
            raise groups_fault(inputs[0][0], self.groups, assumed=inputs[0])
        return inputs[0]

    def elementwise(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        return 0

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        return Saved()

    def scratch(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes | None:
        return NOTHING

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        return "kept" if len(inputs[0]) > 2 else "first"

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        return HERE * (len(output) - 1)

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return TorchCall("function", "torch.nn.functional.channel_shuffle", (self.groups,))
