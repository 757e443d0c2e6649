"""Convolution over one to three spatial dimensions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from archspec.operations import conv_faults, conv_onnx, conv_signal, transposed
from archspec.operations.base import Doubt, TorchCall, Weight, argument, module_call
from archspec.operations.captions import Caption, Phrase, strided, windowed
from archspec.operations.conv_windows import windows_of
from archspec.operations.effects import Bytes, Everywhere, Layout, Reach, Saved
from archspec.operations.onnx import OnnxCall, State
from archspec.operations.padding import MODES, SAME, VALID, BySide, Sides, check_mode
from archspec.operations.shapes import (
    Shape,
    Size,
    collapse,
    lies_both_ways,
    per_axis,
    spatial_rank,
)
from archspec.operations.signal import Gradient, Signal, Usage
from archspec.operations.windows import Windowed, Windows

DEPTHWISE = "depthwise"


@dataclass(frozen=True)
class Conv(Windowed):
    """``torch.nn.Conv1d``, ``Conv2d`` or ``Conv3d``, by the rank of what reaches it; or ``ConvTranspose1d`` to ``3d``.

    Odd kernels are padded by ``dilation * (kernel - 1) // 2`` at any stride, even kernels by 0, axis by axis.
    """

    name = "conv"
    summary = "Convolution; odd kernels are padded to keep the size at stride 1."
    label = "conv{n}"
    weighted = True
    activation = True
    look = "conv"

    out: int = argument("integer", "Output channels.", minimum=1)
    kernel: Size = argument("size", "Kernel size.", default=1, minimum=1)
    stride: Size = argument("size", "Stride.", default=1, minimum=1)
    padding: Sides | str | None = argument(
        "sides",
        "Padding on both sides of an axis, or a pair: before and after; `same` pads as TensorFlow does, `valid` not at "
        "all; by default, odd kernels keep the size.",
        default=None,
        minimum=0,
        named=(SAME, VALID),
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
    padding_mode: str = argument("word", "What the padding contains.", default="zeros", words=tuple(MODES))
    transposed: bool = argument(
        "boolean", "Whether the convolution is transposed, and enlarges the map by the stride.", default=False
    )
    output_padding: Size | None = argument(
        "size",
        "Positions added at the end of each axis if `transposed`; by default as many as make the size `stride` times "
        "as large, or 0 with `padding`.",
        default=None,
        minimum=0,
    )
    standardized: bool = argument(
        "boolean", "Whether each filter is standardized to mean 0 and variance 1 before use.", default=False
    )
    gain: bool = argument(
        "boolean",
        "Whether each standardized filter is divided by the square root of its number of weights and multiplied by a "
        "learned gain, as in NFNet.",
        default=False,
    )
    gamma: float = argument("number", "A constant factor of the filters, for `gain`.", default=1.0)
    eps: float = argument("number", "Added to the variance of a filter, for `standardized`.", default=1e-6, minimum=0)

    @property
    def filters(self) -> tuple[str, ...]:
        return () if self.transposed else ("weight",)

    def doubts(self) -> Iterator[Doubt]:
        if self.padding is not None and not isinstance(self.padding, str) and not self.transposed:
            yield from conv_faults.wide_padding(self.padding, self.kernel, self.dilation, self.padding_mode)

    def unread(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        if not self.transposed and self.output_padding is not None:
            found["output_padding"] = "without `transposed: true`"
        if not self.standardized:
            found |= dict.fromkeys(("gain", "gamma", "eps"), "without `standardized: true`")
        elif not self.gain:
            found["gamma"] = "without `gain: true`"
        return found

    @classmethod
    def settled(cls, given: Mapping[str, Any], inputs: tuple[Shape, ...], rank: int = 2) -> Mapping[str, Any]:
        return {**given, "groups": inputs[0][0]} if given.get("groups") == DEPTHWISE else given

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *size = inputs[0]
        windows = self.windows(inputs[0])
        if self.transposed:
            output = transposed.lengths(tuple(size), windows, self._more(windows))
            others = {"padding_mode": self.padding_mode != "zeros", "standardized": self.standardized}
            transposed.check(windows, self._more(windows), others, tuple(size), (self.out, *output))
        else:
            output = windows.counts(tuple(size))
            if min(output) < 1:
                raise windows.fault(tuple(size))
        shape = (self.out, *output)
        check_mode(self.padding_mode, BySide(windows.padding, windows.behind), tuple(size), "padding_mode", shape)
        if channels % self.groups or self.out % self.groups:
            raise conv_faults.unsplit_channels(channels, shape, self.groups)
        if self.standardized and math.prod(self.weights(inputs)["weight"].shape[1:]) == 1:
            raise conv_faults.single_weight(shape)
        return shape

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, Weight]:
        channels = inputs[0][0]
        kernel = self.windows(inputs[0]).kernel
        first, second = (channels, self.out) if self.transposed else (self.out, channels)
        found = {"weight": Weight((first, second // self.groups, *kernel), "conv")}
        if self.bias:
            # torch takes the second axis for the fan in, in transposed convolutions too.
            found["bias"] = Weight((self.out,), "bias", fan_in=second // self.groups * math.prod(kernel))
        if self.standardized and self.gain:
            found["gain"] = Weight((self.out, 1, *(1 for _ in kernel)), "one")
        return found

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        kernel = self.windows(inputs[0]).kernel
        places = math.prod(inputs[0][1:] if self.transposed else output[1:])
        return places * self.out * (inputs[0][0] // self.groups) * math.prod(kernel)

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        if len(inputs[0]) == 2:  # torch puts channels first, unless they are so already
            return "kept" if lies_both_ways(inputs[0]) else "first"
        circular = self.padding_mode == "circular" and self._repeats(self.windows(inputs[0]))
        return "first" if circular else super().layout(inputs)

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        # Though only the gradient of the weights reads the input, torch keeps it where they are frozen too.
        more = self._copies(inputs[0])
        statistics = 2 * self.out if self.standardized and trainable else 0
        weights = self._standardized(inputs[0]) + (self.out if self.gain and self.standardized and trainable else 0)
        repeats = self.padding_mode in ("reflect", "replicate") and needed[0]
        kept = (0,) if not more or repeats else ()
        return Saved(kept, more=Bytes(more, shared=statistics, once=weights))

    def scratch(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes | None:
        return Bytes(self._copies(inputs[0]), once=self._standardized(inputs[0]))

    def _standardized(self, shape: Shape) -> int:
        """The elements of the weights with mean 0 and variance 1, which are made in every run."""
        return math.prod(self.weights((shape,))["weight"].shape) if self.standardized else 0

    def _copies(self, shape: Shape) -> int:
        """The elements of the padded input, if it is made before the convolution."""
        windows = self.windows(shape)
        if not self._by_size(windows) and not windows.lopsided and not self._repeats(windows):
            return 0
        return shape[0] * math.prod(windows.padded(shape[1:]))

    def _by_size(self, windows: Windows) -> bool:
        """Whether the padding depends on the size of the input."""
        return self.padding == SAME and max(windows.stride) > 1

    def _repeats(self, windows: Windows) -> bool:
        return self.padding_mode != "zeros" and any((*windows.padding, *windows.behind))

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        windows, rank = self.windows(inputs[0]), len(inputs[0]) - 1
        kwargs = {**windows.arguments(), "groups": self.groups, "bias": self.bias}
        defaults: dict[str, Any] = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}
        args = {"in_channels": inputs[0][0], "out_channels": self.out}
        if self.transposed:
            kwargs["output_padding"] = collapse(self._more(windows))
            return module_call(f"torch.nn.ConvTranspose{rank}d", args, kwargs, {**defaults, "output_padding": 0})
        mode = self.padding_mode if self._repeats(windows) else "zeros"
        word = f"Conv{rank}d"
        if self._by_size(windows) or windows.lopsided:
            word = f"Padded{'Standardized' if self.standardized else ''}{word}"
            kwargs |= {"padding": 0, "sides": SAME if self._by_size(windows) else windows.sides}
            kwargs["mode"] = "constant" if mode == "zeros" else mode
            defaults["mode"] = "constant"
        elif self.standardized:
            word = f"Standardized{word}"
        if self.standardized:
            kwargs |= {"gain": self.gain, "gamma": self.gamma if self.gain else 1.0, "eps": self.eps}
            defaults |= {"gain": False, "gamma": 1.0, "eps": 1e-6}
        if "sides" not in kwargs:
            kwargs["padding_mode"], defaults["padding_mode"] = mode, "zeros"
        package = "torch.nn." if word == f"Conv{rank}d" else "archspec.emit.padded."
        return module_call(f"{package}{word}", args, kwargs, defaults)

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        windows = self.windows(inputs[0])
        return conv_onnx.calls(
            windows,
            {"group": self.groups, **({"output_padding": self._more(windows)} if self.transposed else {})},
            State("bias") if self.bias else None,
            mode=self.padding_mode if self._repeats(windows) else "zeros",
            by_size=self._by_size(windows) and not fixed,
            standardized=(self.eps, self._scale(inputs[0])) if self.standardized else None,
        )

    def _scale(self, shape: Shape) -> float | None:
        """The constant factor of weights with a gain."""
        fan_in = math.prod(self.weights((shape,))["weight"].shape[1:])
        return self.gamma * float(fan_in**-0.5) if self.gain else None

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        windows = self.windows(inputs[0])
        word = "transposed conv" if self.transposed else "conv"
        stride: Any = collapse(windows.stride)
        by = Phrase("\N{MULTIPLICATION SIGN}{}", "stride", stride, usual=1) if self.transposed else strided(stride)
        groups = Phrase("{} groups", "groups", self.groups, usual=1, without="grouped")
        others = (by, Phrase("dilation {}", "dilation", collapse(windows.dilation), 1))
        if self.groups == inputs[0][0] == self.out > 1:
            return (windowed(f"depthwise {word}", windows.kernel), *others)
        return (windowed(word, windows.kernel), Phrase("{}", "out", self.out), groups, *others)

    def with_bias(self) -> Conv | None:
        return None if self.transposed or self.standardized else replace(self, bias=True)

    def windows(self, shape: Shape) -> Windows:
        """Its windows over the input; over the output if it is transposed."""
        rank = spatial_rank(shape, self.name)
        size = shape[1:] if self.padding == SAME else (1,) * rank  # equal windows are found once
        how = (self.kernel, self.stride, self.dilation, self.padding)
        return windows_of(*how, size, enlarges=self.transposed)

    def _more(self, windows: Windows) -> tuple[int, ...]:
        """The output padding of each axis."""
        if self.output_padding is not None:
            return per_axis(self.output_padding, len(windows.kernel), "output_padding")
        if self.padding is not None:
            return (0,) * len(windows.kernel)
        axes = zip(windows.kernel, windows.stride, windows.dilation, strict=True)
        return tuple([transposed.usual_output_padding(*axis) for axis in axes])

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        if not self.transposed:
            return super().reach(inputs, output)
        return tuple([transposed.reach_along(*axis) for axis in zip(*self.windows(inputs[0])[:4], strict=True)])

    def spread(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[float, ...]:
        if not self.transposed:
            return super().spread(inputs, output)
        kernel, stride, _, dilation, _ = self.windows(inputs[0])
        axes = zip(kernel, stride, dilation, strict=True)
        return tuple([d * d * (k * k - 1) / 12 / (s * s) for k, s, d in axes])

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        return conv_signal.forward(usage.once(Conv._filter, self), usage, values[0])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        return (conv_signal.backward(usage.once(Conv._filter, self), usage, values[0], result, back),)

    def _filter(self, usage: Usage) -> conv_signal.Filter:
        """What the rules of the signal ask about its weights and windows."""
        shape = usage.inputs[0]
        windows, weights = self.windows(shape), self.weights((shape,))
        return conv_signal.filter_of(
            windows,
            weights,
            usage.init,
            groups=self.groups,
            transposed=self.transposed,
            mode=self.padding_mode if self._repeats(windows) else "zeros",
            standardized=(self.eps, self._scale(shape)) if self.standardized else None,
        )
