"""What a ``repeat`` says beside its steps: the name of its counter, and of its scopes."""

from __future__ import annotations

import dataclasses
import keyword

from archspec.diagnostics import cut
from archspec.language.context import WIDTH, Context
from archspec.language.expressions.tokens import KEYWORDS, TRUTHS
from archspec.language.expressions.values import FUNCTIONS
from archspec.language.named_values import IDENTIFIER, IDENTIFIER_HELP, NAMING_STEPS
from archspec.language.spec import Term
from archspec.language.templates import Repetition, Template
from archspec.language.terms import Cursor, check_name, read_template, written
from archspec.language.words import words_of_arguments

RESERVED = frozenset({*KEYWORDS, *TRUTHS, *FUNCTIONS, *NAMING_STEPS, "name"})
"""Words that an expression or a template reads in another way."""


def read_repetition(body: Cursor, context: Context) -> tuple[Repetition, Context]:
    """How a ``repeat`` repeats, and the context of its steps, which know its counter."""
    index = body.get("index")
    counter = _index(index, context) if index else ""
    inside = dataclasses.replace(context, names=context.names | {counter}) if counter else context
    scope = _scope(body, inside)
    return Repetition(counter, scope), inside


def _index(cursor: Cursor, context: Context) -> str:
    """The name of the counter; empty, with a fault, if it cannot be one."""
    name = cursor.value
    if not isinstance(name, str):
        context.faults.record("E202", f"`index` takes a name, not {written(name)}", cursor.span)
        return ""
    help = "choose another name"
    if keyword.iskeyword(name):
        message = f"`{name}` cannot be the name of a counter: it is a Python keyword"
        context.faults.record("E305", message, cursor.span, help=help)
    elif not IDENTIFIER.fullmatch(name):
        context.faults.record(
            "E305", f"`{cut(name)}` cannot be the name of a counter", cursor.span, help=IDENTIFIER_HELP
        )
    elif name in context.names or name == WIDTH:
        message = f"a counter cannot be called `{cut(name)}`: expressions already have this name"
        context.faults.record("E312", message, cursor.span, help=help)
    elif name in words_of_arguments() or name in RESERVED:
        message = f"a counter cannot be called `{cut(name)}`: it is a word of the language"
        context.faults.record("E312", message, cursor.span, help=help)
    else:
        return name
    return ""


def _scope(body: Cursor, context: Context) -> Template | None:
    """The template of the scopes, whose expressions read the counter."""
    name = body.get("name")
    if name is None:
        return None
    if not isinstance(name.value, str):
        context.faults.record("E202", "`name` takes text", name.span)
        return None
    template = read_template(name, context.faults)
    for part in template.parts:
        if not isinstance(part, str):
            context.check(Term(name.span, expression=part))
    if all(isinstance(part, str) for part in template.parts) and not set("{}") & set(name.value):
        check_name(name.value, name.span, context.faults)
    return template
