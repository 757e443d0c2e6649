"""Activation functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archspec.operations.base import TorchCall, argument
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import Layout, Saved
from archspec.operations.functions import FUNCTIONS
from archspec.operations.mixtures import Passed, before, behind, met
from archspec.operations.onnx import Floats, OnnxCall, Result, X
from archspec.operations.shapes import Shape, lies_both_ways
from archspec.operations.signal import Gradient, Law, Signal, Usage, joined, regrouped
from archspec.operations.traits import Elementwise

ACTIVATIONS = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "LeakyReLU",
    "elu": "ELU",
    "selu": "SELU",
    "celu": "CELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "mish": "Mish",
    "hardswish": "Hardswish",
    "hardsigmoid": "Hardsigmoid",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softplus": "Softplus",
}
"""The word of the language, and the class in ``torch.nn``. The compiler itself drops ``none``."""

ONNX: Mapping[str, tuple[str, Mapping[str, float]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}),
    "elu": ("Elu", {"alpha": 1.0}),
    "selu": ("Selu", {}),
    "celu": ("Celu", {"alpha": 1.0}),
    "gelu": ("Gelu", {}),
    "mish": ("Mish", {}),
    "hardswish": ("HardSwish", {}),
    "hardsigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "softplus": ("Softplus", {}),
}
"""Those that are one operator of ONNX, with its attributes."""

# torch has no other of these in place but for ELU, SELU and CELU, whose gradients are then rounded differently.
IN_PLACE = ("relu", "relu6", "leaky_relu", "silu", "mish", "hardswish", "hardsigmoid")


@dataclass(frozen=True)
class Act(Elementwise):
    """An activation function, element by element."""

    name = "act"
    summary = "Activation function, element by element."
    setting = "act"
    nonlinear = True
    look = "act"
    attached = True

    type: str = argument("word", "The function.", default="relu", words=tuple(ACTIVATIONS))

    @property
    def kind(self) -> str:
        return self.type

    @property
    def saves_output(self) -> bool:
        # The derivatives of these three are functions of the result; torch computes the others' from the input.
        return self.type in ("relu", "sigmoid", "tanh")

    @property
    def saves_output_in_place(self) -> bool:
        # The sign of the result is that of the input, which is all that the derivative of a leaky ReLU needs.
        return self.type in ("relu", "leaky_relu")

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        return Saved(output=True) if self.saves_output else Saved((0,))

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        if self.type == "gelu" and len(inputs[0]) > 1 and lies_both_ways(inputs[0]):
            return "last"
        return "kept" if self.type in ("gelu", "relu6") else super().layout(inputs)  # torch sets these up otherwise

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        if self.type == "gelu" and len(inputs[0]) > 1:
            return TorchCall("module", "archspec.emit.modules.PointwiseGELU")
        kwargs = {"inplace": True} if in_place and self.may_write_in_place() else {}
        return TorchCall("module", f"torch.nn.{ACTIVATIONS[self.type]}", (), kwargs)

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        if self.type == "silu":
            return (OnnxCall("Sigmoid"), OnnxCall("Mul", (X, Result(0))))
        if self.type == "relu6":
            return (OnnxCall("Clip", (X, Floats(0.0), Floats(6.0))),)
        op, attributes = ONNX[self.type]
        return (OnnxCall(op, (X,), attributes),)

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        return (Phrase("{}", "act", ACTIVATIONS[self.type]),)

    def gives_view(self, inputs: tuple[Shape, ...]) -> bool:
        return self.type == "gelu" and len(inputs[0]) > 1

    def may_write_in_place(self) -> bool:
        return self.type in IN_PLACE

    def after_logits(self) -> str:
        return "makes negative logits 0" if self.type in ("relu", "relu6") else ""

    def zero_from(self, inputs: tuple[Shape, ...]) -> int | None:
        return None if self.type in ("sigmoid", "hardsigmoid", "softplus") else 0

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        return joined([self._behind(usage, law) for law in values[0]])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        arrived = back
        if len(result) < len(values[0]):
            arrived = regrouped(result, back, tuple([self._behind(usage, law) for law in values[0]]))
        pairs = zip(values[0], arrived, strict=True)
        return (tuple([before(usage.once_of(Act._met, self, law), law, each) for law, each in pairs]),)

    def _behind(self, usage: Usage, law: Law) -> Law:
        return behind(*FUNCTIONS[self.type], law, usage.once_of(Act._met, self, law))

    def _met(self, usage: Usage, law: Law) -> Passed:
        return met(*FUNCTIONS[self.type], law)
