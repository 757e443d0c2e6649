"""The variances of new weights and biases, by the numbers of inputs and outputs of a layer: its fans."""

from __future__ import annotations

import math

from archspec.operations.shapes import Shape


def weight_variance(shape: Shape, word: str | float) -> float:
    """The variance of the elements of a new filter (out, in, *kernel), by the word of ``init``.

    >>> weight_variance((64, 32, 3, 3), "he-fan-out") == 2 / (64 * 9), weight_variance((10, 75), "torch") == 1 / 225
    (True, True)
    """
    kernel = math.prod(shape[2:])
    fan_in, fan_out = shape[1] * kernel, shape[0] * kernel
    if word == "he-fan-out":
        return 2 / fan_out
    if word == "he-fan-in":
        return 2 / fan_in
    if word == "xavier":
        return 2 / (fan_in + fan_out)
    if word == "torch":
        return 1 / (3 * fan_in)
    return {"normal": 0.01**2, "truncated-normal": 0.02**2}.get(str(word), 0.0)


def bias_variance(fan_in: int, word: str | float) -> float:
    """The variance of the elements of a new bias."""
    return 1 / (3 * fan_in) if word == "torch" else 0.0
