"""Giving names their values: parameters and ``let`` of blocks and fragments, arguments of operations, settings."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import Field
from typing import Any

from archspec.diagnostics import SpecError, cut
from archspec.graph.environment import INHERITED, Environment
from archspec.graph.provenance import no_cell
from archspec.language.context import WIDTH
from archspec.language.expressions.values import Value, integer, number, truth
from archspec.language.spec import NONE, Block, Fragment, Setting, Step, Term
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
    absent = frozenset({WIDTH}) if call.reads_width and in_channels is None else frozenset()
    bind(inner, fragment.params, call.arguments, env, fragment.let, tolerant=in_channels is None, absent=absent)
    return inner


def bind(
    inner: Environment,
    params: Mapping[str, Term],
    given: Mapping[str, Term],
    outer: Environment,
    let: Mapping[str, Term],
    *,
    tolerant: bool = False,
    absent: frozenset[str] = frozenset(),
) -> None:
    """Give an environment its parameters and ``let``: arguments are evaluated outside, defaults inside.

    ``tolerant`` leaves out what depends on names that have no value yet, ``absent`` those that only seem to have one.
    """
    values, written = inner.values, inner.written
    inner.work.spend(EXPANDING, len(params) + len(let), inner.span)
    for name, default in params.items():
        term, env = given.get(name, default), outer if name in given else inner
        if name in given:
            written[name] = (term, outer)
        if tolerant and not (term.names <= env.values.keys() and absent.isdisjoint(term.reads)):
            values.pop(name, None)
        else:
            values[name] = env.value(term)
    for name, term in let.items():
        written[name] = (term, None)
        if tolerant and not term.names <= values.keys():
            values.pop(name, None)
        else:
            values[name] = inner.value(term)


def bound(definition: Block | Fragment, env: Environment) -> dict[str, Value]:
    """The values of a definition's parameters, by name."""
    return {name: env.values[name] for name in definition.params}


def read_setting(setting: Setting, key: str, env: Environment) -> dict[str, Any]:
    """A ``norm`` or ``act`` setting evaluated: ``type`` and the operation's other arguments."""
    operation = operations()[key]
    word = env.value(setting.term)
    if word != NONE:
        word = read_argument(env, setting.term, "type", arguments(operation)["type"])
    return {"type": word, **read_arguments(operation, setting.arguments, env)}


def over(operation: type[Operation], given: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A step's own arguments over those of the setting, without what says the same in another way."""
    if operation.alternatives:
        other = {a: b for pair in operation.alternatives for a, b in (pair, pair[::-1])}
        given = {name: value for name, value in given.items() if other.get(name) not in own}
    return {**given, **own}


def read_argument(
    env: Environment, term: Term, name: str, field: Field[Any], help: str = "", *, named: bool = True
) -> Any:
    """The value of an operation's argument, of the kind and within the bounds that the operation declares.

    ``named``: the words that the argument takes beside numbers may be written here, which no list contains.
    """
    if term.items is not None:
        env.work.spend(EXPANDING, len(term.items), term.span)
        return tuple([read_argument(env, item, name, field, help, named=False) for item in term.items])
    metadata = field.metadata
    kind = metadata["kind"]
    value: Any = env.value(term)
    if kind in ("integer", "size", "sides"):
        if type(value) is not int and not (named and value in metadata["named"]):
            value = env.converted(integer, value, term)
    elif kind in ("number", "numbers"):
        value = env.converted(number, value, term)
    elif kind == "boolean":
        value = value if type(value) is bool else env.converted(truth, value, term)
    elif value not in metadata["words"]:
        words = ", ".join(f"`{word}`" for word in metadata["words"])
        raise SpecError([env.located("E204", f"`{name}` must be one of {words}, not `{cut(value)}`", term)])
    minimum, maximum = metadata["minimum"], metadata["maximum"]
    if type(value) is str:
        return value
    if minimum is not None and value < minimum:
        raise SpecError([env.out_of_bounds(f"`{name}` must be at least {minimum}, not {value}", term, help)])
    if maximum is not None and value > maximum:
        raise SpecError([env.out_of_bounds(f"`{name}` must be at most {maximum}, not {value}", term)])
    return value


def read_arguments(operation: type[Operation], terms: Mapping[str, Term], env: Environment) -> dict[str, Any]:
    """The arguments of an operation, evaluated."""
    if not terms:
        return {}
    fields = arguments(operation)
    others = {one: f"or write `{other}` instead" for one, other in operation.alternatives}
    return {name: read_argument(env, term, name, fields[name], others.get(name, "")) for name, term in terms.items()}


@functools.cache
def numbers_of(operation: Any) -> tuple[str, ...]:
    """The arguments of an operation that need not be whole numbers."""
    kinds = {name: field.metadata["kind"] for name, field in arguments(operation).items()}
    return tuple(name for name, kind in kinds.items() if kind in ("number", "numbers"))
