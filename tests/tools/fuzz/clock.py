"""The second of the promise on this machine, however fast it is and whatever else runs on it.

A fixed loop of Python is timed in the process whose seconds are judged. A machine where the loop takes twice as long as
on the machine of docs/reliability.md has a second that is twice as long.
"""

from __future__ import annotations

import time

TURNS = 4_000
TAKES = 0.00105
"""Seconds of the processor that the loop takes on the machine of docs/reliability.md."""
FRESH = 1.0
"""Seconds of the processor after which the loop is timed again: a machine may slow down while it is busy."""


def loop() -> int:
    """What compiling a spec is made of: calls, look-ups, small objects, texts."""
    found: dict[str, tuple[int, ...]] = {}
    for number in range(TURNS):
        found[f"a{number & 63}"] = (number, *found.get("a7", ())[:2])
    return len(found)


def timed(repetitions: int = 7) -> float:
    """The least time that the loop takes, of some repetitions: the others were disturbed."""
    times = []
    for _ in range(repetitions):
        start = time.thread_time()
        loop()
        times.append(time.thread_time() - start)
    return min(times)


class Clock:
    """Seconds of the processor as seconds of the promise."""

    def __init__(self) -> None:
        self.at = -FRESH
        self.ratio = 1.0

    def second(self) -> float:
        """How long the promise's second is here and now."""
        if time.thread_time() - self.at >= FRESH:
            self.ratio = timed() / TAKES
            self.at = time.thread_time()
        return self.ratio
