"""Whether a layer follows in the data's flow, so that the one before it is not the block's last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archspec.diagnostics import Span, SpecError
from archspec.graph.environment import Environment
from archspec.graph.graph import Builder
from archspec.graph.parameters import enter_fragment
from archspec.language.expressions.values import Value
from archspec.language.spec import Step, Term


@dataclass(frozen=True, slots=True)
class Following:
    """Looks ahead through fragments and branches, after every ``when``. ``base`` is what every fragment sees."""

    builder: Builder
    base: Mapping[str, Value]

    def last_layer(self, steps: tuple[Step, ...], start: int, env: Environment) -> int:
        """The position of the last of ``steps`` in which a layer is left, if it is past ``start``; else ``start``."""
        for position in range(len(steps) - 1, start, -1):
            if steps[position].has_layer and self._layer_in(steps[position], env):
                return position
        return start

    def _layer_in(self, step: Step, env: Environment) -> bool:
        if step.when is not None and not _decided(step.when, env):
            return False
        if step.kind == "layer":
            return True
        if step.definition is not None:
            inner = enter_fragment(step.definition, step, env, self.base, None)
            return self._any_layer(step.definition.steps, inner, step.span)
        inside = step.steps or tuple(item for branch in step.branches for item in branch.steps)
        return self._any_layer(inside, env, step.span)

    def _any_layer(self, steps: tuple[Step, ...], env: Environment, span: Span) -> bool:
        self.builder.expand(len(steps), span)
        return self.last_layer(steps, -1, env) >= 0


def _decided(when: Term, env: Environment) -> bool:
    """Whether a later step is there, as far as that can be known before the shapes on the way to it are."""
    if when.names - env.values.keys() - {"scaled()"}:
        message = "whether this step exists depends on `in_channels`, and an earlier layer must know if it is the last"
        raise SpecError([env.located("E407", message, when, "decide by a parameter instead")])
    return env.truth(when)
