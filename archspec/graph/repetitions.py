"""How often a ``repeat`` repeats its steps, and what the names of a repetition mean."""

from __future__ import annotations

from archspec.graph.builder import too_many_nodes
from archspec.graph.environment import Environment
from archspec.language.extent import extent
from archspec.language.spec import Step, Term
from archspec.work import ENTRIES, EXPANDING

FEW = 64
"""So many repetitions are not compared with the limit of nodes, which each new node is."""


def times_of(step: Step) -> Term:
    """How often a ``repeat`` repeats, as it is written."""
    return step.arguments["times"]


def repetitions(step: Step, env: Environment) -> int:
    """How often a ``repeat`` repeats its steps.

    Raises:
        SpecError: E601 or E603, they must pass a limit.
    """
    times = env.whole(times_of(step), 0)
    limit = env.work.limits.nodes
    if times > min(FEW, limit) and times * max(1, extent(step.steps or ()).nodes) > limit:
        raise too_many_nodes(limit, env.blame(times_of(step)).span, "times")
    steps = times * len(step.steps or ())
    if env.work.spent + steps > env.work.most:  # what they take, they take when they are made
        env.work.spend(EXPANDING, steps, env.blame(times_of(step)).span)
    return times


def at_repetition(step: Step, env: Environment, index: int) -> Environment:
    """The environment of the steps of one repetition, whose counter is ``index``."""
    counter = step.repeated.counter if step.repeated else ""
    if not counter:
        return env
    env.work.spend(EXPANDING, 4 + len(env.values) // ENTRIES, step.span)
    found = env.copy()
    found.values = {**env.values, counter: index}
    return found
