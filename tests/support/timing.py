"""Bounds of time, of the processor: what else runs on the machine does not count."""

from __future__ import annotations

import sys

TRACED = 10
"""How many times as long code of small steps may take while its lines are traced, which `make coverage` does."""


def allowed(seconds: float) -> float:
    """The seconds that something may take which takes at most ``seconds`` where nothing watches it."""
    return seconds * (TRACED if sys.gettrace() is not None else 1)
