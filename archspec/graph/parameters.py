"""Giving names their values: parameters and ``let`` of blocks and fragments, arguments of operations, settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.graph.environment import Environment
from archspec.language.expressions.values import Value
from archspec.language.spec import NONE, Fragment, Setting, Step, Term
from archspec.operations.base import Operation, arguments
from archspec.operations.discovery import operations

INHERITED = ("norm", "act", "activation_order", "classes")
"""The names that a fragment sees of the place where it is called, beside its parameters and the spec's."""


def enter_fragment(
    fragment: Fragment, call: Step, env: Environment, base: Mapping[str, Value], in_channels: int | None
) -> Environment:
    """The env inside a fragment that ``call`` calls.

    Args:
        env: the env of the call.
        base: the names that every fragment sees.
        in_channels: of the value that reaches the fragment; None where that is not known yet, which leaves out every
            parameter that depends on it.
    """
    values: dict[str, Value] = {**base, **{key: env.values[key] for key in INHERITED}}
    if in_channels is not None:
        values["in_channels"] = in_channels
    inner = Environment(values, call.span, env)
    bind(inner, fragment.params, call.arguments, env, fragment.let, tolerant=in_channels is None)
    return inner


def bind(
    inner: Environment,
    params: Mapping[str, Term],
    given: Mapping[str, Term],
    outer: Environment,
    let: Mapping[str, Term],
    *,
    tolerant: bool = False,
) -> None:
    """Give a env its parameters and ``let``: arguments are evaluated outside, defaults inside.

    ``tolerant`` leaves out what depends on names that have no value yet.
    """
    values, written = inner.values, inner.written
    for name, default in params.items():
        term = given.get(name)
        if term is None:
            term, env = default, inner
        else:
            env = outer
            written[name] = (term, outer)
        if tolerant and term.names - env.values.keys() - {"scaled()"}:
            values.pop(name, None)
            continue
        values[name] = env.value(term)
    for name, term in let.items():
        written[name] = (term, None)
        if tolerant and term.names - values.keys() - {"scaled()"}:
            values.pop(name, None)
            continue
        values[name] = inner.value(term)


def read_setting(setting: Setting, key: str, env: Environment) -> dict[str, Any]:
    """A ``norm`` or ``act`` setting evaluated: ``type`` and the operation's other arguments."""
    operation = operations()[key]
    fields = arguments(operation)
    word = env.value(setting.term)
    if word != NONE:
        word = env.argument(setting.term, "type", fields["type"])
    given = {name: env.argument(term, name, fields[name]) for name, term in setting.arguments.items()}
    return {"type": word, **given}


def read_arguments(operation: type[Operation], terms: Mapping[str, Term], env: Environment) -> dict[str, Any]:
    """The arguments of an operation, evaluated."""
    fields = arguments(operation)
    return {name: env.argument(term, name, fields[name]) for name, term in terms.items()}
