"""Activation functions."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archspec.operations.across import before_gated, before_softmax, gated, softmax
from archspec.operations.act_onnx import exported
from archspec.operations.base import TorchCall, Weight, argument, module_call
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import NOTHING, Bytes, Layout, Saved
from archspec.operations.functions import FUNCTIONS, Function, with_argument
from archspec.operations.mixtures import Passed, before, behind, followed, met
from archspec.operations.onnx import OnnxCall
from archspec.operations.shapes import Shape, ShapeFault, groups_fault, lies_both_ways, unsplit
from archspec.operations.signal import Gradient, Law, Signal, Usage, joined, regrouped
from archspec.operations.traits import Elementwise

ACTIVATIONS = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "LeakyReLU",
    "prelu": "PReLU",
    "elu": "ELU",
    "selu": "SELU",
    "celu": "CELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "mish": "Mish",
    "hardswish": "Hardswish",
    "hardsigmoid": "Hardsigmoid",
    "hardtanh": "Hardtanh",
    "sigmoid": "Sigmoid",
    "log_sigmoid": "LogSigmoid",
    "tanh": "Tanh",
    "softplus": "Softplus",
    "softmax": "Softmax",
    "glu": "GLU",
}
"""The word of the language, and the class in ``torch.nn``. The compiler itself drops ``none``."""

ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "leaky_relu": {"slope": "negative_slope"},
    "prelu": {"initial": "init", "per_channel": ""},
    "elu": {"alpha": "alpha"},
    "celu": {"alpha": "alpha"},
    "gelu": {"approximate": "approximate"},
    "hardtanh": {"min": "min_val", "max": "max_val"},
    "softplus": {"beta": "beta"},
    "softmax": {"groups": "", "branches": ""},
}
"""The arguments that a type reads, and what ``torch.nn`` calls them; empty: it has no such argument."""

# torch has no other of these in place but for ELU, SELU and CELU, whose gradients are then rounded differently.
IN_PLACE = ("relu", "relu6", "leaky_relu", "silu", "mish", "hardswish", "hardsigmoid", "hardtanh")


@dataclass(frozen=True)
class Act(Elementwise):
    """An activation function, element by element; ``softmax`` and ``glu`` read several channels at each position."""

    name = "act"
    summary = "Activation function, at each position."
    setting = "act"
    nonlinear = True
    look = "act"
    attached = True

    type: str = argument("word", "The function.", default="relu", words=tuple(ACTIVATIONS))
    slope: float = argument("number", "The slope below 0, for `leaky_relu`.", default=0.01)
    alpha: float = argument("number", "The scale of the exponential, for `elu` and `celu`.", default=1.0)
    beta: float = argument("number", "The steepness, for `softplus`.", default=1.0)
    min: float = argument("number", "The least value, for `hardtanh`.", default=-1.0)
    max: float = argument("number", "The greatest value, for `hardtanh`.", default=1.0)
    approximate: str = argument(
        "word",
        "Whether `gelu` is exact or approximated with a hyperbolic tangent.",
        default="none",
        words=("none", "tanh"),
    )
    initial: float = argument("number", "The initial value of the learned slope below 0, for `prelu`.", default=0.25)
    per_channel: bool = argument("boolean", "Whether each channel has its own slope, for `prelu`.", default=False)
    groups: int = argument("integer", "Groups of channels, each with its own `softmax`.", default=1, minimum=1)
    branches: int | None = argument(
        "integer", "Branches of equal width; `softmax` weighs them against each other.", default=None, minimum=1
    )

    @property
    def kind(self) -> str:
        return self.type

    @property
    def has_state(self) -> bool:
        return self.type == "prelu"

    @property
    def saves_output(self) -> bool:
        # The derivatives of these are functions of the result; torch computes the others' from the input.
        return self.type in ("relu", "sigmoid", "tanh", "softmax")

    @property
    def saves_output_in_place(self) -> bool:
        # The sign of the result is that of the input, which is all that the derivative of a leaky ReLU needs.
        return self.type in ("relu", "leaky_relu")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        shape = inputs[0]
        if self.type == "glu":
            if shape[0] % 2:
                help = "`glu` multiplies the first half of the channels by a gate that it makes of the second"
                told = f"{unsplit(shape[0])} into two halves"
                raise ShapeFault("E503", told, argument="type", help=help, assumed=shape, channels=True)
            return (shape[0] // 2, *shape[1:])
        if self.type == "softmax":
            self._check_softmax(shape)
        elif self.type == "hardtanh" and self.min >= self.max:
            told = f"`min` must be less than `max`, got {self.min:g} and {self.max:g}"
            raise ShapeFault("E205", told, argument="min", help="`hardtanh` limits values from `min` to `max`")
        elif (self.type == "celu" and not self.alpha) or (self.type == "softplus" and not self.beta):
            name = "alpha" if self.type == "celu" else "beta"
            raise ShapeFault("E205", f"`{name}` must not be 0", argument=name, help=f"`{self.type}` divides by it")
        return shape

    def _check_softmax(self, shape: Shape) -> None:
        if shape[0] % self.groups:
            raise groups_fault(shape[0], self.groups, assumed=shape)
        size = shape[0] // self.groups
        if size % (self.branches or 1):
            raise ShapeFault(
                "E503",
                f"{unsplit(size)} into {self.branches} branches",
                argument="branches",
                help=f"`branches` must divide {size}; {math.gcd(size, self.branches or 1)} does",
                assumed=shape,
                channels=True,
            )

    def _rivals(self, channels: int) -> int:
        """Of how many elements each softmax is."""
        return self.branches or channels // self.groups

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, Weight]:
        if self.type != "prelu":
            return {}
        count = inputs[0][0] if self.per_channel else 1
        return {"weight": Weight((count,), f"constant:{self.initial}", by_torch=True)}

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        if self.type == "log_sigmoid":
            return Saved((0,), more=Bytes(math.prod(inputs[0])))
        return Saved(output=True) if self.saves_output else Saved((0,))

    def elementwise(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        return math.prod(output) * (2 if self.type == "glu" else 1)

    def scratch(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes | None:
        return Bytes(math.prod(output)) if self.type == "log_sigmoid" else NOTHING

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        if self.type in ("softmax", "log_sigmoid"):
            return "first"
        if self.type == "gelu" and len(inputs[0]) > 1 and lies_both_ways(inputs[0]):
            return "last"
        return "kept" if self.type in ("gelu", "relu6", "hardtanh") else super().layout(inputs)  # torch's own way

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        target = f"torch.nn.{ACTIVATIONS[self.type]}"
        if self.type == "gelu" and len(inputs[0]) > 1:
            target = "archspec.emit.modules.PointwiseGELU"
        given, defaults = _torch_arguments(self)
        if self.type == "prelu":
            given = {"num_parameters": inputs[0][0] if self.per_channel else 1, **given}
            defaults = {"num_parameters": 1, **defaults}
        elif self.type == "glu" or (self.type == "softmax" and self.groups == 1 and self.branches is None):
            given = {"dim": 1}
        elif self.type == "softmax":
            target = "archspec.emit.modules.GroupSoftmax"
            given = {"groups": self.groups, "rivals": self._rivals(inputs[0][0])}
        inplace = {"inplace": True} if in_place and self.may_write_in_place() else {}
        return module_call(target, {}, {**given, **inplace}, defaults)

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        given = {name: getattr(self, name) for name in ARGUMENTS.get(self.type, ())}
        return exported(self.type, given, inputs[0])

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        return (Phrase("{}", "act", ACTIVATIONS[self.type]),)

    def gives_view(self, inputs: tuple[Shape, ...]) -> bool:
        if self.type == "softmax":
            return self.groups > 1 or self.branches is not None
        return self.type == "gelu" and len(inputs[0]) > 1

    def may_write_in_place(self) -> bool:
        return self.type in IN_PLACE and (self.type != "leaky_relu" or self.slope >= 0)

    def after_logits(self) -> str:
        return "makes negative logits 0" if self.type in ("relu", "relu6") else ""

    def unread(self) -> Mapping[str, str]:
        read = ARGUMENTS.get(self.type, {})
        given = f"with `type: {self.type}`"
        return {name: given for names in ARGUMENTS.values() for name in names if name not in read}

    def zero_from(self, inputs: tuple[Shape, ...]) -> int | None:
        if self.type == "hardtanh" and not self.min <= 0 <= self.max:
            return None
        return None if self.type in ("sigmoid", "hardsigmoid", "log_sigmoid", "softplus", "softmax") else 0

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        if self.type == "softmax":
            return softmax(values[0], self._rivals(usage.inputs[0][0]))
        if self.type == "glu":
            return gated(values[0])
        return joined([self._behind(usage, law) for law in values[0]])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        if self.type == "softmax":
            return (before_softmax(values[0], self._rivals(usage.inputs[0][0]), result, back),)
        if self.type == "glu":
            return (before_gated(values[0], result, back),)
        arrived = back
        if len(result) < len(values[0]):
            arrived = regrouped(result, back, tuple([self._behind(usage, law) for law in values[0]]))
        pairs = zip(values[0], arrived, strict=True)
        found = [before(usage.once_of(Act._met, self, law), law, each) for law, each in pairs]
        if back[0].following and len(result) == len(arrived):
            function, kinks = _function(self)
            ways = zip(values[0], result, arrived, found, strict=True)
            found = [
                followed(function, kinks, law, out, each, plain) if each.following else plain
                for law, out, each, plain in ways
            ]
        return (tuple(found),)

    def _behind(self, usage: Usage, law: Law) -> Law:
        return behind(*_function(self), law, usage.once_of(Act._met, self, law))

    def _met(self, usage: Usage, law: Law) -> Passed:
        return met(*_function(self), law)


def _torch_arguments(act: Act) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of its class in torch, by the names there, and torch's own values of them."""
    names = {name: there for name, there in ARGUMENTS.get(act.type, {}).items() if there}
    fields = Act.__dataclass_fields__
    given = {there: getattr(act, name) for name, there in names.items()}
    return given, {there: fields[name].default for name, there in names.items()}


def _function(act: Act) -> tuple[Function, tuple[float, ...]]:
    """The function of one number, and where its slope jumps."""
    if act.type in ARGUMENTS:
        key: Any = act  # mypy calls the class of a frozen dataclass unhashable
        return _made(key)
    return FUNCTIONS[act.type]


@functools.lru_cache(256)
def _made(act: Act) -> tuple[Function, tuple[float, ...]]:
    numbers = {name: getattr(act, name) for name in ARGUMENTS[act.type] if name != "per_channel"}
    fields = Act.__dataclass_fields__
    if all(value == fields[name].default for name, value in numbers.items()):
        return FUNCTIONS[act.type]
    return with_argument(act.type, **numbers)
