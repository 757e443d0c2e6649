"""The largest of several values."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import argument
from archspec.operations.extremes import Extreme


@dataclass(frozen=True)
class Maximum(Extreme):
    """``max(a, b)``, as maxout and LightCNN take it (Goodfellow et al. 2013; Wu et al. 2018)."""

    name = "maximum"
    summary = "Takes the elementwise maximum of branches of one shape."
    sign = 1.0
    symbol = "max"

    broadcast: bool = argument("boolean", "Whether axes of length 1 are repeated to fit.", default=False)
