"""Coloring the steps of a form: steps have the same color if all they depend on, and all that depends on them, agree.

This is color refinement on an acyclic graph, in one pass forward and one backward.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from archspec.tracing.canonical_form import CanonicalForm, CanonicalStep


class Palette(dict[Hashable, int]):
    """Numbers things, and gives equal things the same number. It compares them, so that two colors never collide."""

    def __missing__(self, key: Hashable) -> int:
        self[key] = len(self)
        return self[key]


def label(step: CanonicalStep) -> tuple[Any, ...]:
    """What a step is by itself, without its inputs and names."""
    return step.operation, step.attributes, tuple([(slot.role, slot.shape) for slot in step.state])


def forward(form: CanonicalForm, palette: Palette) -> list[int]:
    """Colors by what each step depends on: steps that compute the same expression, names of weights aside, agree."""
    uses = form.uses()
    found: list[int] = []
    for step in form.steps:
        shared = tuple([uses[slot.key] for slot in step.state])
        found.append(palette["forward", label(step), shared, operands(step, found)])
    return found


def operands(step: CanonicalStep, colors: Sequence[int]) -> tuple[int, ...]:
    """The colors of a step's inputs, in order; sorted if the step is commutative."""
    read = [colors[number] for number in step.inputs]
    return tuple(sorted(read)) if step.commutative else tuple(read)


def backward(form: CanonicalForm, palette: Palette, colors: Sequence[int]) -> list[int]:
    """Colors refined by what depends on each step."""
    readers: list[list[tuple[int, int]]] = [[] for _ in form.steps]
    found = [0] * len(form.steps)
    for number in range(len(form.steps) - 1, -1, -1):
        step = form.steps[number]
        found[number] = palette["backward", colors[number], tuple(sorted(readers[number]))]
        for position, source in enumerate(step.inputs):
            readers[source].append((found[number], -1 if step.commutative else position))
    return found


def colors(form: CanonicalForm, palette: Palette) -> list[int]:
    """The colors of one form. To compare two forms, color both with one palette."""
    return backward(form, palette, forward(form, palette))
