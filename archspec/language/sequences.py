"""Reading a stem, a head, ``before``, ``after`` and ``around``: steps, or a fragment that is named."""

from __future__ import annotations

import dataclasses

from archspec.diagnostics import cut, suggest
from archspec.language.calls import call_arguments
from archspec.language.context import Context
from archspec.language.extent import bounded
from archspec.language.named_values import given_inputs
from archspec.language.spec import Sequence, Step
from archspec.language.steps import read_steps, reads_width
from archspec.language.terms import Cursor, written
from archspec.language.text.document import dotted
from archspec.language.unknown_steps import GROUPS, advise_sequence
from archspec.language.wrappers import check_around, check_without_blocks
from archspec.operations.discovery import operations


def is_step(value: object) -> bool:
    """Whether a value is a single step where a list of steps belongs.

    >>> is_step("norm"), is_step({"pool": {"type": "max"}}), is_step(["norm"]), is_step({"use": "cifar"})
    (True, True, False, False)
    """
    names = value if isinstance(value, dict) and len(value) == 1 else (value,) if isinstance(value, str) else ()
    return any(name in operations() or name in GROUPS for name in names)


def _cell(cursor: Cursor) -> str:
    """More help for a cell of a column."""
    told = "; a column has such a list, or `null`, for each stage, or names one fragment for all, `{use: NAME}`"
    return told if isinstance(cursor.path[-1], int) else ""


def read_sequence(cursor: Cursor, context: Context) -> Sequence:
    """A stem, a head, ``before`` or ``after``: steps, a fragment's name, or ``{use: name, argument: value}``."""
    sequence = _read(cursor, context)
    check_without_blocks(sequence.all_steps, context.faults)
    return sequence


def read_around(cursor: Cursor, context: Context) -> Sequence:
    """The steps around the blocks of a stage, written as those of a stem are."""
    faults, inner = len(context.faults.found), dataclasses.replace(context, read=set())
    sequence = dataclasses.replace(_read(cursor, inner), reads=frozenset(inner.read))
    context.read.update(inner.read)
    if len(context.faults.found) == faults:  # else a step that could not be read may be the one for the blocks
        check_around(sequence, context.faults)
    return sequence


def _read(cursor: Cursor, context: Context) -> Sequence:
    if isinstance(cursor.value, list):
        return Sequence(bounded(read_steps(cursor, context), cursor.span, context.faults), cursor.span)
    body = cursor if isinstance(cursor.value, dict) else None
    named = cursor.get("use") if body else cursor
    if named is None:
        if body and is_step(body.value):
            (step,) = body.value
            message = f"`{cut(step)}` is a single step, and a list of steps belongs here"
            context.faults.record(
                "E202", message, body.child(step).key_span, help=f"write `[{step}: ...]`{_cell(cursor)}"
            )
            return Sequence((), cursor.span)
        help = "write `{use: name, ...}` with a fragment's name, or a list of steps"
        near = next((key for key in body.value if context.faults.nearest(key, ["use"])), None) if body else None
        span, hint = (body.child(near).key_span, suggest("use")) if body and near else (cursor.key_span, "")
        hint = "" if near == "use" else hint  # it is null
        context.faults.record("E203", f"`use` is missing in `{dotted(cursor.path)}`", span, hint, help=help)
        return Sequence((), cursor.span)
    if not isinstance(named.value, str):
        context.faults.record("E202", f"`use` takes a fragment's name, not {written(named.value)}", named.span)
        return Sequence((), cursor.span)
    fragment = context.lookup.fragment(named.value, named, context.faults, context.level)
    if fragment is None:
        found = advise_sequence(named.value, context)
        message = f"no fragment is called `{cut(named.value)}`"
        help = found.help + (_cell(cursor) if named.value in (*operations(), *GROUPS) else "")
        context.faults.record("E302", message, named.span, found.hint, help=help)
        return Sequence((), cursor.span)
    context = context.of_steps()
    terms = call_arguments(fragment, body, ("use",), named.span, context)
    given = given_inputs(fragment, body, named.span, context, use=True) if fragment.inputs else {}
    call = Step(
        "fragment", fragment.name, named.span, terms, definition=fragment, has_layer=fragment.has_layer, given=given
    )
    if context.steps and reads_width(call):
        call = dataclasses.replace(call, reads_width=True)
    return Sequence((), cursor.span, call)
