"""What gives several results, each from the one before, to nodes: a ``repeat``, and the blocks of a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.graph.data_flow import NOTHING_LATER, Later
from archspec.graph.environment import Environment
from archspec.graph.graph import Node
from archspec.graph.lookahead import last_repetition
from archspec.graph.named_steps import follows, keep_each
from archspec.graph.names import NameScope
from archspec.graph.orders import Flow
from archspec.graph.repetitions import at_repetition, repetitions
from archspec.language.spec import Step

if TYPE_CHECKING:
    from archspec.graph.sequences import Sequences


def repeat(
    sequences: Sequences, step: Step, env: Environment, scope: NameScope, flow: Flow, value: Node, after: bool
) -> Node:
    """The value after the last repetition, or ``value`` itself if ``times`` is 0."""
    repeated, steps = step.repeated, step.steps or ()
    assert repeated
    times, known = repetitions(step, env), env.kept.follows
    look = known is None and step.has_layer and not after and not flow.alike
    last = last_repetition(step, env) if look else times
    results: list[Node] = []
    for index in range(times):
        here, inner = at_repetition(step, env, index), scope
        if known is None:
            more = after or index < last
        else:
            later = known.repetitions.get((id(step), index), NOTHING_LATER)
            more, here = later.follows, _with_names(sequences, step, here, flow, later)
        if repeated.scope:
            name = sequences.names.render(repeated.scope, here.values)
            inner = sequences.names.open(scope, "sequence", here.values, sequences.provenances.of(step, env).span, name)
        value = sequences.steps(steps, here, inner, flow, value, more)
        results.append(value)
    if step.each:
        keep_each(sequences, step, env, tuple(results))
    return value


def blocks(
    sequences: Sequences, step: Step, env: Environment, scope: NameScope, flow: Flow, value: Node, after: bool
) -> Node:
    """The value after the last block of the stage whose steps these are."""
    assert flow.blocks  # the language has this step only around blocks
    if step.name:
        scope = sequences.names.open(scope, "sequence", env.values, sequences.provenances.of(step, env).span, step.name)
    results = flow.blocks(scope, value)
    if step.each:
        keep_each(sequences, step, env, tuple(results))
    return results[-1]


def _with_names(sequences: Sequences, repeat: Step, env: Environment, flow: Flow, later: Later) -> Environment:
    """The environment of one repetition, which keeps names of its own."""
    found, steps = env.copy(), repeat.steps or ()
    found.kept = env.kept.branch(repeat.repeated.counter if repeat.repeated else "")
    found.kept.follows = follows(sequences, steps, env, flow, later) if any(step.named for step in steps) else None
    return found
