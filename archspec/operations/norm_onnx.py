"""Normalization in ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.operations.onnx import (
    Floats,
    Integers,
    OnnxCall,
    Operand,
    Result,
    State,
    X,
    channels_first,
    channels_last,
)
from archspec.operations.shapes import Shape


def exported(word: str, given: Mapping[str, Any], shape: Shape) -> tuple[OnnxCall, ...]:
    """The nodes of a norm with these arguments, on a value of this shape."""
    channels, rank, eps = shape[0], len(shape) - 1, given["eps"]
    affine = given["affine"] or word in ("grn", "frozen")
    scale: Operand = State("weight") if affine else Floats(1.0, (channels,))
    shift: Operand = State("bias") if affine else Floats(0.0, (channels,))
    if word in ("batch", "frozen"):
        statistics = (State("running_mean"), State("running_var"))
        return (OnnxCall("BatchNormalization", (X, scale, shift, *statistics), {"epsilon": eps}),)
    if word == "instance":
        return (OnnxCall("InstanceNormalization", (X, scale, shift), {"epsilon": eps}),)
    if word == "layer":
        operands = (Result(0) if rank else X, scale, shift)
        norm = OnnxCall("LayerNormalization", operands, {"axis": -1, "epsilon": eps})
        return (channels_last(rank), norm, channels_first(rank, 1)) if rank else (norm,)
    if word == "rms":
        return _rms(eps, rank, affine=affine)
    if word == "grn":
        return _grn(eps, rank)
    if word == "local_response":
        return _local_response(given, channels)
    return _group(given["groups"], eps, rank, affine=affine)


def _group(groups: int, eps: float, rank: int, *, affine: bool) -> tuple[OnnxCall, ...]:
    """Each group as one instance: until opset 21 ONNX has no group norm with a scale for each channel."""
    ones, zeros = Floats(1.0, (groups,)), Floats(0.0, (groups,))
    normalized = (
        OnnxCall("Reshape", (X, Integers((0, groups, -1)))),
        OnnxCall("InstanceNormalization", (Result(0), ones, zeros), {"epsilon": eps}),
        OnnxCall("Shape"),
        OnnxCall("Reshape", (Result(1), Result(2))),
    )
    if not affine:
        return normalized
    each = Integers((-1, *(1,) * rank))  # a scale and a shift for each channel, at every position
    return (
        *normalized,
        OnnxCall("Reshape", (State("weight"), each)),
        OnnxCall("Mul", (Result(3), Result(4))),
        OnnxCall("Reshape", (State("bias"), each)),
        OnnxCall("Add", (Result(5), Result(6))),
    )


def _rms(eps: float, rank: int, *, affine: bool) -> tuple[OnnxCall, ...]:
    """By its formula: ONNX has this norm from opset 23 on."""
    normalized = (
        OnnxCall("Mul", (X, X)),
        OnnxCall("ReduceMean", (Result(0), Integers((1,))), {"keepdims": 1}),
        OnnxCall("Add", (Result(1), Floats(eps))),
        OnnxCall("Sqrt", (Result(2),)),
        OnnxCall("Div", (X, Result(3))),
    )
    if not affine:
        return normalized
    each = OnnxCall("Reshape", (State("weight"), Integers((-1, *(1,) * rank))))
    return (*normalized, each, OnnxCall("Mul", (Result(4), Result(5))))


def _grn(eps: float, rank: int) -> tuple[OnnxCall, ...]:
    each = Integers((-1, *(1,) * rank))
    return (
        OnnxCall("ReduceL2", (X, Integers(tuple(range(2, rank + 2)))), {"keepdims": 1}),
        OnnxCall("ReduceMean", (Result(0), Integers((1,))), {"keepdims": 1}),
        OnnxCall("Add", (Result(1), Floats(eps))),
        OnnxCall("Div", (Result(0), Result(2))),
        OnnxCall("Mul", (X, Result(3))),
        OnnxCall("Reshape", (State("weight"), each)),
        OnnxCall("Mul", (Result(4), Result(5))),
        OnnxCall("Reshape", (State("bias"), each)),
        OnnxCall("Add", (Result(6), Result(7))),
        OnnxCall("Add", (X, Result(8))),
    )


def _local_response(given: Mapping[str, Any], channels: int) -> tuple[OnnxCall, ...]:
    """By its formula: ONNX's operator has windows of an even size elsewhere, and only over maps."""
    size = given["size"]
    pads = (size // 2, 0, (size - 1) // 2, 0)
    return (
        OnnxCall("Mul", (X, X)),
        OnnxCall("Reshape", (Result(0), Integers((0, 1, channels, -1)))),
        OnnxCall("AveragePool", (Result(1),), {"kernel_shape": (size, 1), "pads": pads, "count_include_pad": 1}),
        OnnxCall("Shape"),
        OnnxCall("Reshape", (Result(2), Result(3))),
        OnnxCall("Mul", (Result(4), Floats(float(given["alpha"])))),
        OnnxCall("Add", (Result(5), Floats(float(given["k"])))),
        OnnxCall("Pow", (Result(6), Floats(float(given["beta"])))),
        OnnxCall("Div", (X, Result(7))),
    )
