"""Upsampling by interpolation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from archspec.operations.base import Doubt, TorchCall, argument, module_call
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import Everywhere, Reach
from archspec.operations.onnx import OMITTED, Floats, Input, Integers, OnnxCall, Operand, Result, X
from archspec.operations.resampling import Resampled, Rows, interpolated, nearest, start
from archspec.operations.shapes import Shape, ShapeFault, Size, collapse, per_axis, show_shape, spatial_rank
from archspec.operations.signal import Gradient, Signal, Usage, uniform

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
"""The word for linear interpolation over so many spatial axes, as torch has it."""

TAPS = {"nearest": 1, **dict.fromkeys(LINEAR.values(), 2), "bicubic": 4}
"""How many positions along each axis a position reads."""


@dataclass(frozen=True)
class Upsample(Resampled):
    """``torch.nn.Upsample``: a map enlarged by interpolation.

    A ``scale`` multiplies the size of the input; a ``size`` does not depend on it. With a second input, ``like``, the
    output gets the spatial size of that value. Nothing else of that value is read.
    """

    name = "upsample"
    summary = "Enlarges a map by a `scale` or to a `size`, by interpolation."

    scale: Size | None = argument("size", "How many times larger the map becomes.", default=None, minimum=1)
    size: Size | None = argument("size", "The output's size, in place of a scale.", default=None, minimum=1)
    like: str | None = argument("value", "A kept value; the output gets its spatial size.", default=None)
    mode: str = argument("word", "The interpolation method.", default="nearest", words=tuple(TAPS))
    align_corners: bool = argument(
        "boolean", "Whether the corner positions of the input and the output coincide.", default=False
    )

    def doubts(self) -> Iterator[Doubt]:
        if self.scale is not None and set(self.scale if isinstance(self.scale, tuple) else (self.scale,)) == {1}:
            yield Doubt("scale", "a `scale` of 1 changes nothing", "leave the step out to keep the value")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *size = inputs[0]
        rank = spatial_rank(inputs[0], self.name)
        given = [name for name in ("scale", "size") if getattr(self, name) is not None]
        given += ["like"] if len(inputs) > 1 else []
        if len(given) != 1:
            raise self._unclear(given, inputs[0])
        if len(inputs) > 1:
            if len(inputs[1]) != len(inputs[0]):
                message = f"{show_shape(inputs[0])} cannot have the size of {show_shape(inputs[1])}"
                raise ShapeFault("E504", message, help="name a value with as many axes", assumed=inputs[0])
            shape = (channels, *inputs[1][1:])
        elif self.size is not None:
            shape = (channels, *per_axis(self.size, rank, "size"))
        else:
            scale = per_axis(self.scale or 1, rank, "scale")
            shape = (channels, *(length * by for length, by in zip(size, scale, strict=True)))
        self._check_mode(rank, shape)
        return shape

    @staticmethod
    def _unclear(given: list[str], shape: Shape) -> ShapeFault:
        """The fault of no size, or of several."""
        if given:
            named = " and ".join([f"`{name}`" for name in given])
            message = f"`upsample` takes one of `scale`, `size` and `like`, got {named}"
            return ShapeFault("E206", message, argument=given[-1] if given[-1] != "like" else given[0], assumed=shape)
        help = "write `scale: 2` for twice the size, `size: 56` for that size, or `like: c3` for that of a kept value"
        return ShapeFault("E206", "`upsample` needs `scale`, `size` or `like`", help=help, assumed=shape)

    def gates(self, inputs: tuple[Shape, ...]) -> frozenset[int]:
        return self.measured(inputs)

    def measured(self, inputs: tuple[Shape, ...]) -> frozenset[int]:
        return frozenset(range(1, len(inputs)))

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
        how = {"mode": self.mode, "align_corners": self.align_corners or None}
        usual = {"mode": "nearest", "align_corners": None}
        if len(inputs) > 1:
            told = {key: value for key, value in how.items() if value != usual[key]}
            return TorchCall("function", "archspec.emit.modules.upsample_like", (), told, defaults=usual)
        kwargs = {
            "size": None if self.size is None else collapse(per_axis(self.size, rank, "size")),
            "scale_factor": None if self.scale is None else collapse(per_axis(self.scale, rank, "scale")),
            **how,
        }
        return module_call("torch.nn.Upsample", {}, kwargs, {"size": None, "scale_factor": None, **usual})

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
        if len(inputs) > 1:
            size = OnnxCall("Shape", (Input(1),), {"start": 2})
            return (size, OnnxCall("Resize", (X, OMITTED, OMITTED, Result(0)), attributes))
        if self.size is not None:
            sizes = (OMITTED, Integers(per_axis(self.size, rank, "size")))
        else:
            sizes = (Floats(tuple(map(float, per_axis(self.scale or 1, rank, "scale"))), (rank,)),)
        return (OnnxCall("Resize", (X, OMITTED, *sizes), attributes),)

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        rank = len(inputs[0]) - 1
        what = "upsample" if self.mode == "nearest" else f"{self.mode} upsample"
        if len(inputs) > 1:
            return (Phrase(f"{what} to {{}}", "like", inputs[1][1:], without=what),)
        if self.size is not None:
            return (Phrase(f"{what} to {{}}", "size", per_axis(self.size, rank, "size"), without=what),)
        return (Phrase(f"{what} by {{}}", "scale", collapse(per_axis(self.scale or 1, rank, "scale")), without=what),)

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        return (*super().gradient(usage, values, result, back), *[uniform(value, 0.0, 0.0) for value in values[1:]])


def _whole(number: Fraction) -> int | Fraction:
    return number.numerator if number.denominator == 1 else number
