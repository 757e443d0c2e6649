"""Channels and positions as a map of another size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archspec.operations.base import TorchCall, argument
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import EVERYWHERE, Everywhere, Layout, Reach, Strides, regrouped_strides
from archspec.operations.onnx import Integers, NotInOnnx, OnnxCall, X
from archspec.operations.shapes import Shape, ShapeFault, Size, show_shape
from archspec.operations.signal import Back, Gradient, Law, Signal, Usage, averaged, mixed, regrouped, uniform
from archspec.operations.traits import View


@dataclass(frozen=True)
class Reshape(View):
    """``torch.reshape`` to a map of a given size; the number of channels is inferred.

    ``{size: 7}`` turns the features of a linear layer into 7x7 maps, ``{size: 1}`` turns all positions into channels,
    and ``{size: [1, width]}`` turns the channels of a pooled value into positions. A list has one size for each
    spatial axis of the output, and one number holds for as many axes as the value has, or the network if it is flat.
    """

    name = "reshape"
    summary = "Rearranges all elements into a map of a `size`, and infers the channels."
    look = "view"

    size: Size = argument("size", "The spatial size; one number holds for every axis.", minimum=1)

    @classmethod
    def settled(cls, given: Mapping[str, Any], inputs: tuple[Shape, ...], rank: int = 2) -> Mapping[str, Any]:
        one = len(inputs[0]) == 1 and rank != 2 and isinstance(given["size"], int)
        return {**given, "size": (given["size"],) * rank} if one else given

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        size = self._size(inputs[0])
        channels, rest = divmod(math.prod(inputs[0]), math.prod(size))
        if rest:
            raise ShapeFault(
                "E508",
                f"the {math.prod(inputs[0])} elements of {show_shape(inputs[0])} make no maps of {show_shape(size)}",
                argument="size",
                help=f"{math.prod(size)} must divide the number of elements",
                assumed=(max(channels, 1), *size),
                channels=True,
            )
        return (channels, *size)

    def _size(self, shape: Shape) -> tuple[int, ...]:
        """The size of the map: as many axes as the value had, and after a flat one two, or those that it is given."""
        return self.size if isinstance(self.size, tuple) else (self.size,) * (len(shape) - 1 or 2)

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        return "first"

    def view_strides(self, inputs: tuple[Shape, ...], strides: Strides) -> Strides | None:
        found = regrouped_strides(inputs[0], strides[1:], self.shape(inputs))
        return None if found is None else (strides[0], *found)

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        return EVERYWHERE

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return TorchCall("function", "archspec.emit.modules.as_maps", (self._size(inputs[0]),), takes=("size",))

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        if not fixed and math.prod(inputs[0][1:]) > 1:
            raise NotInOnnx("how many channels it gives depends on the size of the input")
        return (OnnxCall("Reshape", (X, Integers((0, *self.shape(inputs))))),)

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        return (Phrase("reshape to {}", "size", self.shape(inputs)[1:], without="reshape"),)

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        before, after = usage.positions
        channels = usage.output[0]
        if after <= before:
            laws = [law._replace(channels=law.channels * before // after, profile=()) for law in values[0]]
            if sum([law.channels for law in laws]) == channels:
                return tuple(laws)
        law, share = mixed(values[0]), min(before / after, 1.0)
        apart = law.between * (1 - share)  # what was between channels is between positions
        return (Law(channels, law.mean, law.within + apart, law.between * share, law.pieces, (), law.fixed + apart),)

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        before, after = usage.positions
        share = (after - 1) / (before - 1) if before > max(after, 1) else 1.0
        if len(result) == 1 or after > before:
            whole = averaged(result, back)
            return (uniform(values[0], whole.energy, whole.shared * share),)
        source = tuple([law._replace(channels=law.channels * after // before) for law in result])
        arrived = regrouped(source, back, values[0])
        return (tuple([Back(each.energy, each.shared * share) for each in arrived]),)
