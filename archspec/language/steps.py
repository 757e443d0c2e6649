"""From the YAML of a sequence to steps, each validated against what it names."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from archspec.diagnostics import Diagnostic, Span, cut
from archspec.language.calls import COMMON_ARGUMENTS, call_arguments, call_to_write
from archspec.language.context import WIDTH, Context
from archspec.language.extent import has_layer
from archspec.language.known_words import check_argument, check_word
from archspec.language.named_values import (
    NAMING_STEPS,
    given_inputs,
    named_arguments,
    read_each,
    read_naming_step,
    read_values,
    with_names,
)
from archspec.language.repeats import read_repetition
from archspec.language.spec import NONE, Branch, Fragment, Step, Term
from archspec.language.terms import Cursor, check_name, plain_word
from archspec.language.unknown_steps import advise_step
from archspec.operations.base import Operation, arguments
from archspec.operations.discovery import operations

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)
"""The name of something in a package, such as `torch.nn.Softsign`."""

MAX_LEVELS = 64
"""How deep steps may be nested, including the steps of the fragments that they call."""


def read_steps(cursor: Cursor, context: Context) -> tuple[Step, ...]:
    """The steps of a list. Faulty ones are left out, with their faults in the context."""
    if not isinstance(cursor.value, list):
        context.faults.record("E202", "a sequence must be a list of steps", cursor.span)
        return ()
    if context.level >= MAX_LEVELS:
        context.faults.add(_too_deep(cursor.span))
        return ()
    context = context.deeper()
    steps = (read_step(item, context) for item in cursor.children())
    return tuple(step for step in steps if step)


def _too_deep(span: Span) -> Diagnostic:
    message = f"steps are nested more than {MAX_LEVELS} levels deep, counting the fragments that they call"
    return Diagnostic("E103", message, span)


def read_step(cursor: Cursor, context: Context) -> Step | None:
    """One step: a bare name, or a mapping with one key."""
    step = _read_step(cursor, context)
    return dataclasses.replace(step, reads_width=True) if step and context.steps and reads_width(step) else step


def reads_width(step: Step) -> bool:
    """Whether the step's own terms, not those of steps inside it, may read `width`."""
    conditions = (step.when, *[branch.when for branch in step.branches])
    read = (*step.arguments.values(), *(step.settings or {}).values(), *conditions)
    return any(WIDTH in each.reads for each in read if each)


def _read_step(cursor: Cursor, context: Context) -> Step | None:
    if isinstance(cursor.value, str):
        if cursor.value in NAMING_STEPS:
            return read_naming_step(cursor.value, cursor, None, context)
        return _read_named(cursor.value, cursor, None, context)
    if not (isinstance(cursor.value, dict) and len(cursor.value) == 1):
        context.faults.record("E206", "a step must be one operation: a name, or a mapping with one key", cursor.span)
        return None
    (word,) = cursor.value
    at = cursor.child(word)
    body = None if at.value is None else at
    if word in NAMING_STEPS:
        return read_naming_step(word, at, body, context)
    step = _read_named(word, at, body, context)
    return with_names(step, body, context) if step else None


def _read_named(word: str, at: Cursor, body: Cursor | None, context: Context) -> Step | None:
    known = operations()
    if word == "layer":
        return _read_layer(at, body, context)
    if word == "sequence":
        return _read_group(at, body, context)
    if word == "repeat":
        return _read_repeat(at, body, context)
    if word == "blocks":
        return _read_blocks(at, body, context)
    if word in known and known[word].arity == "many":
        return _read_merge(known[word], at, body, context)
    if word in known:
        return _read_operation(known[word], at, body, context)
    fragment = context.lookup.fragment(word, at, context.faults, context.level)
    if fragment is None:
        span = at.key_span if body is not None or at.value is None else at.span
        message = f"no operation or fragment is called `{cut(word)}`"
        found = advise_step(word, context)
        context.faults.record("E302", message, span, found.hint, help=found.help)
        return None
    if context.level + fragment.extent.levels > MAX_LEVELS:
        context.faults.add(_too_deep(at.key_span))
        return None
    return _read_call(fragment, at, body, context)


def _common(body: Cursor | None, context: Context) -> tuple[str, Term | None]:
    """The two arguments of every step: its name and its condition."""
    name, when = (body.get("name"), body.get("when")) if body else (None, None)
    if name and not isinstance(name.value, str):
        context.faults.record("E202", "`name` takes text", name.span)
        name = None
    if name:
        check_name(str(name.value), name.span, context.faults)
    return (str(name.value) if name else ""), (context.term(when, "boolean") if when else None)


def _read_operation(operation: type[Operation], at: Cursor, body: Cursor | None, context: Context) -> Step | None:
    name, when = _common(body, context)
    terms = read_arguments(operation, body, context)
    context.check_alternatives(operation, terms)
    required = (name for name, argument in arguments(operation).items() if argument.default is dataclasses.MISSING)
    missing = next((name for name in required if name not in terms), "")
    if missing:
        message = f"`{operation.name}` needs `{missing}`"
        context.faults.record("E203", message, at.key_span, help=f"write `- {operation.name}: {{{missing}: ...}}`")
        return None
    given = named_arguments(operation, body, context)
    return Step("operation", operation.name, at.key_span, terms, when, name, operation, given=given)


def read_arguments(operation: type[Operation], body: Cursor | None, context: Context) -> Mapping[str, Term]:
    """The terms of an operation's own arguments, as far as they are written and not null."""
    if body is None or not isinstance(body.value, dict):
        return {}
    known = arguments(operation)
    found: dict[str, Term] = {}
    for key, value in body.value.items():
        if key in known and value is not None:
            kind, words = known[key].metadata["kind"], known[key].metadata["words"]
            if kind == "value":
                continue
            if value in words or (value in known[key].metadata["named"] and value not in context.names):
                found[key] = plain_word(body.child(key).span, value, context.names)
                continue
            dotted = kind == "word" and isinstance(value, str) and _DOTTED.fullmatch(value)
            cursor = body.child(key)
            found[key] = plain_word(cursor.span, str(value), context.names) if dotted else context.term(cursor, kind)
            if kind == "word":
                check_argument(operation, key, found[key], body.value, context)
    return found


def _read_layer(at: Cursor, body: Cursor | None, context: Context) -> Step | None:
    conv = operations()["conv"]
    name, when = _common(body, context)
    terms = read_arguments(conv, body, context)
    of = body.get("of") if body else None
    if of and terms:
        first = next(iter(terms.values()))
        message = "a layer takes either `of` or the arguments of a convolution, not both"
        context.faults.record("E206", message, first.span, help="move the convolution into `of`, or leave `of` out")
    if not of and "out" not in terms:
        help = "write `- layer: {out: ..., kernel: ...}`, or `- layer: {of: [...]}` for other steps"
        context.faults.record("E203", "a layer needs `out`, or `of` with steps", at.key_span, help=help)
        return None
    settings = {key: context.setting(item, key) for key in ("norm", "act") if body and (item := body.get(key))}
    for key, own in settings.items():
        words = (*arguments(operations()[key])["type"].metadata["words"], NONE)
        check_word("type" if own.typed else key, words, own.term, key, context)
    steps = read_steps(of, context) if of else None
    return Step("layer", "layer", at.key_span, terms, when, name, conv, settings, (), steps, has_layer=True)


def _read_group(at: Cursor, body: Cursor | None, context: Context) -> Step | None:
    steps = body.get("steps") if body else None
    if steps is None:
        context.faults.record("E203", "`sequence` needs `steps`", at.key_span)
        return None
    name, when = _common(body, context)
    inner = read_steps(steps, context)
    return Step("sequence", "sequence", at.key_span, {}, when, name, steps=inner, has_layer=has_layer(inner))


def _read_repeat(at: Cursor, body: Cursor | None, context: Context) -> Step | None:
    told = body if body and isinstance(body.value, dict) else None
    times, steps = (told.get("times"), told.get("steps")) if told else (None, None)
    if told is None or times is None or steps is None:
        missing = "times" if times is None else "steps"
        help = "write `- repeat: {times: 3, steps: [...]}`"
        context.faults.record("E203", f"`repeat` needs `{missing}`", at.key_span, help=help)
        return None
    term, when = context.term(times, "integer"), told.get("when")
    condition = context.term(when, "boolean") if when else None
    repeated, inside = read_repetition(told, context)
    each = read_each(told, context)
    inner = read_steps(steps, inside)
    return Step(
        "repeat", "repeat", at.key_span, {"times": term}, condition, steps=inner, has_layer=has_layer(inner),
        named=each is not None, repeated=repeated, each=each,
    )  # fmt: skip


def _read_blocks(at: Cursor, body: Cursor | None, context: Context) -> Step:
    """The blocks of a stage, inside the steps around them."""
    name, when = _common(body, context)
    each = read_each(body, context)
    return Step("blocks", "blocks", at.key_span, {}, when, name, named=each is not None, each=each)


def _read_merge(operation: type[Operation], at: Cursor, body: Cursor | None, context: Context) -> Step | None:
    if body is None:
        help = f"write `- {operation.name}: [[], [...]]`; `[]` is the identity"
        context.faults.record("E203", f"`{operation.name}` needs branches", at.key_span, help=help)
        return None
    named = isinstance(body.value, dict)
    name, when = _common(body if named else None, context)
    terms = read_arguments(operation, body, context)
    own = {*COMMON_ARGUMENTS, *arguments(operation)}
    cursors = [item for item in body.children() if not (named and item.key in own)]
    source = body.get("from")
    if source and isinstance(source.value, list):
        if cursors:
            message = f"`{operation.name}` takes either a list of values under `from`, or branches, not both"
            help = "write a branch `[from: NAME]` for a value beside other branches"
            context.faults.record("E206", message, cursors[0].key_span if named else source.span, help=help)
        values = read_values(source, context)
        return Step("merge", operation.name, at.key_span, terms, when, name, operation, values=values, named=True)
    if not cursors:
        help = "write `from: [...]` with the names of values, or `name: [...]` for each branch"
        context.faults.record("E203", f"`{operation.name}` needs at least one branch", at.key_span, help=help)
        return None
    for item in cursors if named else ():
        check_name(item.key, item.key_span, context.faults)
    branches = tuple(_read_branch(item.key if named else "", item, context) for item in cursors)
    deep = any(has_layer(branch.steps) for branch in branches)
    return Step("merge", operation.name, at.key_span, terms, when, name, operation, branches=branches, has_layer=deep)


def _read_branch(name: str, cursor: Cursor, context: Context) -> Branch:
    """A branch: its steps, or a mapping of ``steps`` and ``when``."""
    if not isinstance(cursor.value, dict):
        return Branch(name, read_steps(cursor, context), cursor.span)
    steps, when = cursor.get("steps"), cursor.get("when")
    if steps is None:
        help = "write `{steps: [...], when: ...}`; `steps: []` is the identity"
        context.faults.record("E203", "a branch needs `steps`", cursor.span, help=help)
    condition = context.term(when, "boolean") if when else None
    return Branch(name, read_steps(steps, context) if steps else (), cursor.span, condition)


def _read_call(fragment: Fragment, at: Cursor, body: Cursor | None, context: Context) -> Step | None:
    if body is not None and not isinstance(body.value, dict):
        what = "inputs and parameters" if fragment.inputs else "parameters"
        message = f"`{fragment.name}` takes a mapping of its {what}"
        context.faults.record("E202", message, body.span, help=f"write `- {call_to_write(fragment, body.value)}`")
        return None
    name, when = _common(body, context)
    terms = call_arguments(fragment, body, COMMON_ARGUMENTS, at.key_span, context)
    given = given_inputs(fragment, body, at.key_span, context, use=False) if fragment.inputs else {}
    return Step(
        "fragment", fragment.name, at.key_span, terms, when, name, definition=fragment, has_layer=fragment.has_layer,
        given=given,
    )  # fmt: skip
