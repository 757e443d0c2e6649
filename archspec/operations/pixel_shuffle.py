"""Channels that become positions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from archspec.operations.base import TorchCall, argument, module_call
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import Everywhere, Reach
from archspec.operations.onnx import OnnxCall, X
from archspec.operations.shapes import Shape, ShapeFault, unsplit
from archspec.operations.signal import Back, Gradient, Law, Signal, Usage, averaged, mixed, uniform
from archspec.operations.traits import Rearranging


@dataclass(frozen=True)
class PixelShuffle(Rearranging):
    """``torch.nn.PixelShuffle``: channels become blocks of positions (Shi et al. 2016, section 3.2)."""

    name = "pixel_shuffle"
    summary = "Rearranges channels into blocks of positions."

    factor: int = argument("integer", "How many times larger the map becomes along each axis.", minimum=1)

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *size = inputs[0]
        square = self.factor**2
        if len(size) == 2 and channels % square:
            raise ShapeFault(
                "E503",
                f"{unsplit(channels)} into blocks of {self.factor}x{self.factor} positions",
                argument="factor",
                help=f"give it a multiple of {square} channels: `{square} * n` for n channels behind it",
                assumed=(max(channels // square, 1), *(length * self.factor for length in size)),
                channels=True,
            )
        two_axes(inputs[0], self.name)
        return (channels // square, *(length * self.factor for length in size))

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        return (Reach(stride=Fraction(1, self.factor) if self.factor > 1 else 1),) * 2

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return module_call("torch.nn.PixelShuffle", {"upscale_factor": self.factor}, {}, {})

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        return (OnnxCall("DepthToSpace", (X,), {"blocksize": self.factor, "mode": "CRD"}),)

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        return (Phrase("pixel shuffle by {}", "factor", self.factor, without="pixel shuffle"),)

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        law, square = mixed(values[0]), self.factor**2
        apart = law.between * (1 - 1 / square)  # what was between channels is now between positions
        profile = tuple([tuple([each for each in axis for _ in range(self.factor)]) for axis in law.profile])
        within, between = law.within + apart, law.between / square
        return (Law(usage.output[0], law.mean, within, between, law.pieces, profile, law.fixed + apart),)

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        whole = averaged(result, back)
        if len(values[0]) == 1:
            kept = whole.pieces if len(whole.pieces) == len(values[0][0].pieces) else ()
            return ((Back(whole.energy, whole.shared, kept),),)
        return (uniform(values[0], whole.energy, whole.shared),)


def two_axes(shape: Shape, operation: str) -> None:
    """Raise ShapeFault unless a value has two spatial axes."""
    rank = len(shape) - 1
    if rank != 2:
        has = f"has {rank}" if rank else f"is flat, with {shape[0]} features"
        raise ShapeFault("E506", f"`{operation}` is for two spatial axes, but the value here {has}")
