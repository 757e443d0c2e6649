"""Giving names their values: parameters and ``let`` of blocks and fragments, arguments of operations, settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.graph.environment import INHERITED, Environment
from archspec.graph.provenance import no_cell
from archspec.language.spec import NONE, Fragment, Setting, Step, Term
from archspec.operations.base import Operation, arguments
from archspec.operations.discovery import operations
from archspec.work import EXPANDING


def enter_fragment(fragment: Fragment, call: Step, env: Environment, in_channels: int | None) -> Environment:
    """The environment inside a fragment that ``call`` calls, in the environment ``env``.

    Args:
        in_channels: of the value that reaches the fragment; None where that is not known yet, which leaves out every
            parameter that depends on it.
    """
    values = {**env.root.values, **{key: env.values[key] for key in INHERITED}}
    if in_channels is not None:
        values["in_channels"] = in_channels
    place = env.inside(call, call.when.reads if call.when else (), no_cell)
    inner = Environment(values, call.span, env, place=place)
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
    """Give an environment its parameters and ``let``: arguments are evaluated outside, defaults inside.

    ``tolerant`` leaves out what depends on names that have no value yet.
    """
    values, written = inner.values, inner.written
    inner.work.spend(EXPANDING, len(params) + len(let), inner.span)
    for name, default in params.items():
        term, env = given.get(name, default), outer if name in given else inner
        if name in given:
            written[name] = (term, outer)
        if tolerant and not term.names <= env.values.keys():
            values.pop(name, None)
        else:
            values[name] = env.value(term)
    for name, term in let.items():
        written[name] = (term, None)
        if tolerant and not term.names <= values.keys():
            values.pop(name, None)
        else:
            values[name] = inner.value(term)


def read_setting(setting: Setting, key: str, env: Environment) -> dict[str, Any]:
    """A ``norm`` or ``act`` setting evaluated: ``type`` and the operation's other arguments."""
    operation = operations()[key]
    word = env.value(setting.term)
    if word != NONE:
        word = env.argument(setting.term, "type", arguments(operation)["type"])
    return {"type": word, **read_arguments(operation, setting.arguments, env)}


def read_arguments(operation: type[Operation], terms: Mapping[str, Term], env: Environment) -> dict[str, Any]:
    """The arguments of an operation, evaluated."""
    if not terms:
        return {}
    fields = arguments(operation)
    return {name: env.argument(term, name, fields[name]) for name, term in terms.items()}
