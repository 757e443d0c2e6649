"""The driver that runs everywhere: bytes from a seed. Input number n depends on the seed and on n alone."""

from __future__ import annotations

import random
import resource
from collections.abc import Iterable

from tests.tools.fuzz.clock import Clock
from tests.tools.fuzz.harness import HARNESSES, Tally
from tests.tools.fuzz.promise import Broken, collect_as_the_command, peak, watched

CEILING = 2 * 2**30
"""Bytes of address space for a worker: a bomb fails here and not with the machine."""
ENOUGH = 20
"""Broken inputs after which a driver stops."""


def data_of(name: str, seed: int, number: int) -> bytes:
    source = random.Random(f"{name} {seed} {number}")
    return source.randbytes(source.randint(1, HARNESSES[name].length))


def drive(name: str, seed: int, numbers: Iterable[int], *, memory: bool = True) -> Tally:
    """Run inputs of a harness by their numbers."""
    harness, tally, clock = HARNESSES[name], Tally(), Clock()
    for number in numbers:
        case = harness.make(data_of(name, seed, number))
        try:
            tally.count(*watched(lambda case=case: harness.run(case), memory=memory, clock=clock))
        except Broken as error:
            tally.inputs += 1
            tally.broken.append((case, str(error)))
            if len(tally.broken) >= ENOUGH:
                break
    tally.memory = peak()
    return tally


def work(task: tuple[str, int, range]) -> Tally:
    """:func:`drive` in a process of its own."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (CEILING, hard))
    collect_as_the_command()
    return drive(*task)
