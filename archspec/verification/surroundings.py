"""Which steps of two networks are at the same place: by what is around them, not by the order of execution."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from archspec.tracing.canonical_form import CanonicalForm, CanonicalStep
from archspec.verification.match import Palette

RADIUS = 8
"""How far around a step is looked: about the length of two blocks' paths to their addition."""


class Surroundings:
    """What is around each step, as colors: at radius 0 its own ``kind``, and with each radius its neighbors'."""

    def __init__(
        self,
        form: CanonicalForm,
        palette: Palette,
        kind: Callable[[CanonicalStep], Hashable] = lambda step: step.operation,
    ) -> None:
        readers: list[list[int]] = [[] for _ in form.steps]
        for number, step in enumerate(form.steps):
            for source in step.inputs:
                readers[source].append(number)
        self.colors = [[palette["kind", kind(step)] for step in form.steps]]
        for _ in range(RADIUS):
            last = self.colors[-1]
            found = [
                palette[
                    "around",
                    last[number],
                    tuple(sorted([last[source] for source in step.inputs])),
                    tuple(sorted([last[reader] for reader in readers[number]])),
                ]
                for number, step in enumerate(form.steps)
            ]
            self.colors.append(found)

    def of(self, number: int) -> Sequence[int]:
        """The colors of a step, by radius."""
        return [colors[number] for colors in self.colors]


def alike(one: Sequence[int], other: Sequence[int]) -> int:
    """Up to which radius the surroundings of two steps agree."""
    return sum(left == right for left, right in zip(one, other, strict=True))
