"""The three harnesses: what an input of bytes becomes, and what must hold of that. Drivers only supply bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.tools.fuzz.anything import anything
from tests.tools.fuzz.expressions import expression
from tests.tools.fuzz.mutate import structured
from tests.tools.fuzz.promise import EXPRESSION_PHASES, PHASES, survive_expression, survive_spec


@dataclass(frozen=True)
class Case:
    """An input as archspec gets it; ``path`` is the file that a spec pretends to be."""

    data: bytes
    path: str | None = None


@dataclass(frozen=True)
class Harness:
    """``make`` turns a driver's bytes into a case, ``run`` gives how many of ``phases`` the case passed."""

    make: Callable[[bytes], Case]
    run: Callable[[Case], int]
    phases: tuple[str, ...]
    length: int
    suffix: str


def _spec(case: Case) -> int:
    return survive_spec(case.data, case.path)


def _expression(case: Case) -> int:
    return survive_expression(case.data.decode("utf-8", "surrogateescape"))


HARNESSES = {
    "bytes": Harness(lambda data: Case(anything(data)), _spec, PHASES, 256, "yaml"),
    "structured": Harness(lambda data: Case(*structured(data)), _spec, PHASES, 64, "yaml"),
    "expressions": Harness(
        lambda data: Case(expression(data).encode("utf-8", "surrogateescape")),
        _expression,
        EXPRESSION_PHASES,
        96,
        "txt",
    ),
}


@dataclass
class Tally:
    """What came of some inputs: how many passed each phase, the slowest, and the most memory; cases that broke it."""

    inputs: int = 0
    passed: list[int] = field(default_factory=lambda: [0] * len(PHASES))
    slowest: float = 0.0
    memory: float = 0.0
    broken: list[tuple[Case, str]] = field(default_factory=list)

    def count(self, phases: int, seconds: float) -> None:
        self.inputs += 1
        self.slowest = max(self.slowest, seconds)
        for phase in range(phases):
            self.passed[phase] += 1

    def add(self, other: Tally) -> None:
        self.inputs += other.inputs
        self.passed = [a + b for a, b in zip(self.passed, other.passed, strict=True)]
        self.slowest = max(self.slowest, other.slowest)
        self.memory = max(self.memory, other.memory)
        self.broken += other.broken
