"""Many specs from both sources, in pieces; what came of them."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from archspec.strategies import SpecText, specs
from tests.interpreter.compare import Outcome, compare
from tests.interpreter.features import features
from tests.interpreter.minimize import minimized
from tests.interpreter.random_specs import Drawn, drawn


@dataclass
class Tally:
    """What came of some specs: outcomes by kind, distinct texts by hash, features, differences with their specs."""

    outcomes: Counter[str] = field(default_factory=Counter)
    exact: int = 0
    texts: set[bytes] = field(default_factory=set)
    features: Counter[str] = field(default_factory=Counter)
    differences: list[tuple[str, Drawn]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """All specs."""
        return sum(self.outcomes.values())

    @property
    def accepted(self) -> int:
        """Those that archspec and the interpreter find valid."""
        return self.count - self.outcomes["refused"] - self.outcomes["not judged"]

    def add(self, other: Tally) -> None:
        """Another one on top of this one."""
        self.outcomes += other.outcomes
        self.exact += other.exact
        self.texts |= other.texts
        self.features += other.features
        self.differences += other.differences

    def compared(self, spec: Drawn) -> None:
        """One more spec."""
        outcome = outcome_of(spec)
        self.outcomes[outcome.kind] += 1
        self.exact += outcome.exact
        digest = hashlib.sha256("\0".join((spec.text, *spec.files.values())).encode()).digest()
        self.texts.add(digest[:12])
        self.features.update(features(spec.text, spec.files))
        if outcome.differs:
            self.differences.append((f"{outcome.kind}: {outcome.detail}", spec))


def outcome_of(spec: Drawn) -> Outcome:
    """The outcome of one spec, written with its files into a folder of its own."""
    if not spec.files:
        return compare(spec.text)
    with tempfile.TemporaryDirectory() as folder:
        return compare(spec.text, spec.save(Path(folder)))


def smaller(spec: Drawn) -> Drawn:
    """A smaller spec with the same kind of difference."""
    kind = outcome_of(spec).kind

    def same(other: Drawn) -> bool:
        try:
            return outcome_of(other).kind == kind
        except Exception:  # the interpreter expects more of a network than may be left
            return False

    return minimized(spec, same)


def random_specs(seed: int, count: int) -> Tally:
    """So many specs of the generator here; the seeds are one after the other."""
    found = Tally()
    for number in range(seed, seed + count):
        found.compared(drawn(number))
    return found


def hypothesis_specs(seed: int, count: int) -> Tally:
    """So many specs of ``archspec.testing.specs()``."""
    found = Tally()

    @seeded(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(specs())
    def one(spec: SpecText) -> None:
        found.compared(Drawn(str(spec)))

    one()
    return found


SOURCES = {"random": random_specs, "hypothesis": hypothesis_specs}
PIECE = 50


def tasks(source: str, seed: int, count: int) -> list[tuple[str, int, int]]:
    """A run of a source in pieces."""
    return [(source, seed + start, min(PIECE, count - start)) for start in range(0, count, PIECE)]


def piece(task: tuple[str, int, int]) -> tuple[str, Tally]:
    """One piece of a run, in a process of its own."""
    torch.set_num_threads(1)
    source, seed, count = task
    return source, SOURCES[source](seed, count)
