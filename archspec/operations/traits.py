"""What operations have in common. An operation names its traits as its bases, and overrides only what differs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Self

from archspec.operations.base import Operation
from archspec.operations.effects import HERE, NOTHING, Alias, Bytes, Everywhere, Layout, Reach, Saved
from archspec.operations.shapes import Shape, lies_both_ways
from archspec.operations.signal import Gradient, Law, Signal, Usage


class Lean(Operation):
    """Takes no memory beside its output, and its backward pass reads no value."""

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        return Saved()

    def scratch(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes | None:
        return NOTHING


class Local(Lean):
    """Each position of the output reads the same position of its inputs."""

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        return HERE * (len(output) - 1)


class Elementwise(Local):
    """Computes each element from the same element of its input, and keeps the shape. Zero becomes zero."""

    def elementwise(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        return math.prod(output)

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        return "first" if lies_both_ways(inputs[0]) else "kept"

    def zero_from(self, inputs: tuple[Shape, ...]) -> int | None:
        return 0


class Merge(Local):
    """Computes each element from the same element of all its branches, two at a time."""

    arity = "many"

    def elementwise(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        return (len(inputs) - 1) * math.prod(output)

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        return "first" if len(inputs) > 1 and all(map(lies_both_ways, inputs)) else "kept"

    def alias(self, inputs: tuple[Shape, ...], *, training: bool) -> Alias:
        return "itself" if len(inputs) == 1 else ""


class View(Local):
    """Its output is a view of its input, and nothing is computed."""

    def elementwise(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        return 0

    def alias(self, inputs: tuple[Shape, ...], *, training: bool) -> Alias:
        return "view"


class Dropping(Local):
    """In training it drops something with probability ``p``; otherwise it returns its input itself."""

    p: float

    def elementwise(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        return 0

    def alias(self, inputs: tuple[Shape, ...], *, training: bool) -> Alias:
        return "" if training and self.p else "itself"

    def saved_in_eval(self, inputs: tuple[Shape, ...], needed: tuple[bool, ...]) -> Saved | None:
        return Saved()

    def in_eval(self) -> Self:
        return replace(self, p=0.0)  # type: ignore[call-arg]  # a subclass has it as an argument

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        return tuple([_thinned(law, 1 - self.p) for law in values[0]]) if self.p else values[0]

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        kept = 1 - self.p
        if not self.p or not kept:
            return (tuple([each.scaled(kept) for each in back]),)
        # Of the pieces of the output, the first are the zeros.
        return (
            tuple(
                [
                    each.scaled(1 / kept)._replace(
                        pieces=tuple([piece / kept for piece in each.pieces[1:]] if law.pieces else ())
                    )
                    for law, each in zip(values[0], back, strict=True)
                ]
            ),
        )


def _thinned(law: Law, kept: float) -> Law:
    """The law of elements that are zero unless they are kept, and divided by ``kept`` then."""
    if not kept:
        return Law(law.channels, 0.0, 0.0)
    within = law.power / kept - law.level
    pieces = [(weight * kept, m / kept, v / (kept * kept)) for weight, m, v in law.mixture]
    return Law(law.channels, law.mean, within, law.between, ((1 - kept, 0.0, 0.0), *pieces), *law[5:])


class KeepsFormat(Operation):
    """Its output has its input's memory format. Torch has formats from two spatial axes on; else channels are first."""

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        return "kept" if len(inputs[0]) > 2 else "first"


class Rearranging(Local, KeepsFormat):
    """Copies elements to another place, and computes nothing."""

    def elementwise(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        return 0
