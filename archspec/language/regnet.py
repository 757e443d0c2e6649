"""The rule of RegNet that generates widths and counts of stages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from archspec.language.expressions.values import make_divisible

QUANTIZED: Mapping[str, tuple[Callable[[float], bool], str]] = {
    "depth": (lambda value: value <= 1000, "at most 1000"),
    "w_0": (lambda value: 8 <= value <= 1e6, "between 8 and a million"),
    "w_a": (lambda value: 0 <= value <= 1e6, "between 0 and a million"),
    "w_m": (lambda value: 1.01 <= value <= 1e6, "between 1.01 and a million"),
}
"""The allowed numbers of ``quantized_linear``."""


def _nearest(width: int, group: int) -> int:
    return max(group, round(width / group) * group)


ROUNDINGS: Mapping[str, Callable[[int, int], int]] = {"paper": _nearest, "torchvision": make_divisible}
"""How a width becomes a multiple of the group width.

``paper`` is the rule of the authors' code (pycls): the nearest multiple, a half to the even one. ``torchvision`` takes
the next larger multiple at a half, and where the nearest would lose more than a tenth.
"""


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


def in_groups(widths: Sequence[int], group_width: int, rounding: str = "paper") -> tuple[list[int], list[int]]:
    """The widths of the stages as multiples of the group width, and the group width of each stage.

    A group is at most as wide as its stage before rounding. ``rounding`` is a key of ``ROUNDINGS``.
    """
    groups = [min(group_width, width) for width in widths]
    return [ROUNDINGS[rounding](width, group) for width, group in zip(widths, groups, strict=True)], groups
