"""Convolution over one to three spatial dimensions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from archspec.operations.base import Doubt, TorchCall, Weight, argument, module_call
from archspec.operations.captions import Caption, Phrase, strided, windowed
from archspec.operations.effects import Layout, Saved
from archspec.operations.fans import bias_variance, weight_variance
from archspec.operations.onnx import OnnxCall, Operand, State, X
from archspec.operations.profiles import reached, root, seen
from archspec.operations.shapes import (
    Shape,
    Size,
    collapse,
    groups_fault,
    lies_both_ways,
    per_axis,
    show_shape,
    spatial_rank,
)
from archspec.operations.signal import (
    Back,
    Gradient,
    Law,
    Signal,
    Usage,
    averaged,
    joined,
    mixed,
    regrouped,
)
from archspec.operations.windows import Windowed, Windows

DEPTHWISE = "depthwise"


@dataclass(frozen=True)
class Conv(Windowed):
    """``torch.nn.Conv1d``, ``Conv2d`` or ``Conv3d``, by the rank of what reaches it.

    Odd kernels are padded by ``dilation * (kernel - 1) // 2`` at any stride, even kernels by 0, axis by axis.
    """

    name = "conv"
    summary = "Convolution; odd kernels are padded to keep the size at stride 1."
    label = "conv{n}"
    weighted = True
    activation = True
    filters = ("weight",)
    look = "conv"

    out: int = argument("integer", "Output channels.", minimum=1)
    kernel: Size = argument("size", "Kernel size.", default=1, minimum=1)
    stride: Size = argument("size", "Stride.", default=1, minimum=1)
    padding: Size | None = argument(
        "size", "Zero padding on both sides; by default odd kernels keep the size.", default=None, minimum=0
    )
    dilation: Size = argument("size", "Distance between the kernel's elements.", default=1, minimum=1)
    groups: int = argument(
        "integer",
        "Groups of channels that do not mix (the cardinality of ResNeXt); `depthwise` is one for each channel.",
        default=1,
        minimum=1,
        named=(DEPTHWISE,),
    )
    bias: bool = argument("boolean", "Whether a bias is added.", default=False)

    def doubts(self) -> Iterator[Doubt]:
        axes = zip(*(_axes(size) for size in (self.padding or 0, self.kernel, self.dilation)), strict=False)
        if any(padding > dilation * (kernel - 1) for padding, kernel, dilation in axes):
            shown = show_shape(_axes(self.padding or 0)[: 1 if isinstance(self.padding, int) else None])
            told = f"a padding of {shown} is wider than the kernel's reach"
            yield Doubt("padding", f"{told}: positions at the border read only zeros", "leave `padding` out")

    @classmethod
    def settled(cls, given: Mapping[str, Any], inputs: tuple[Shape, ...]) -> Mapping[str, Any]:
        return {**given, "groups": inputs[0][0]} if given.get("groups") == DEPTHWISE else given

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *size = inputs[0]
        windows = self.windows(inputs[0])
        output = windows.counts(tuple(size))
        if min(output) < 1:
            raise windows.fault(tuple(size))
        if channels % self.groups or self.out % self.groups:
            culprit, by_input = (channels, True) if channels % self.groups else (self.out, False)
            divisor = math.gcd(channels, self.out)
            help = f"both {channels} and {self.out} must be multiples of `groups`; {divisor} divides both"
            if self.groups == channels > 1:
                help = (
                    "a depthwise convolution keeps the channels: write `out: width`, and change them in another `conv`"
                )
            if channels == self.out:
                help = f"{channels} must be a multiple of `groups`"
            raise groups_fault(culprit, self.groups, (self.out, *output), help, by_input=by_input)
        return (self.out, *output)

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, Weight]:
        channels = inputs[0][0]
        kernel = self.windows(inputs[0]).kernel
        found = {"weight": Weight((self.out, channels // self.groups, *kernel), "conv")}
        if self.bias:
            found["bias"] = Weight((self.out,), "bias", fan_in=channels // self.groups * math.prod(kernel))
        return found

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        kernel = self.windows(inputs[0]).kernel
        return math.prod(output) * (inputs[0][0] // self.groups) * math.prod(kernel)

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        if len(inputs[0]) == 2:  # torch puts channels first, unless they are so already
            return "kept" if lies_both_ways(inputs[0]) else "first"
        return super().layout(inputs)

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        return Saved((0,))  # though only the gradient of the weights reads it, torch keeps it where they are frozen too

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        kwargs = {**self.windows(inputs[0]).arguments(), "groups": self.groups, "bias": self.bias}
        defaults = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}
        args = {"in_channels": inputs[0][0], "out_channels": self.out}
        return module_call(f"torch.nn.Conv{len(inputs[0]) - 1}d", args, kwargs, defaults)

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        operands: tuple[Operand, ...] = (X, *[State(name) for name in self.weights(inputs)])
        return (OnnxCall("Conv", operands, {**self.windows(inputs[0]).onnx(), "group": self.groups}),)

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        windows = self.windows(inputs[0])
        groups = Phrase("{} groups", "groups", self.groups, usual=1, without="grouped")
        others = (strided(collapse(windows.stride)), Phrase("dilation {}", "dilation", collapse(windows.dilation), 1))
        if self.groups == inputs[0][0] == self.out > 1:
            return (windowed("depthwise conv", windows.kernel), *others)
        return (windowed("conv", windows.kernel), Phrase("{}", "out", self.out), groups, *others)

    def with_bias(self) -> Conv:
        return replace(self, bias=True)

    def windows(self, shape: Shape) -> Windows:
        rank = spatial_rank(shape, self.name)
        kernel = per_axis(self.kernel, rank, "kernel")
        dilation = per_axis(self.dilation, rank, "dilation")
        padding = self.padding
        if padding is None:
            padding = tuple([d * (k - 1) // 2 if k % 2 else 0 for k, d in zip(kernel, dilation, strict=True)])
        return Windows(kernel, per_axis(self.stride, rank, "stride"), per_axis(padding, rank, "padding"), dilation)

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        windows, taps, _, bias = usage.once(_taps, self)
        channels = usage.inputs[0][0]
        found = []
        for law in values[0] if self.groups == channels else (mixed(values[0]),):
            gain, level, profile = seen(law.profile, usage.inputs[0][1:], usage.output[1:], windows)
            same = law.level
            power, common = taps * gain * law.power, taps * level * same
            between = min(common / root(profile) ** 2 if common else 0.0, power)
            fixed = taps * gain * (same + law.fixed) - common
            out = self.out * law.channels // channels
            found.append(Law(out, 0.0, power - between, between + bias, (), profile, fixed))
        return joined(found)

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        windows, _, taps, _ = usage.once(_taps, self)
        before, after = usage.positions
        found = []
        for each in back if self.groups == usage.inputs[0][0] else (averaged(result, back),):
            gain, profile = reached(each.profile, usage.inputs[0][1:], usage.output[1:], windows)
            shared = each.shared * gain * min(after / before, 1.0)
            found.append(Back(taps * gain * each.energy, taps * shared, (), profile))
        if len(found) == 1:
            return (tuple(found) * len(values[0]),)
        source = tuple([law._replace(channels=law.channels * usage.inputs[0][0] // self.out) for law in result])
        return (regrouped(source, tuple(found), values[0]),)


def _axes(size: Size) -> tuple[int, ...]:
    """A size for each of three axes, if it is one number; otherwise as it is."""
    return size if isinstance(size, tuple) else (size,) * 3


def _taps(conv: Conv, usage: Usage) -> tuple[Windows, float, float, float]:
    """The windows, the variance of a sum over a window and over the outputs that read an input, and of the bias."""
    shape, init = usage.inputs[0], usage.init
    windows, weights = conv.windows(shape), conv.weights((shape,))
    each = weight_variance(weights["weight"].shape, weights["weight"].start(init)) * math.prod(windows.kernel)
    start = weights.get("bias")
    spread = bias_variance(start.fan_in, start.start(init)) if start else 0.0
    return windows, each * (shape[0] // conv.groups), each * (conv.out // conv.groups), spread
