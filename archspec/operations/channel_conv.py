"""Convolution over the channels of a pooled value."""

from __future__ import annotations

import math
from dataclasses import dataclass

from archspec.operations.base import TorchCall, Weight, argument, module_call
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import Layout, Saved
from archspec.operations.fans import bias_variance, weight_variance
from archspec.operations.onnx import Integers, OnnxCall, Operand, Result, State, X
from archspec.operations.profiles import inside
from archspec.operations.shapes import Shape, ShapeFault, show_shape
from archspec.operations.signal import Gradient, Law, Signal, Usage, averaged, mixed, uniform
from archspec.operations.traits import Local


@dataclass(frozen=True)
class ChannelConv(Local):
    """A convolution over the channels of a value with one position: each channel is read with its neighbors (ECA-Net).

    Wang et al. 2019 (arXiv:1910.03151), section 3.2. The weight is that of a ``torch.nn.Conv1d`` with one channel.
    """

    name = "channel_conv"
    summary = "Convolution over the channels of a pooled value, as in ECA-Net."
    weighted = True
    activation = True
    look = "conv"

    kernel: int = argument(
        "integer", "How many neighboring channels each output reads; must be odd.", default=3, minimum=1
    )
    bias: bool = argument("boolean", "Whether a bias is added.", default=False)

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *size = inputs[0]
        if math.prod(size) != 1:
            raise ShapeFault(
                "E506",
                f"`{self.name}` needs one position, but its input has {show_shape(tuple(size))}",
                help="put `mean: {over: positions}` or a global `pool` before it",
                assumed=inputs[0],
            )
        if not self.kernel % 2:
            raise ShapeFault(
                "E507",
                f"a kernel of {self.kernel} over {channels} channels would give {channels - 1}",
                argument="kernel",
                help=f"use an odd kernel, such as {self.kernel + 1}",
                assumed=inputs[0],
            )
        return inputs[0]

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, Weight]:
        found = {"weight": Weight((1, 1, self.kernel), "conv")}
        if self.bias:
            found["bias"] = Weight((1,), "bias", fan_in=self.kernel)
        return found

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return inputs[0][0] * self.kernel

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        return Saved((0,))

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        return "first"

    def gives_view(self, inputs: tuple[Shape, ...]) -> bool:
        return True

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        args = {"kernel_size": self.kernel}
        return module_call("archspec.emit.modules.ConvOfChannels", args, {"bias": self.bias}, {"bias": False})

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        pad = self.kernel // 2
        operands: tuple[Operand, ...] = (Result(0), *[State(name) for name in self.weights(inputs)])
        return (
            OnnxCall("Reshape", (X, Integers((0, 1, -1)))),
            OnnxCall("Conv", operands, {"pads": (pad, pad)}),
            OnnxCall("Reshape", (Result(1), Integers((0, *inputs[0])))),
        )

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        return (Phrase("conv of channels {}", "kernel", self.kernel, without="conv of channels"),)

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        law, (each, bias), gain = mixed(values[0]), self._spread(usage), self._inside(usage)
        taps = each * self.kernel * gain
        return (Law(law.channels, 0.0, taps * law.within, taps * law.level + bias, (), (), taps * law.fixed),)

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        whole, (each, _) = averaged(result, back), self._spread(usage)
        taps = each * self.kernel * self._inside(usage)
        return (uniform(values[0], taps * whole.energy, taps * whole.shared),)

    def _inside(self, usage: Usage) -> float:
        """The mean share of a window that is not in the padding."""
        channels = usage.inputs[0][0]
        return inside(channels, channels, self.kernel, 1, self.kernel // 2, 1)[0]

    def _spread(self, usage: Usage) -> tuple[float, float]:
        """The variances of the elements of the new weight and bias."""
        weights = self.weights(usage.inputs)
        bias = weights.get("bias")
        spread = bias_variance(bias.fan_in, bias.start(usage.init)) if bias else 0.0
        return weight_variance(weights["weight"].shape, weights["weight"].start(usage.init)), spread
