"""Pools in ONNX: by windows, to a given size, and of powers."""

from __future__ import annotations

from typing import Any

from archspec.operations.onnx import Floats, Integers, NotInOnnx, OnnxCall, Operand, Result, X, sliced
from archspec.operations.shapes import Shape
from archspec.operations.windows import Windows


def max_calls(windows: Windows, rest: tuple[int, ...] | None) -> tuple[OnnxCall, ...]:
    """A max pool. ``rest``: what a last, partial window takes behind each axis; None: it depends on the size."""
    return (OnnxCall("MaxPool", (X,), _attributes(windows, rest)),)


def average_calls(windows: Windows, rest: tuple[int, ...] | None, *, counted: bool) -> tuple[OnnxCall, ...]:
    """An average pool. ``counted``: whether the padding counts as zeros."""
    attributes = _attributes(windows, rest)
    del attributes["dilations"]
    counted = counted and any((*windows.padding, *windows.behind))
    if not counted or not rest or not any(rest):
        return (OnnxCall("AveragePool", (X,), {**attributes, "count_include_pad": int(counted)}),)
    # The padding counts, and what lies behind it does not: only a padding of its own can tell them apart.
    zeros = Integers((0, 0, *windows.padding, 0, 0, *windows.behind))
    attributes["pads"] = (*(0 for _ in rest), *rest)
    return (OnnxCall("Pad", (X, zeros)), OnnxCall("AveragePool", (Result(0),), attributes))


def same_calls(kind: str, windows: Windows, *, counted: bool) -> tuple[OnnxCall, ...]:
    """A pool of TensorFlow's padding for whatever size the input has. Raises NotInOnnx where onnxruntime has none."""
    if max(windows.dilation) > 1 or (kind == "avg" and counted):
        raise NotInOnnx("how much is padded depends on the size of the input")
    attributes: dict[str, Any] = dict(windows.onnx())
    del attributes["pads"], attributes["dilations"]
    attributes["auto_pad"] = "SAME_UPPER"
    return (OnnxCall("MaxPool" if kind == "max" else "AveragePool", (X,), attributes),)


def power_calls(power: float, size: int, average: tuple[OnnxCall, ...]) -> tuple[OnnxCall, ...]:
    """The root of the sum of powers, of which ``average`` computes the mean over windows of ``size`` elements."""
    (pool,) = average
    return (
        OnnxCall("Pow", (X, Floats(power))),
        OnnxCall(pool.op, (Result(0),), pool.attributes),
        OnnxCall("Mul", (Result(1), Floats(float(size)))),
        OnnxCall("Pow", (Result(2), Floats(1 / power))),
    )


def _attributes(windows: Windows, rest: tuple[int, ...] | None) -> dict[str, Any]:
    if rest is not None:
        return dict(windows.onnx(rest))
    if any(windows.padding) or any(s > k for k, s in zip(windows.kernel, windows.stride, strict=True)):
        raise NotInOnnx("whether a last, partial window counts depends on the size of the input")
    return {**windows.onnx(), "ceil_mode": 1}


def adaptive_calls(kind: str, size: Shape, output: Shape, *, fixed: bool) -> tuple[OnnxCall, ...]:
    """ONNX has global pools alone: equal windows are a pool, and others one slice a window, axis by axis."""
    if set(output) == {1}:
        return (OnnxCall(f"Global{kind}Pool"),)
    if not fixed:
        raise NotInOnnx("its windows depend on the size of the input")
    if not any(s % o for s, o in zip(size, output, strict=True)):
        window = tuple([s // o for s, o in zip(size, output, strict=True)])
        same = set(window) == {1}
        return () if same else (OnnxCall(f"{kind}Pool", (X,), {"kernel_shape": window, "strides": window}),)
    calls: list[OnnxCall] = []
    value: Operand = X
    reduce = "ReduceMax" if kind == "Max" else "ReduceMean"
    for axis, (length, parts) in enumerate(zip(size, output, strict=True), start=2):
        results: list[Operand] = []
        for part in range(parts):  # the windows of torch's adaptive pools
            start, stop = part * length // parts, -(-(part + 1) * length // parts)
            calls += [
                sliced(axis, start, stop, value),
                OnnxCall(reduce, (Result(len(calls)), Integers((axis,)))),
            ]
            results.append(Result(len(calls) - 1))
        calls.append(OnnxCall("Concat", tuple(results), {"axis": axis}))
        value = Result(len(calls) - 1)
    return tuple(calls)
