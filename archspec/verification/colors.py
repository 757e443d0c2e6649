"""Colors of steps: two steps have one color where everything that leads to them, and from them, is the same."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from archspec.tracing.canonical_form import Canonical, CanonicalStep


class Palette(dict[Hashable, int]):
    """A number for each thing, the same for equal things: no hash is trusted, so colors never collide."""

    def __missing__(self, key: Hashable) -> int:
        self[key] = len(self)
        return self[key]


def label(step: CanonicalStep) -> tuple[Any, ...]:
    """What a step is by itself, without its inputs and its names."""
    return step.operation, step.attributes, tuple([(slot.role, slot.shape) for slot in step.state])


def forward(form: Canonical, palette: Palette) -> list[int]:
    """Colors by what leads to each step: an expression, whatever its weights are called."""
    uses = form.uses()
    found: list[int] = []
    for step in form.steps:
        shared = tuple([uses[slot.key] for slot in step.state])
        found.append(palette["forward", label(step), shared, operands(step, found)])
    return found


def operands(step: CanonicalStep, colors: Sequence[int]) -> tuple[int, ...]:
    """The colors of a step's inputs, in an order that means something only where it means something to the step."""
    read = [colors[number] for number in step.inputs]
    return tuple(sorted(read)) if step.commutative else tuple(read)


def backward(form: Canonical, palette: Palette, colors: Sequence[int]) -> list[int]:
    """Colors refined by what each step leads to."""
    readers: list[list[tuple[int, int]]] = [[] for _ in form.steps]
    found = [0] * len(form.steps)
    for number in range(len(form.steps) - 1, -1, -1):
        step = form.steps[number]
        found[number] = palette["backward", colors[number], tuple(sorted(readers[number]))]
        for position, source in enumerate(step.inputs):
            readers[source].append((found[number], -1 if step.commutative else position))
    return found


def colors(form: Canonical, palette: Palette) -> list[int]:
    """The colors of one form; two forms are compared with one palette."""
    return backward(form, palette, forward(form, palette))
