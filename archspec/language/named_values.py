"""Named values: what ``as`` and ``from`` of a step say, and the inputs of a fragment."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from dataclasses import replace

from archspec.diagnostics import Faults, Label, Span, cut
from archspec.language.context import Context
from archspec.language.spec import Fragment, Step, Term
from archspec.language.templates import Template
from archspec.language.terms import NAME_PART, Cursor, read_template, written
from archspec.operations.base import Operation, arguments

NAMING_STEPS = ("as", "from")
"""The words that are steps of their own: one keeps the value that reaches it, the other goes on from a kept one."""

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
IDENTIFIER_HELP = "use ASCII letters, digits and `_`, and start with a letter or `_`"


def read_naming_step(word: str, at: Cursor, body: Cursor | None, context: Context) -> Step | None:
    """``- as: c3`` or ``- from: c3``."""
    if body is None or not isinstance(body.value, str):
        found = written(body.value if body else None)
        message = f"`{word}` takes the name of one value, not {found}"
        context.faults.record("E202", message, at.key_span, help=f"write `- {word}: c3`")
        return None
    name = read_value_name(body, context, new=word == "as")
    if name is None:
        return None
    keep, source = (name, None) if word == "as" else (None, name)
    return Step("naming", word, at.key_span, {}, keep=keep, source=source, named=True)


def with_names(step: Step, body: Cursor | None, context: Context) -> Step:
    """The step with what its ``as`` and ``from`` name."""
    keep, source = (body.get("as"), body.get("from")) if body else (None, None)
    inner = any(each.named for each in (*(step.steps or ()), *[s for b in step.branches for s in b.steps]))
    share = body.get("share") if body and isinstance(body.value, dict) else None
    if share and step.kind == "merge" and isinstance(share.value, list | dict):
        share = None  # a branch of this name
    if not (keep or source or inner or step.given or step.each or share):
        return step
    kept = read_value_name(keep, context, new=True) if keep else None
    from_ = read_value_name(source, context) if source and not isinstance(source.value, list) else None
    return replace(step, keep=kept, source=from_, named=True, share=_shared(share, context) if share else None)


def _shared(cursor: Cursor, context: Context) -> tuple[str, Span] | None:
    """The name under which a step shares its weights, and its place."""
    name = cursor.value
    if isinstance(name, str) and IDENTIFIER.fullmatch(name):
        return name, cursor.span
    code, told = ("E305", f"`{cut(name)}`") if isinstance(name, str) else ("E202", written(name))
    message = f"`share` takes a name, not {told}"
    context.faults.record(code, message, cursor.span, help=f"{IDENTIFIER_HELP}, such as `share: head`")
    return None


def read_each(body: Cursor | None, context: Context) -> Template | None:
    """The name of the list of what each repetition, or each block of a stage, gives."""
    each = body.get("each") if body else None
    return read_value_name(each, context, new=True) if each else None


def read_value_name(cursor: Cursor, context: Context, *, new: bool = False) -> Template | None:
    """The name of a value, or a template of one; None, with a fault, if it cannot be a name.

    Args:
        new: the value gets the name; else the name may also be that of a scope, with periods.
    """
    if not isinstance(cursor.value, str):
        context.faults.record("E202", f"`{cursor.key}` takes a name, not {written(cursor.value)}", cursor.span)
        return None
    template = read_template(cursor, context.faults)
    for part in template.parts:
        if not isinstance(part, str):
            context.check(Term(cursor.span, expression=part))
    if all(isinstance(part, str) for part in template.parts):
        text = "".join(map(str, template.parts))
        if "{" in text or "}" in text:
            return None  # the braces do not match
        if fault := wrong_name(text, new=new):
            context.faults.record("E305", fault[0], cursor.span, help=fault[1])
            return None
    return template


def wrong_name(text: str, *, new: bool) -> tuple[str, str] | None:
    """What is wrong with the name of a value, and what to do. With ``new``, the value gets this name."""
    if keyword.iskeyword(text):
        return f"`{text}` cannot be the name of a value: it is a Python keyword", "choose another name"
    fits = IDENTIFIER.fullmatch(text) if new else all(NAME_PART.fullmatch(part) for part in text.split("."))
    return None if fits else (f"`{cut(text)}` cannot be the name of a value", IDENTIFIER_HELP)


def read_values(cursor: Cursor, context: Context) -> tuple[Template, ...]:
    """The names under ``from`` of a merge that reads values in place of branches."""
    if not cursor.value:
        context.faults.record("E206", "`from` must name at least one value", cursor.span)
    return tuple(name for item in cursor.children() if (name := read_value_name(item, context)))


def read_inputs(cursor: Cursor, taken: Iterable[str], faults: Faults) -> tuple[str, ...]:
    """The values that a fragment needs beside the one that reaches it, by name. ``taken`` are names it already has."""
    inputs = cursor.get("inputs")
    found: dict[str, None] = {}
    for item in inputs.children() if inputs else ():
        name = str(item.value)
        if keyword.iskeyword(name) or name in ("name", "when", *NAMING_STEPS, *taken):
            why = "it is a name of the fragment's already" if name in taken else "it is a word of the language"
            faults.record(
                "E312", f"an input cannot be called `{cut(name)}`: {why}", item.span, help="choose another name"
            )
        elif name in found:
            faults.record("E314", f"the input `{cut(name)}` is declared twice", item.span, help="remove one of them")
        else:
            found[name] = None
    return tuple(found)


def named_arguments(operation: type[Operation], body: Cursor | None, context: Context) -> dict[str, Template]:
    """The values that arguments of an operation name, such as ``like``."""
    found: dict[str, Template] = {}
    for key, argument in arguments(operation).items():
        item = body.get(key) if body and argument.metadata["kind"] == "value" else None
        if item and (value := read_value_name(item, context)):
            found[key] = value
    return found


def call_with(fragment: Fragment, name: str, *, use: bool) -> str:
    """A call that gives one thing, for a help. ``use``: in place of a list of steps, where a step is not enough."""
    return f"{{use: {fragment.name}, {name}: ...}}" if use else f"{fragment.name}: {{{name}: ...}}"


def given_inputs(
    fragment: Fragment, body: Cursor | None, at: Span, context: Context, *, use: bool
) -> dict[str, Template]:
    """The values that a call gives a fragment for its inputs, by their names in the fragment.

    Args:
        at: where the call names the fragment.
        use: the call is written where a list of steps could be.
    """
    found: dict[str, Template] = {}
    for name in fragment.inputs:
        item = body.get(name) if body else None
        if item is None:
            message = f"`{fragment.name}` needs the value `{name}`"
            own = fragment.span.source.kind != "library"
            labels = (Label(fragment.span, f"`{name}` is an input of this fragment"),) if own else ()
            help = f"write `{call_with(fragment, name, use=use)}` with the name of a kept value"
            context.faults.record("E306", message, at, labels=labels, help=help)
        elif value := read_value_name(item, context):
            found[name] = value
    return found


def check_given_once(params: Cursor, let: Cursor, faults: Faults) -> None:
    """Refuse a name that is both a parameter and a ``let``: one of them would be lost."""
    for name in params.value:
        if name in let.value:
            label = Label(params.child(name).key_span, "a parameter here")
            message = f"`{cut(name)}` is a parameter already, and `let` would hide it"
            faults.record("E314", message, let.child(name).key_span, labels=(label,))
