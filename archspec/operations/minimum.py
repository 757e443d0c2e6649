"""The smallest of several values."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import argument
from archspec.operations.extremes import Extreme


@dataclass(frozen=True)
class Minimum(Extreme):
    """``min(a, b)``, element by element."""

    name = "minimum"
    summary = "Takes the elementwise minimum of branches of one shape."
    sign = -1.0
    symbol = "min"

    broadcast: bool = argument("boolean", "Whether axes of length 1 are repeated to fit.", default=False)
