"""Which layers follow a step in the data's flow, where steps read values by name.

Without names, the data goes through the steps in their order, and :mod:`archspec.graph.lookahead` is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from archspec.graph.environment import Environment
from archspec.graph.lookahead import check_known, decided, has_layer_left
from archspec.graph.repetitions import at_repetition, repetitions, times_of
from archspec.language.context import WIDTH
from archspec.language.spec import Step, Term
from archspec.language.templates import Template
from archspec.work import EXPANDING

RenderAt = Callable[[Template, Environment], str]


class Later(NamedTuple):
    """Whether a layer follows a result, and the names of the values that a layer reads after it."""

    follows: bool = False
    names: Mapping[str, bool] = {}


NOTHING_LATER = Later()


@dataclass(slots=True)
class Follows:
    """Whether a layer follows the result of each step, by its id.

    ``repetitions`` has what follows each repetition of a ``repeat``, by the id of this step and the counter.
    """

    steps: dict[int, bool] = field(default_factory=dict)
    repetitions: dict[tuple[int, int], Later] = field(default_factory=dict)

    def joined(self, other: Follows) -> Follows:
        """What is known of the steps of both."""
        return Follows({**self.steps, **other.steps}, {**self.repetitions, **other.repetitions})


def layers_follow(steps: tuple[Step, ...], env: Environment, render: RenderAt, later: Later) -> Follows:
    """What follows the steps of a scope that may have layers.

    Args:
        later: what follows the result of the last step.
    """
    found = Follows()
    _Backwards(env, render, found, later.names).steps(steps, later.follows)
    return found


class _Backwards:
    """Goes through the steps of one scope from the last to the first. ``names`` are values that later steps read."""

    def __init__(self, env: Environment, render: RenderAt, found: Follows, names: Mapping[str, bool]) -> None:
        self.env, self.render, self.found, self.names = env, render, found, dict(names)

    def steps(self, steps: tuple[Step, ...], follows: bool) -> bool:
        """Whether a layer follows what reaches these steps, given whether one follows their result."""
        self.env.work.spend(EXPANDING, len(steps), self.env.span)
        for step in reversed(steps):
            if step.when is None or self._left(step.when, step):
                follows = self._step(step, follows)
        return follows

    def _step(self, step: Step, follows: bool) -> bool:
        if step.keep:
            follows = self.names.pop(self.render(step.keep, self.env), False) or follows
        self.found.steps[id(step)] = follows
        reads = self._inside(step, follows)
        for value in (*step.values, *step.given.values(), *((step.source,) if step.source else ())):
            name = self.render(value, self.env)
            self.names[name] = self.names.get(name, False) or reads
        return False if step.source or step.values else reads

    def _inside(self, step: Step, follows: bool) -> bool:
        """Whether a layer follows what the step reads."""
        if step.repeated is not None:
            return self._repetitions(step, follows)
        if step.definition is not None:
            return follows or (step.has_layer and has_layer_left(step, self.env))
        if step.branches:
            left = [each for each in step.branches if each.when is None or self._left(each.when, step)]
            inside = [self.steps(branch.steps, follows) for branch in reversed(left)]
            return any(inside)
        inner = self.steps(step.steps, follows) if step.steps is not None else follows
        return step.kind == "layer" or inner

    def _repetitions(self, step: Step, follows: bool) -> bool:
        each = bool(step.each and self.names.pop(self.render(step.each, self.env), False))
        outer, times = self.env, times_of(step)
        if step.has_layer:
            check_known(times, step, outer)
        known = not (step.reads_width and WIDTH in times.names) and times.names <= outer.values.keys()
        for index in reversed(range(repetitions(step, outer) if known else 1)):
            self.env = at_repetition(step, outer, index)
            follows = follows or each
            outer.work.spend(EXPANDING, len(self.names), outer.span)
            self.found.repetitions[id(step), index] = Later(follows, dict(self.names))
            follows = self.steps(step.steps or (), follows)
        self.env = outer
        return follows

    def _left(self, when: Term, step: Step) -> bool:
        if not step.has_layer and (
            (step.reads_width and WIDTH in when.names) or not when.names <= self.env.values.keys()
        ):
            return True  # it may be there
        return decided(when, step, self.env)
