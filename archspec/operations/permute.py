"""Axes in another order."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import TorchCall, argument
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import EVERYWHERE, HERE, Everywhere, Layout, Reach
from archspec.operations.onnx import NotInOnnx, OnnxCall, X
from archspec.operations.shapes import Shape, ShapeFault, Size, spatial_rank
from archspec.operations.signal import Back, Gradient, Law, Signal, Usage, averaged, mixed, uniform
from archspec.operations.traits import Rearranging


@dataclass(frozen=True)
class Permute(Rearranging):
    """``torch.permute``: ``order: [0, 2, 1]`` swaps height and width, as coordinate attention does.

    It copies the values into their new order, so the next operation reads them as it reads those of a convolution.
    """

    name = "permute"
    summary = "Puts channels and spatial axes into another order."

    order: Size = argument("size", "The input's axes in their new order; 0 is the channels, 1 the first spatial axis.")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        rank = spatial_rank(inputs[0], self.name)
        order = self.order if isinstance(self.order, tuple) else (self.order,)
        if rank > 2:
            raise ShapeFault(
                "E506",
                f"`permute` is for one or two spatial axes, but the value here has {rank}",
                assumed=inputs[0],
            )
        if sorted(order) != list(range(rank + 1)):
            usual = "[0, 2, 1]" if rank == 2 else "[1, 0]"
            raise ShapeFault(
                "E506",
                f"`order` must have each of the axes 0 to {rank} once, got {', '.join(map(str, order))}",
                argument="order",
                help=f"0 is the channels; `order: {usual}` exchanges the last two axes",
                assumed=inputs[0],
            )
        return tuple([inputs[0][axis] for axis in order])

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        return HERE * (len(output) - 1) if self._axes == tuple(range(len(output))) else EVERYWHERE

    @property
    def _axes(self) -> tuple[int, ...]:
        return self.order if isinstance(self.order, tuple) else (self.order,)

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        return "first"

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        axes = (0, *(axis + 1 for axis in self._axes))
        return TorchCall("function", "torch.permute_copy", (axes,), takes=("dims",))

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        if not fixed and self._axes[0]:
            raise NotInOnnx("how many channels it gives depends on the size of the input")
        return (OnnxCall("Transpose", (X,), {"perm": (0, *(axis + 1 for axis in self._axes))}),)

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        return (Phrase("permute {}", "order", self._axes, without="permute", between=" "),)

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        if self._axes[0]:
            law = mixed(values[0])
            return (Law(usage.output[0], law.mean, law.variance, 0.0, law.pieces),)
        found = []
        for law in values[0]:
            profile = tuple([law.profile[axis - 1] for axis in self._axes[1:]]) if law.profile else ()
            found.append(law._replace(profile=profile))
        return tuple(found)

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        if self._axes[0]:
            return (uniform(values[0], averaged(result, back).energy, 0.0),)
        found = []
        for each in back:
            places = [self._axes.index(axis) - 1 for axis in range(1, len(self._axes))]
            profile = tuple([each.profile[place] for place in places]) if each.profile else ()
            found.append(Back(each.energy, each.shared, each.pieces, profile))
        return (tuple(found),)
