"""Taking two things in turn, so that a machine whose speed drifts slows both alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Timed = Callable[[int], float]
"""One measurement, in seconds; its argument is the number of the round, so that no round reads what another did."""


@dataclass(frozen=True)
class Case:
    """A ratio to reach: ``work`` against ``peer``.

    ``rounds`` is how many measurements of each side are taken at least; ``spread`` measures the peer against itself
    beside it, which says how much of a ratio is noise.
    """

    name: str
    work: str
    peer: str
    aim: float
    ours: Timed
    theirs: Timed
    rounds: int = 9
    spread: bool = False


@dataclass(frozen=True)
class Result:
    """The medians of a case in seconds, and the ratio of medians; the lowest and highest ratio of single rounds."""

    case: Case
    ours: float
    theirs: float
    low: float
    high: float
    noise: tuple[float, float, float] | None

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs

    @property
    def reached(self) -> bool:
        return self.ratio <= self.case.aim


def measure(case: Case, rounds: int | None = None) -> Result:
    """Measure a case: one round to warm up, then ours and theirs in turn, who comes first changing each round."""
    case.ours(-1)
    case.theirs(-1)
    ours: list[float] = []
    theirs: list[float] = []
    again: list[float] = []
    for number in range(rounds or case.rounds):
        sides = [(case.ours, ours), (case.theirs, theirs)] + ([(case.theirs, again)] if case.spread else [])
        for take, found in sides if number % 2 else reversed(sides):
            found.append(take(number))
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    noise = None
    if again:
        same = [a / b for a, b in zip(again, theirs, strict=True)]
        noise = (statistics.median(again) / statistics.median(theirs), min(same), max(same))
    return Result(case, statistics.median(ours), statistics.median(theirs), min(ratios), max(ratios), noise)


def timed(action: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long ``action`` takes, in seconds of ``clock``.

    What is alive before it, torch's many objects among them, is kept out of the garbage collector meanwhile, so that
    neither side pays for objects of the other.
    """
    gc.collect()
    gc.freeze()
    try:
        start = clock()
        action()
        return clock() - start
    finally:
        gc.unfreeze()
