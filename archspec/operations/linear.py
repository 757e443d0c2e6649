"""Linear layers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from archspec.operations.base import TorchCall, Weight, argument, module_call
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import NOTHING, Bytes, Layout, Reads, Saved
from archspec.operations.fans import bias_variance, weight_variance
from archspec.operations.following import layered
from archspec.operations.onnx import OnnxCall, Result, State, X, channels_first, channels_last
from archspec.operations.shapes import Shape
from archspec.operations.signal import (
    Back,
    Gradient,
    Law,
    Signal,
    Usage,
    averaged,
    mixed,
)
from archspec.operations.traits import Local


@dataclass(frozen=True)
class Linear(Local):
    """``torch.nn.Linear``; over the channels, at every position, where the value is spatial."""

    name = "linear"
    summary = "Linear layer; on a spatial value it acts at every position."
    label = "fc{n if n > 1 else ''}"
    weighted = True
    of_features = True
    activation = True
    look = "linear"

    out: int = argument("integer", "Output features.", minimum=1)
    bias: bool = argument("boolean", "Whether a bias is added.", default=True)

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return (self.out, *inputs[0][1:])

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, Weight]:
        features = inputs[0][0]
        found = {"weight": Weight((self.out, features), "linear")}
        if self.bias:
            found["bias"] = Weight((self.out,), "linear_bias", fan_in=features)
        return found

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return inputs[0][0] * math.prod(output)

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        return Saved((0,) if trainable else ())

    def scratch_rearranged(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes:
        return Bytes(math.prod(output)) if self.bias else NOTHING  # the product, to which the bias is then added

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        return "last" if len(inputs[0]) > 1 else "first"

    def reads(self, inputs: tuple[Shape, ...]) -> Reads:
        return "last" if len(inputs[0]) > 1 else ""

    def gives_view(self, inputs: tuple[Shape, ...]) -> bool:
        return len(inputs[0]) > 1

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        target = "torch.nn.Linear" if len(inputs[0]) == 1 else "archspec.emit.modules.PointwiseLinear"
        args = {"in_features": inputs[0][0], "out_features": self.out}
        return module_call(target, args, {"bias": self.bias}, {"bias": True})

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        bias = (State("bias"),) if self.bias else ()
        rank = len(inputs[0]) - 1
        if not rank:
            return (OnnxCall("Gemm", (X, State("weight"), *bias), {"transB": 1}),)
        calls = [
            channels_last(rank),
            OnnxCall("Transpose", (State("weight"),), {"perm": (1, 0)}),
            OnnxCall("MatMul", (Result(0), Result(1))),
        ]
        calls += [OnnxCall("Add", (Result(2), *bias))] if bias else []
        return (*calls, channels_first(rank, len(calls) - 1))

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        return (Phrase("fc" if len(inputs[0]) == 1 else "pointwise fc"), Phrase("{}", "out", self.out))

    def with_bias(self) -> Linear:
        return replace(self, bias=True)

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        weight, bias = self._spread(usage)
        law, features = mixed(values[0]), usage.inputs[0][0]
        within, level = weight * features * law.within, weight * features * law.level
        fixed = weight * features * law.fixed
        return (Law(self.out, 0.0, within, level + bias, (), law.profile, fixed),)

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        weight, bias = self._spread(usage)
        whole = averaged(result, back)
        found = Back(weight * self.out * whole.energy, weight * self.out * whole.shared, (), whole.profile)
        if len(result) == 1 and whole.following:
            found = layered(found, values[0], usage.positions[0], result[0], whole, usage.positions[1], bias)
        return ((found,) * len(values[0]),)

    def _spread(self, usage: Usage) -> tuple[float, float]:
        """The variances of the elements of the new weight and bias."""
        weights = self.weights(usage.inputs)
        bias = weights.get("bias")
        spread = bias_variance(bias.fan_in, bias.start(usage.init)) if bias else 0.0
        return weight_variance(weights["weight"].shape, weights["weight"].start(usage.init)), spread
