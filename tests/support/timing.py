"""Bounds of time, of the processor: what else runs on the machine does not count, nor how fast the machine is."""

from __future__ import annotations

import sys

from tests.tools.fuzz.clock import Clock

TRACED = 10
"""How many times as long code of small steps may take while its lines are traced, which `make coverage` does."""


def allowed(seconds: float) -> float:
    """The seconds that something may take which takes at most ``seconds`` where nothing watches it.

    They are seconds of the machine of docs/reliability.md. A slower machine, as it is now, has longer ones.
    """
    if sys.gettrace() is not None:
        return seconds * TRACED
    return seconds * max(1.0, Clock().second())
