"""Activation functions in ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.operations.onnx import Floats, Integers, OnnxCall, Result, State, X, sliced
from archspec.operations.shapes import Shape

ONE: Mapping[str, tuple[str, Mapping[str, float]]] = {
    "relu": ("Relu", {}),
    "selu": ("Selu", {}),
    "mish": ("Mish", {}),
    "hardswish": ("HardSwish", {}),
    "hardsigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
}
"""Those without arguments that are one operator, with its attributes."""


def exported(word: str, given: Mapping[str, Any], shape: Shape) -> tuple[OnnxCall, ...]:
    """The nodes of an activation function with these arguments, on a value of this shape."""
    if word in ONE:
        op, attributes = ONE[word]
        return (OnnxCall(op, (X,), attributes),)
    match word:
        case "silu":
            return (OnnxCall("Sigmoid"), OnnxCall("Mul", (X, Result(0))))
        case "relu6":
            return _clipped(0.0, 6.0)
        case "hardtanh":
            return _clipped(given["min"], given["max"])
        case "leaky_relu":
            return (OnnxCall("LeakyRelu", (X,), {"alpha": float(given["slope"])}),)
        case "elu" | "celu":
            return (OnnxCall(word.capitalize(), (X,), {"alpha": float(given["alpha"])}),)
        case "gelu":
            tanh = {"approximate": "tanh"} if given["approximate"] == "tanh" else {}
            return (OnnxCall("Gelu", (X,), tanh),)
        case "prelu":
            slopes = OnnxCall("Reshape", (State("weight"), Integers((-1, *(1,) * (len(shape) - 1)))))
            return (slopes, OnnxCall("PRelu", (X, Result(0))))
        case "log_sigmoid":
            return (OnnxCall("Neg"), OnnxCall("Softplus", (Result(0),)), OnnxCall("Neg", (Result(1),)))
        case "softplus":
            return _softplus(float(given["beta"]))
        case "softmax":
            return _softmax(given["groups"], given["branches"], shape[0])
    half = shape[0] // 2
    gate = OnnxCall("Sigmoid", (Result(1),))
    return (sliced(1, 0, half), sliced(1, half, shape[0]), gate, OnnxCall("Mul", (Result(0), Result(2))))


def _clipped(least: float, greatest: float) -> tuple[OnnxCall, ...]:
    return (OnnxCall("Clip", (X, Floats(float(least)), Floats(float(greatest)))),)


def _softplus(beta: float) -> tuple[OnnxCall, ...]:
    if beta == 1:
        return (OnnxCall("Softplus"),)
    steep = OnnxCall("Mul", (X, Floats(beta)))
    return (steep, OnnxCall("Softplus", (Result(0),)), OnnxCall("Div", (Result(1), Floats(beta))))


def _softmax(groups: int, branches: int | None, channels: int) -> tuple[OnnxCall, ...]:
    if groups == 1 and branches is None:
        return (OnnxCall("Softmax", (X,), {"axis": 1}),)
    split = OnnxCall("Reshape", (X, Integers((0, groups, branches or channels // groups, -1))))
    chosen = OnnxCall("Softmax", (Result(0),), {"axis": 2})
    return (split, chosen, OnnxCall("Shape"), OnnxCall("Reshape", (Result(1), Result(2))))
