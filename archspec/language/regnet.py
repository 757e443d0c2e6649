"""The rule of RegNet that generates widths and counts of stages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

QUANTIZED: Mapping[str, tuple[Callable[[float], bool], str]] = {
    "depth": (lambda value: value <= 1000, "at most 1000"),
    "w_0": (lambda value: 8 <= value <= 1e6, "between 8 and a million"),
    "w_a": (lambda value: 0 <= value <= 1e6, "between 0 and a million"),
    "w_m": (lambda value: 1.01 <= value <= 1e6, "between 1.01 and a million"),
}
"""The allowed numbers of ``quantized_linear``."""


def quantized_linear(
    depth: int, w_0: float, w_a: float, w_m: float, *, quantum: int = 8
) -> tuple[list[int], list[int]]:
    """Widths and counts of the stages by the rule of RegNet (Radosavovic et al. 2020, section 3.3).

    Block ``j`` would have the width ``w_0 + w_a * j``; it takes the nearest power of ``w_m`` above ``w_0``, rounded to
    a multiple of ``quantum``. Blocks of one width are a stage.
    """
    widths = []
    for number in range(depth):
        exponent = round(math.log((w_0 + w_a * number) / w_0) / math.log(w_m))
        widths.append(round(w_0 * w_m**exponent / quantum) * quantum)
    stages = sorted(set(widths))
    return stages, [widths.count(width) for width in stages]
