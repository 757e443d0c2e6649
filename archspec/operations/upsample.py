"""Upsampling by interpolation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from archspec.operations.base import Doubt, TorchCall, argument, module_call
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import Everywhere, Reach
from archspec.operations.onnx import OMITTED, Floats, Integers, OnnxCall, Operand, X
from archspec.operations.resampling import Resampled, Rows, interpolated, nearest, start
from archspec.operations.shapes import Shape, ShapeFault, Size, collapse, per_axis, spatial_rank

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
"""The word for linear interpolation over so many spatial axes, as torch has it."""

TAPS = {"nearest": 1, **dict.fromkeys(LINEAR.values(), 2), "bicubic": 4}
"""How many positions along each axis a position reads."""


@dataclass(frozen=True)
class Upsample(Resampled):
    """``torch.nn.Upsample``: a map enlarged by interpolation.

    A ``scale`` holds at every size of the input, and a ``size`` is the same whatever the input's is.
    """

    name = "upsample"
    summary = "Enlarges a map by a `scale` or to a `size`, by interpolation."

    scale: Size | None = argument("size", "How many times larger the map becomes.", default=None, minimum=1)
    size: Size | None = argument("size", "The output's size, in place of a scale.", default=None, minimum=1)
    mode: str = argument("word", "How positions between others are computed.", default="nearest", words=tuple(TAPS))
    align_corners: bool = argument(
        "boolean", "Whether the corner positions of input and output are the same place.", default=False
    )

    def doubts(self) -> Iterator[Doubt]:
        if self.scale is not None and set(self.scale if isinstance(self.scale, tuple) else (self.scale,)) == {1}:
            yield Doubt("scale", "a `scale` of 1 changes nothing", "leave the step out to keep the value")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *size = inputs[0]
        rank = spatial_rank(inputs[0], self.name)
        if (self.scale is None) == (self.size is None):
            both = self.scale is not None
            raise ShapeFault(
                "E206",
                "`upsample` takes `scale` or `size`, not both" if both else "`upsample` needs `scale` or `size`",
                argument="size" if both else "",
                help="" if both else "write `scale: 2` for twice the size, or `size: 56` for that size",
                assumed=inputs[0],
            )
        if self.size is not None:
            shape = (channels, *per_axis(self.size, rank, "size"))
        else:
            scale = per_axis(self.scale or 1, rank, "scale")
            shape = (channels, *(length * by for length, by in zip(size, scale, strict=True)))
        self._check_mode(rank, shape)
        return shape

    def _check_mode(self, rank: int, shape: Shape) -> None:
        if self.mode == "nearest":
            if self.align_corners:
                raise ShapeFault(
                    "E206",
                    "`align_corners` is for interpolation, and `mode: nearest` takes the nearest position",
                    argument="align_corners",
                    help=f"write `mode: {LINEAR[rank]}`, or leave `align_corners` out",
                    assumed=shape,
                )
        elif self.mode != LINEAR[rank] and not (self.mode == "bicubic" and rank == 2):
            axes = {"linear": "1 spatial axis", "trilinear": "3 spatial axes"}.get(self.mode, "2 spatial axes")
            raise ShapeFault(
                "E506",
                f"`{self.mode}` interpolates over {axes}, but the value here has {rank}",
                argument="mode",
                help=f"write `mode: {LINEAR[rank]}` or `mode: nearest`",
                assumed=shape,
            )

    def elementwise(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        """Every element that an interpolation reads; nearest neighbors are copied."""
        taps = TAPS[self.mode] ** (len(output) - 1)
        return math.prod(output) * taps if taps > 1 else 0

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        found = []
        for size, count in zip(inputs[0][1:], output[1:], strict=True):
            if self.mode == "nearest":
                found.append(Reach(stride=_whole(Fraction(size, count))))
                continue
            stride, shift = start(size, count, align_corners=self.align_corners)
            taps = TAPS[self.mode]
            found.append(Reach(taps, _whole(stride), _whole(shift + taps // 2 - 1)))
        return tuple(found)

    def rows(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Rows, ...]:
        axes = zip(inputs[0][1:], output[1:], strict=True)
        if self.mode == "nearest":
            return tuple([nearest(*axis) for axis in axes])
        cubic = self.mode == "bicubic"
        return tuple([interpolated(*axis, cubic=cubic, align_corners=self.align_corners) for axis in axes])

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        rank = len(inputs[0]) - 1
        kwargs = {
            "size": None if self.size is None else collapse(per_axis(self.size, rank, "size")),
            "scale_factor": None if self.scale is None else collapse(per_axis(self.scale, rank, "scale")),
            "mode": self.mode,
            "align_corners": self.align_corners or None,
        }
        defaults = {"size": None, "scale_factor": None, "mode": "nearest", "align_corners": None}
        return module_call("torch.nn.Upsample", {}, kwargs, defaults)

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        rank = len(inputs[0]) - 1
        attributes: dict[str, object] = {"axes": tuple(range(2, rank + 2))}
        if self.mode == "nearest":
            attributes |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        else:
            corners = "align_corners" if self.align_corners else "half_pixel"
            attributes |= {"mode": "linear", "coordinate_transformation_mode": corners}
        if self.mode == "bicubic":
            attributes |= {"mode": "cubic", "cubic_coeff_a": -0.75}
        sizes: tuple[Operand, ...]
        if self.size is not None:
            sizes = (OMITTED, Integers(per_axis(self.size, rank, "size")))
        else:
            sizes = (Floats(tuple(map(float, per_axis(self.scale or 1, rank, "scale"))), (rank,)),)
        return (OnnxCall("Resize", (X, OMITTED, *sizes), attributes),)

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        rank = len(inputs[0]) - 1
        what = "upsample" if self.mode == "nearest" else f"{self.mode} upsample"
        if self.size is not None:
            return (Phrase(f"{what} to {{}}", "size", per_axis(self.size, rank, "size"), without=what),)
        return (Phrase(f"{what} by {{}}", "scale", collapse(per_axis(self.scale or 1, rank, "scale")), without=what),)


def _whole(number: Fraction) -> int | Fraction:
    return number.numerator if number.denominator == 1 else number
