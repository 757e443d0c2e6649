"""Activation functions as functions of one number, each with its slope, for the signal at initialization."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

Function = Callable[[float], tuple[float, float]]
"""A function of one number: its value and its slope."""


def _piecewise(*parts: tuple[float, float, float]) -> Function:
    """Linear from each edge on: (edge, slope, value at zero)."""

    def function(x: float) -> tuple[float, float]:
        slope, at_zero = next((slope, at_zero) for edge, slope, at_zero in reversed(parts) if x > edge)
        return slope * x + at_zero, slope

    return function


def _relu(x: float) -> tuple[float, float]:
    return (x, 1.0) if x > 0 else (0.0, 0.0)  # as torch's slope at 0, where rectified values are


def _exponential(alpha: float, scale: float) -> Function:
    def function(x: float) -> tuple[float, float]:
        return (scale * x, scale) if x > 0 else (scale * alpha * math.expm1(x), scale * alpha * math.exp(x))

    return function


def _celu(alpha: float) -> Function:
    def function(x: float) -> tuple[float, float]:
        below = x / alpha  # of a negative alpha, the exponential grows
        return (x, 1.0) if x > 0 else (alpha * math.expm1(min(below, 700.0)), math.exp(min(below, 700.0)))

    return function


def _sigmoid(x: float) -> tuple[float, float]:
    value = 0.5 * (1 + math.tanh(0.5 * x))
    return value, value * (1 - value)


def _tanh(x: float) -> tuple[float, float]:
    value = math.tanh(x)
    return value, 1 - value * value


def _gelu(x: float) -> tuple[float, float]:
    below = 0.5 * math.erfc(-x / math.sqrt(2))
    return x * below, below + x * math.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _silu(x: float) -> tuple[float, float]:
    value, slope = _sigmoid(x)
    return x * value, value + x * slope


def _softplus(x: float) -> tuple[float, float]:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x))), _sigmoid(x)[0]


def _steep_softplus(beta: float) -> Function:
    def function(x: float) -> tuple[float, float]:
        value, slope = _softplus(beta * x)
        return value / beta, slope

    return function


def _log_sigmoid(x: float) -> tuple[float, float]:
    value, slope = _softplus(-x)
    return -value, slope


def _tanh_gelu(x: float) -> tuple[float, float]:
    rate = math.sqrt(2 / math.pi)
    value, slope = _tanh(rate * (x + 0.044715 * x * x * x))
    return 0.5 * x * (1 + value), 0.5 * (1 + value) + 0.5 * x * slope * rate * (1 + 3 * 0.044715 * x * x)


def _mish(x: float) -> tuple[float, float]:
    soft, rate = _softplus(x)
    value = math.tanh(soft)
    return x * value, value + x * (1 - value * value) * rate


def _hardswish(x: float) -> tuple[float, float]:
    if abs(x) >= 3:
        return (x, 1.0) if x > 0 else (0.0, 0.0)
    return x * (x + 3) / 6, (2 * x + 3) / 6


_BELOW = -math.inf

FUNCTIONS: Mapping[str, tuple[Function, tuple[float, ...]]] = {
    "relu": (_relu, (0.0,)),
    "relu6": (_piecewise((_BELOW, 0.0, 0.0), (0.0, 1.0, 0.0), (6.0, 0.0, 6.0)), (0.0, 6.0)),
    "leaky_relu": (_piecewise((_BELOW, 0.01, 0.0), (0.0, 1.0, 0.0)), (0.0,)),
    "prelu": (_piecewise((_BELOW, 0.25, 0.0), (0.0, 1.0, 0.0)), (0.0,)),
    "elu": (_exponential(1.0, 1.0), (0.0,)),
    "selu": (_exponential(1.6732632423543772, 1.0507009873554805), (0.0,)),
    "celu": (_exponential(1.0, 1.0), (0.0,)),
    "gelu": (_gelu, ()),
    "silu": (_silu, ()),
    "mish": (_mish, ()),
    "hardswish": (_hardswish, (-3.0, 3.0)),
    "hardsigmoid": (_piecewise((_BELOW, 0.0, 0.0), (-3.0, 1 / 6, 0.5), (3.0, 0.0, 1.0)), (-3.0, 3.0)),
    "hardtanh": (_piecewise((_BELOW, 0.0, -1.0), (-1.0, 1.0, 0.0), (1.0, 0.0, 1.0)), (-1.0, 1.0)),
    "sigmoid": (_sigmoid, ()),
    "log_sigmoid": (_log_sigmoid, ()),
    "tanh": (_tanh, ()),
    "softplus": (_softplus, ()),
}
"""Each function, and where its slope jumps, with the arguments that it has by default."""


def with_argument(word: str, **given: float | str) -> tuple[Function, tuple[float, ...]]:
    """A function with these arguments of :class:`~archspec.operations.act.Act`, and where its slope jumps.

    >>> function, kinks = with_argument("hardtanh", min=0, max=2)
    >>> function(1.5), function(3.0), kinks
    ((1.5, 1.0), (2.0, 0.0), (0.0, 2.0))
    """
    if word == "gelu":
        return _tanh_gelu, ()
    numbers = {name: float(value) for name, value in given.items()}
    if word == "hardtanh":
        least, most = numbers["min"], numbers["max"]
        return _piecewise((_BELOW, 0.0, least), (least, 1.0, 0.0), (most, 0.0, most)), (least, most)
    (number,) = numbers.values()
    if word == "elu":
        return _exponential(number, 1.0), (0.0,)
    if word == "celu":
        return _celu(number), (0.0,)
    if word == "softplus":
        return _steep_softplus(number), ()
    return _piecewise((_BELOW, number, 0.0), (0.0, 1.0, 0.0)), (0.0,)
