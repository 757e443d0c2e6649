"""What a call gives a fragment: its arguments, and what a parameter takes."""

from __future__ import annotations

import re

from archspec.diagnostics import Label, Span, cut
from archspec.language.context import Context
from archspec.language.named_values import NAMING_STEPS, call_with, wrong_name
from archspec.language.spec import Fragment, Term
from archspec.language.terms import Cursor
from archspec.wording import first_of
from archspec.work import DEFINING, ENTRIES

COMMON_ARGUMENTS = ("name", "when", "share", *NAMING_STEPS)
"""What every step takes."""


def call_arguments(
    fragment: Fragment, body: Cursor | None, reserved: tuple[str, ...], at: Span, context: Context
) -> dict[str, Term]:
    """The arguments given to a fragment, each a parameter that it declares."""
    found: dict[str, Term] = {}
    meant = set()
    for item in body.children() if body and isinstance(body.value, dict) else ():
        key = item.key
        if key in reserved or key in fragment.inputs:
            continue
        if key not in fragment.params and key in COMMON_ARGUMENTS:
            meant.add(key)
            message = f"`{key}` belongs to a step; beside `use`, only the parameters of the fragment are given"
            help = f"write a list of one step: `[{fragment.name}: {{{key}: ..., ...}}]`"
            context.faults.record("E301", message, item.key_span, help=help)
        elif key not in fragment.params:
            places = (f"arguments of {fragment.name}", "arguments")
            told = context.faults.advise(key, (*fragment.params, *fragment.inputs, *reserved), *places)
            meant.add(told.meant)
            message = f"`{fragment.name}` has no parameter `{cut(key)}`"
            context.faults.record("E301", message, item.key_span, told.hint, help=told.help)
        elif item.value is not None:
            found[key] = context.term(item, parameter_kind(fragment.params[key]))
    given = meant | found.keys()
    context.faults.work.spend(DEFINING, len(fragment.params) // ENTRIES, at)
    for key, default in fragment.params.items():
        if default.constant is None and default.expression is None and key not in given:
            message = f"`{fragment.name}` needs `{key}`"
            help = f"write `{call_with(fragment, key, use='use' in reserved)}`"
            context.faults.record("E306", message, at, labels=declared_without_default(key, default), help=help)
    return found


def call_to_write(fragment: Fragment, given: object) -> str:
    """A call with the inputs and the parameters that it needs; a name that is ``given`` alone is the first input."""
    needed = [key for key, value in fragment.params.items() if value.constant is None and value.expression is None]
    names = [*fragment.inputs, *needed] or list(fragment.params)
    first = given if fragment.inputs and isinstance(given, str) and not wrong_name(given, new=False) else "..."
    told = [f"{name}: {first if number == 0 else '...'}" for number, name in enumerate(names)]
    return f"{fragment.name}: {{{first_of(told)}}}" if told else fragment.name


def declared_without_default(name: str, default: Term) -> tuple[Label, ...]:
    """Where an author's own definition declares a parameter that must be given."""
    library = default.span.source.kind == "library"
    return () if library else (Label(default.span, f"`{cut(name)}` has no default"),)


WORD_IN_QUOTES = re.compile(r"""'[^']*'|"[^"]*\"""")


def parameter_kind(default: Term) -> str:
    """What a parameter takes, by its default: a word for a word, anything for null, else a number or a truth value."""
    if default.expression:
        return "word" if WORD_IN_QUOTES.fullmatch(default.expression.text.strip()) else "number"
    match default.constant:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "word"
        case _:
            return "any"
