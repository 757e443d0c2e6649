"""The names that the language's library and the zoo have, with what each means: what an editor offers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from archspec.diagnostics import Faults
from archspec.language.definitions import library, setting_words
from archspec.language.spec import Block, Fragment, Term
from archspec.language.terms import Cursor
from archspec.operations.base import arguments
from archspec.operations.discovery import operations
from archspec.work import Work

Names = Mapping[str, str]
"""Names with what they mean, or with an empty text."""


def block_names() -> Names:
    """The blocks."""
    return {block.name: f"{block.summary} `channels`: {block.channels}." for block in _blocks()}


def _blocks() -> list[Block]:
    return [block for name in library().visible("blocks") if (block := library().block(name))]


def fragments() -> Mapping[str, Fragment]:
    """The fragments themselves, by name."""
    at, faults = Cursor(library().document), Faults(Work())
    found = {name: library().fragment(name, at, faults) for name in library().visible("fragments")}
    return {name: fragment for name, fragment in found.items() if fragment}


def callable_fragments() -> Names:
    """The fragments that need no arguments."""
    whole = [each for each in fragments().values() if not each.inputs and all(map(_has_value, each.params.values()))]
    return {fragment.name: fragment.summary for fragment in whole}


def bare_operations() -> Names:
    """The operations that need no arguments."""
    found = {}
    for word, operation in operations().items():
        required = [field for field in arguments(operation).values() if field.default is dataclasses.MISSING]
        if operation.arity == "one" and not required:
            found[word] = operation.summary
    return found


def words_of(setting: str) -> Names:
    """The words that a setting takes."""
    if setting != "shortcut":
        return dict.fromkeys(setting_words(setting, library()), "")
    found = map(library().shortcut, library().visible("shortcuts"))
    return {shortcut.name: shortcut.summary for shortcut in found if shortcut}


def block_parameters() -> Names:
    """The parameters of the blocks, which are columns of the stage table."""
    found: dict[str, str] = {}
    for block in _blocks():
        for name, term in block.params.items():
            told = parameter_told(term, f" of `{block.name}`")
            found[name] = f"{found[name]} {told}" if name in found else told
    return found


def parameter_told(term: Term, of: str = "") -> str:
    """What to say of a parameter whose default is ``term``."""
    shown = term.expression.text if term.expression else term.constant
    return f"A parameter{of}. Default: {shown}." if _has_value(term) else f"A parameter{of}. Required."


def _has_value(term: Term) -> bool:
    return term.constant is not None or term.expression is not None
