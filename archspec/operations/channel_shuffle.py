"""Mixing the channels of groups."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import TorchCall, argument
from archspec.operations.onnx import Integers, OnnxCall, Result, X
from archspec.operations.shapes import Shape, groups_fault, spatial_rank
from archspec.operations.signal import Gradient, Signal, Usage, mixed, uniform
from archspec.operations.traits import Rearranging


@dataclass(frozen=True)
class ChannelShuffle(Rearranging):
    """``torch.nn.functional.channel_shuffle``: each group's first channel, then each second (ShuffleNet)."""

    name = "channel_shuffle"
    summary = "Reorders channels so that each group meets all others."

    groups: int = argument("integer", "Groups of channels.", minimum=1)

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        spatial_rank(inputs[0], self.name)
        if inputs[0][0] % self.groups:
            raise groups_fault(inputs[0][0], self.groups, assumed=inputs[0])
        return inputs[0]

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return TorchCall("function", "torch.nn.functional.channel_shuffle", (self.groups,), takes=("groups",))

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        split = Integers((0, self.groups, inputs[0][0] // self.groups, -1))
        return (
            OnnxCall("Reshape", (X, split)),
            OnnxCall("Transpose", (Result(0),), {"perm": (0, 2, 1, 3)}),
            OnnxCall("Shape"),
            OnnxCall("Reshape", (Result(1), Result(2))),
        )

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        return (mixed(values[0]),)

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        return (uniform(values[0], back[0].energy, back[0].shared, back[0].profile),) if len(values[0]) > 1 else (back,)
