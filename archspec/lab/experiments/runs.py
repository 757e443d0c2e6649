"""What the cells of one network say together: each number with one value for each seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from archspec.lab.cells import CellOutcome
from archspec.lab.experiments.variants import Variant
from archspec.lab.results.number import Number
from archspec.lab.results.results import LostRun
from archspec.wording import Brief


@dataclass(frozen=True, slots=True, repr=False)
class Runs(Brief):
    """The runs of one network, in the order of the seeds; None for a run without a result."""

    variant: Variant
    records: tuple[Any, ...]

    def number(self, read: Callable[[Any], float | None]) -> Number:
        """What ``read`` finds in each record of a run that ended well."""
        return Number.of([read(record) if record and not record["diverged"] else None for record in self.records])

    @property
    def train_accuracy(self) -> Number:
        """The share of right answers on the training images at the end, in eval mode."""
        return self.number(lambda record: record["train"]["accuracy"])

    @property
    def test_accuracy(self) -> Number:
        return self.number(lambda record: record["test"]["accuracy"])

    @property
    def loss(self) -> Number:
        """The training loss of the last epoch: the mean over its steps; None if weights were loaded."""
        return self.number(lambda record: record["epochs"][-1]["loss"] if record["epochs"] else None)

    def epoch(self, number: int, name: str) -> Number:
        """A number of an epoch, which counts from 0, also of a run that diverged later."""
        epochs = [record["epochs"] if record else [] for record in self.records]
        return Number.of([each[number][name] if number < len(each) else None for each in epochs])

    @property
    def diverged(self) -> int:
        """How many runs ended because their loss was not finite."""
        return sum(bool(record and record["diverged"]) for record in self.records)

    def or_chance(self, number: Number, classes: int) -> Number:
        """An accuracy in which a run that diverged counts as chance: its network answers nothing."""
        values = zip(number.values, self.records, strict=True)
        return Number(tuple([1 / classes if record and record["diverged"] else value for value, record in values]))


def runs_of(variants: Sequence[Variant], outcomes: Sequence[CellOutcome], seeds: int) -> tuple[Runs, ...]:
    """The runs of each variant, from outcomes in the order of :func:`archspec.lab.experiments.variants.cells_of`."""
    records = [outcome.result for outcome in outcomes]
    return tuple([Runs(each, tuple(records[i * seeds : (i + 1) * seeds])) for i, each in enumerate(variants)])


def lost_runs(variants: Sequence[Variant], outcomes: Sequence[CellOutcome], seeds: int) -> tuple[LostRun, ...]:
    """The runs that have no result, and why."""
    labels = [(variant.label, seed) for variant in variants for seed in range(seeds)]
    return tuple(_lost(zip(labels, outcomes, strict=True)))


def _lost(named: Iterable[tuple[tuple[str, int], CellOutcome]]) -> Iterable[LostRun]:
    for (label, seed), outcome in named:
        if outcome.result is None:
            yield LostRun(label, seed, outcome.failure or "it has no result")
        elif lost := outcome.result.get("diverged"):
            reason = f"its loss was not finite at step {lost['step']}, in epoch {lost['epoch']}"
            yield LostRun(label, seed, reason, diverged=True)
