"""Positions that become channels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from archspec.operations.base import TorchCall, argument, module_call
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import Everywhere, Reach
from archspec.operations.onnx import Integers, OnnxCall, Result, X
from archspec.operations.pixel_shuffle import two_axes
from archspec.operations.profiles import Axis
from archspec.operations.shapes import Shape, ShapeFault, show_shape
from archspec.operations.signal import Back, Gradient, Signal, Usage, regrouped
from archspec.operations.traits import Rearranging


@dataclass(frozen=True)
class PixelUnshuffle(Rearranging):
    """``torch.nn.PixelUnshuffle``: a block of positions becomes channels; the inverse of ``pixel_shuffle``."""

    name = "pixel_unshuffle"
    summary = "Rearranges blocks of positions into channels."

    factor: int = argument("integer", "How many times smaller the map becomes along each axis.", minimum=1)

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *size = inputs[0]
        two_axes(inputs[0], self.name)
        shape = (channels * self.factor**2, *(max(length // self.factor, 1) for length in size))
        if any(length % self.factor for length in size):
            divisor = math.gcd(*size)
            found = f"; {divisor} divides both" if divisor > 1 else ""
            raise ShapeFault(
                "E508",
                f"a map of {show_shape(tuple(size))} does not split into blocks of {self.factor}x{self.factor}",
                argument="factor",
                help=f"both sizes must be multiples of `factor`{found}",
                assumed=shape,
            )
        return shape

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        return (Reach(self.factor, self.factor),) * 2

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return module_call("torch.nn.PixelUnshuffle", {"downscale_factor": self.factor}, {}, {})

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        channels, by = inputs[0][0], self.factor
        # ONNX puts channels last within a block, and torch first: the order that a shuffle by groups makes.
        return (
            OnnxCall("SpaceToDepth", (X,), {"blocksize": by}),
            OnnxCall("Shape", (Result(0),)),
            OnnxCall("Reshape", (Result(0), Integers((0, by * by, channels, -1)))),
            OnnxCall("Transpose", (Result(2),), {"perm": (0, 2, 1, 3)}),
            OnnxCall("Reshape", (Result(3), Result(1))),
        )

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        return (Phrase("pixel unshuffle by {}", "factor", self.factor, without="pixel unshuffle"),)

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        square = self.factor**2
        found = []
        for law in values[0]:
            profile = tuple([self._blocks(axis) for axis in law.profile])
            found.append(law._replace(channels=law.channels * square, profile=profile))
        return tuple(found)

    def _blocks(self, axis: Axis) -> Axis:
        starts = range(0, len(axis), self.factor)
        return tuple([sum(axis[start : start + self.factor]) / self.factor for start in starts])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        source = tuple([law._replace(channels=law.channels // self.factor**2) for law in result])
        arrived = regrouped(source, back, values[0])
        # Positions of a block are different channels behind it, whose gradients are uncorrelated.
        before, after = usage.positions
        share = (after - 1) / (before - 1) if before > 1 else 1.0
        return (tuple([Back(each.energy, each.shared * share, each.pieces) for each in arrived]),)
