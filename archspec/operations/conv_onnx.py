"""A convolution in ONNX: padded with what is inside, with standardized weights, or transposed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.operations.onnx import Floats, Integers, NotInOnnx, OnnxCall, Operand, Result, State, X
from archspec.operations.padding import ONNX_MODES
from archspec.operations.windows import Windows


def calls(
    windows: Windows,
    attributes: Mapping[str, Any],
    bias: State | None,
    *,
    mode: str,
    by_size: bool,
    standardized: tuple[float, float | None] | None,
) -> tuple[OnnxCall, ...]:
    """The calls of a convolution.

    Args:
        windows: its windows.
        attributes: its attributes, apart from those of the windows; with an ``output_padding``, it is transposed.
        bias: its bias.
        mode: what the padding contains.
        by_size: whether the padding is TensorFlow's ``SAME`` for whatever size the input has.
        standardized: the ``eps`` and, with a gain, the factor of standardized weights.

    Raises:
        NotInOnnx: the padding depends on the size in a way that ONNX, or onnxruntime, does not have.
    """
    found: list[OnnxCall] = []
    x: Operand = X
    own: dict[str, Any] = dict(windows.onnx())
    if by_size:
        if max(windows.dilation) > 1 or mode != "zeros":
            raise NotInOnnx("how much is padded depends on the size of the input")
        del own["pads"]
        own["auto_pad"] = "SAME_UPPER"
    elif mode != "zeros":
        pads = Integers((0, 0, *windows.padding, 0, 0, *windows.behind))
        found.append(OnnxCall("Pad", (X, pads), {"mode": ONNX_MODES[mode]}))
        x, own = Result(0), dict(windows.inner.onnx())
    weight: Operand = State("weight")
    if standardized is not None:
        found += _standardized(len(windows.kernel), *standardized, first=len(found))
        weight = Result(len(found) - 1)
    op = "ConvTranspose" if "output_padding" in attributes else "Conv"
    operands = (x, weight) if bias is None else (x, weight, bias)
    return (*found, OnnxCall(op, operands, {**own, **attributes}))


def _standardized(rank: int, eps: float, scale: float | None, first: int) -> tuple[OnnxCall, ...]:
    """The calls that give filters of ``rank`` spatial axes the mean 0 and the variance 1; ``first`` is their number.

    With a ``scale``, each filter is then multiplied by it and by its ``gain``.
    """
    weight, axes = State("weight"), Integers(tuple(range(1, rank + 2)))
    mean, centered, square, variance, shifted, deviation, result = (Result(first + place) for place in range(7))
    calls = (
        OnnxCall("ReduceMean", (weight, axes)),
        OnnxCall("Sub", (weight, mean)),
        OnnxCall("Mul", (centered, centered)),
        OnnxCall("ReduceMean", (square, axes)),
        OnnxCall("Add", (variance, Floats(eps))),
        OnnxCall("Sqrt", (shifted,)),
        OnnxCall("Div", (centered, deviation)),
    )
    if scale is None:
        return calls
    gain = OnnxCall("Mul", (State("gain"), Floats(scale)))
    return (*calls, gain, OnnxCall("Mul", (result, Result(first + 7))))
