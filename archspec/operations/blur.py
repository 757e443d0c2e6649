"""Blurring with a fixed kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass

from archspec.operations.base import TorchCall, argument
from archspec.operations.captions import Caption, strided, windowed
from archspec.operations.effects import Bytes, Everywhere, Layout, Reach, Saved
from archspec.operations.onnx import Floats, Integers, OnnxCall, Result, X
from archspec.operations.resampling import Resampled, Rows
from archspec.operations.shapes import (
    Shape,
    ShapeFault,
    Size,
    collapse,
    lies_both_ways,
    per_axis,
    show_shape,
    spatial_rank,
)
from archspec.operations.windows import Windows


@dataclass(frozen=True)
class Blur(Resampled):
    """Each channel convolved with binomial coefficients, with reflection padding.

    Before a stride, it makes a network less sensitive to shifts (Zhang 2019, section 3.2). The kernel is a constant
    and has no key in the state dict. Its padding is Zhang's: that of ``timm.layers.BlurPool2d`` for odd kernels and
    strides of 1 and 2.
    """

    name = "blur"
    summary = "Blurs each channel with a fixed binomial kernel, before a stride."
    activation = True
    look = "pool"

    kernel: int = argument("integer", "Kernel size along every axis.", default=3, minimum=2, maximum=31)
    stride: Size = argument("size", "Stride.", default=1, minimum=1)

    def windows(self, shape: Shape) -> Windows:
        """Its windows over an input of this shape; an even kernel is padded by one more position at the end."""
        rank = spatial_rank(shape, self.name)
        before = (self.kernel - 1) // 2
        return Windows((self.kernel,) * rank, per_axis(self.stride, rank, "stride"), (before,) * rank, (1,) * rank)

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *size = inputs[0]
        stride = self.windows(inputs[0]).stride
        output = (channels, *(-(-length // by) for length, by in zip(size, stride, strict=True)))
        if min(size) <= self.kernel // 2:
            raise ShapeFault(
                "E502",
                f"a blur of {self.kernel} reflects {self.kernel // 2} positions at a border, "
                f"which an input of {show_shape(tuple(size))} does not have",
                argument="kernel",
                help="use a larger `input`, fewer strides before this step, or a smaller kernel",
                assumed=output,
            )
        return output

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return math.prod(output) * math.prod(self.windows(inputs[0]).kernel)

    def elementwise(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        return 0  # its multiplications and additions are those of a convolution

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        return Saved((0,), more=self._beside(inputs[0]))

    def scratch(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes | None:
        return self._beside(inputs[0])

    def _beside(self, shape: Shape) -> Bytes:
        """The padded input, and the kernel."""
        channels, *size = shape
        added = self.kernel - 1
        return Bytes(channels * math.prod([length + added for length in size]), shared=self.kernel ** len(size))

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        if len(inputs[0]) == 2:
            return "kept" if lies_both_ways(inputs[0]) else "first"
        return super().layout(inputs)

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        windows = self.windows(inputs[0])
        axes = zip(windows.kernel, windows.stride, windows.padding, strict=True)
        return tuple([Reach(kernel, stride, padding) for kernel, stride, padding in axes])

    def rows(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Rows, ...]:
        found = []
        weights, before = binomial(self.kernel), (self.kernel - 1) // 2
        for size, count, stride in zip(inputs[0][1:], output[1:], self.windows(inputs[0]).stride, strict=True):
            rows = []
            for position in range(count):
                row: dict[int, float] = {}
                for tap, weight in enumerate(weights):
                    at = abs(position * stride - before + tap)
                    at = at if at < size else 2 * (size - 1) - at
                    row[at] = row.get(at, 0.0) + weight
                rows.append(tuple(row.items()))
            found.append(tuple(rows))
        return tuple(found)

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        args = (self.kernel, self.windows(inputs[0]).stride)
        return TorchCall("function", "archspec.emit.modules.blur", args, takes=("kernel_size", "stride"))

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        channels, rank = inputs[0][0], len(inputs[0]) - 1
        before, behind = (self.kernel - 1) // 2, self.kernel // 2
        kernel = [1.0]
        for _ in range(rank):
            kernel = [all_before * each for all_before in kernel for each in binomial(self.kernel)]
        one = Floats(tuple(kernel), (1, 1, *(self.kernel,) * rank))
        attributes = {"strides": self.windows(inputs[0]).stride, "group": channels}
        return (
            OnnxCall("Pad", (X, Integers((0, 0, *(before,) * rank, 0, 0, *(behind,) * rank))), {"mode": "reflect"}),
            OnnxCall("Expand", (one, Integers((channels, *(1,) * (rank + 1))))),
            OnnxCall("Conv", (Result(0), Result(1)), attributes),
        )

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        windows = self.windows(inputs[0])
        return (windowed("blur", windows.kernel), strided(collapse(windows.stride)))


def binomial(size: int) -> tuple[float, ...]:
    """Binomial coefficients that sum to 1.

    >>> binomial(3)
    (0.25, 0.5, 0.25)
    """
    return tuple([math.comb(size - 1, tap) / 2 ** (size - 1) for tap in range(size)])
