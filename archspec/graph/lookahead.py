"""Whether a layer follows in the data's flow, so that the one before it is not the block's last."""

from __future__ import annotations

from archspec.diagnostics import SpecError
from archspec.graph.environment import Environment
from archspec.graph.parameters import enter_fragment
from archspec.graph.repetitions import at_repetition, repetitions, times_of
from archspec.language.context import WIDTH
from archspec.language.spec import Step, Term
from archspec.work import EXPANDING


def last_layer(steps: tuple[Step, ...], start: int, env: Environment) -> int:
    """The position of the last of ``steps`` in which a layer is left, if it is past ``start``; else ``start``.

    Looks through fragments and branches, after every ``when``.
    """
    env.work.spend(EXPANDING, len(steps) - start, env.span)
    for position in range(len(steps) - 1, start, -1):
        if steps[position].has_layer and has_layer_left(steps[position], env):
            return position
    return start


def has_layer_left(step: Step, env: Environment) -> bool:
    """Whether a layer is left of a step after every ``when``, at any depth."""
    if step.when is not None and not decided(step.when, step, env):
        return False
    if step.kind == "layer":
        return True
    if step.repeated is not None:
        return last_repetition(step, env) >= 0
    if step.definition is not None:
        inside, env = step.definition.steps, enter_fragment(step.definition, step, env, None)
    elif step.branches:
        return any(
            last_layer(branch.steps, -1, env) >= 0
            for branch in step.branches
            if branch.when is None or decided(branch.when, step, env)
        )
    else:
        inside = step.steps or ()
    return last_layer(inside, -1, env) >= 0


def last_repetition(step: Step, env: Environment) -> int:
    """The counter of the last repetition of a ``repeat`` in which a layer is left, or -1."""
    check_known(times_of(step), step, env)
    times, steps = repetitions(step, env), step.steps or ()
    if step.repeated and not step.repeated.counter:  # all are alike
        return times - 1 if times and last_layer(steps, -1, env) >= 0 else -1
    counters = reversed(range(times))
    return next((each for each in counters if last_layer(steps, -1, at_repetition(step, env, each)) >= 0), -1)


def may_have_layer(steps: tuple[Step, ...], env: Environment) -> bool:
    """Whether a layer may be left of ``steps``, where ``env`` lacks what is not known yet.

    A condition that cannot be decided may hold. Of a fragment, only the condition of its call counts.
    """
    env.work.spend(EXPANDING, len(steps), env.span)
    return any(step.has_layer and _may_have_layer(step, env) for step in steps)


def _may_have_layer(step: Step, env: Environment) -> bool:
    if not _may_hold(step.when, step, env):
        return False
    if step.kind == "sequence":
        return may_have_layer(step.steps or (), env)
    if step.repeated is not None:
        known = not step.reads_width and times_of(step).names <= env.values.keys()
        return not (known and repetitions(step, env) == 0) and may_have_layer(step.steps or (), env)
    if step.branches:
        return any(may_have_layer(each.steps, env) for each in step.branches if _may_hold(each.when, step, env))
    return True


def _may_hold(when: Term | None, step: Step, env: Environment) -> bool:
    if when is None or (step.reads_width and WIDTH in when.names) or not when.names <= env.values.keys():
        return True
    return env.truth(when)


def all_left_out(steps: tuple[Step, ...], env: Environment) -> bool:
    """Whether there are steps, and ``when`` leaves out all of them.

    Steps of a ``sequence`` or a ``repeat`` count, those of a fragment do not: what is left of it is its own affair.
    """
    env.work.spend(EXPANDING, len(steps), env.span)
    return bool(steps) and all(
        (step.when is not None and not env.truth(step.when))
        or (step.kind == "sequence" and all_left_out(step.steps or (), env))
        or (step.repeated is not None and _none_left(step, env))
        for step in steps
    )


def left_out_by(steps: tuple[Step, ...], env: Environment) -> str:
    """What leaves out all of these steps, for a message: ``when``, ``times: 0``, or both where both are written."""
    if not all_left_out(steps, env):
        return ""
    parts, conditional, repeated = list(steps), False, False
    while parts:
        step = parts.pop()
        conditional |= step.when is not None
        repeated |= step.repeated is not None
        parts += (step.steps or ()) if step.kind in ("sequence", "repeat") else ()
    return " or ".join(["`when`"] * conditional + ["`times: 0`"] * repeated)


def _none_left(step: Step, env: Environment) -> bool:
    """Whether nothing is left of a ``repeat``: ``times`` is 0, or ``when`` leaves out every step each time."""
    if not times_of(step).names <= env.values.keys():
        return False
    steps = step.steps or ()
    return all(all_left_out(steps, at_repetition(step, env, index)) for index in range(repetitions(step, env)))


def decided(when: Term, step: Step, env: Environment) -> bool:
    """Whether a later step is there, as far as that can be known before the shapes on the way to it are."""
    check_known(when, step, env)
    return env.truth(when)


def check_known(when: Term, step: Step, env: Environment) -> None:
    """Refuse what decides whether a step is there, if it depends on what is not known yet."""
    width = step.reads_width and WIDTH in when.names
    if width or not when.names <= env.values.keys():
        name = WIDTH if width else "in_channels"
        message = f"whether this step exists depends on `{name}`, but an earlier layer must know whether it is the last"
        raise SpecError([env.located("E407", message, when, "decide by a parameter instead")])
