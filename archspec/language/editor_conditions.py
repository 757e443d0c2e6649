"""What the schema for editors requires of some specs only: of those that build on no other, or define no names."""

from __future__ import annotations

from collections.abc import Iterable

from archspec.language.definitions import SHORTCUT_NAMES, conventions, library, setting_words
from archspec.language.library_names import (
    bare_operations,
    block_names,
    block_parameters,
    callable_fragments,
    fragments,
)
from archspec.language.schema import common, read_schema
from archspec.language.schema_pieces import Schema
from archspec.language.spec import SETTINGS, WORD
from archspec.language.unknown_steps import GROUPS
from archspec.operations.base import arguments
from archspec.operations.discovery import operations

DEFINING = ("extends", "import", "params", "blocks", "shortcuts", "fragments")
"""The keys that may give a spec names of its own."""

A_WORD = f"^(?!(?:{'|'.join(sorted(SHORTCUT_NAMES))})$)(?:{WORD.pattern})$"
"""A word that no expression has as a name."""


def conditions() -> list[Schema]:
    """The conditions on a whole spec. They need :func:`plain_step` in ``$defs``."""
    return [_without(("extends",), _whole()), _without(DEFINING, _plain())]


def _without(keys: tuple[str, ...], then: Schema) -> Schema:
    """``then`` for specs without any of these keys."""
    return {"if": {"not": {"anyOf": [{"required": [key]} for key in keys]}}, "then": then}


def _whole() -> Schema:
    """A spec that builds on no other says itself what its stages are."""
    something = {"not": {"type": "null"}}
    count = {"anyOf": [{"required": ["count"]}, {"required": ["quantized_linear"]}]}
    column = {"required": ["block"], **count, "properties": {key: {"items": something} for key in ("block", "count")}}
    row = {"items": {"if": {"type": "object"}, "then": {"required": ["block", "count"]}}}
    return {"required": ["stages"], "properties": {"stages": {"if": {"type": "object"}, "then": column, "else": row}}}


def _plain() -> Schema:
    """A spec without definitions and parameters has the library's names alone."""
    cells = {key: _known(setting_words(key, library())) for key in SETTINGS if key != "drop_path"}
    table = {key: _everywhere(cell) for key, cell in {**cells, "block": _known(block_names())}.items()}
    fragments = {"if": {"type": "string"}, "then": {"enum": list(callable_fragments())}}
    part = {**fragments, "else": {"items": {"$ref": "#/$defs/plain-step"}}}
    naming = {"if": {"type": "string"}, "then": {"enum": list(conventions().value)}}
    columns = {"propertyNames": {"enum": [*read_schema()["properties"]["stages"]["properties"], *block_parameters()]}}
    stages = {"properties": table, **columns, "items": {"properties": table, **columns}}
    return {
        "properties": {
            **cells,
            "stem": part,
            "head": part,
            "heads": {"additionalProperties": part},
            "stages": stages,
            "naming": naming,
        }
    }


def _known(words: Iterable[str]) -> Schema:
    """One of these words, an expression, or a name that every expression has."""
    return {"if": {"type": "string", "pattern": A_WORD}, "then": {"enum": list(words)}}


def _everywhere(cell: Schema) -> Schema:
    """A cell, one for each stage, or one for each block of a stage."""
    return {**cell, "items": {**cell, "items": cell}}


def plain_step() -> Schema:
    """A step that names an operation or a fragment of the library, and so do those inside it."""
    inside = {"items": {"$ref": "#/$defs/plain-step"}}
    branch = {**inside, "properties": {"steps": inside}}
    merges = {
        word: {
            "items": branch,
            "additionalProperties": branch,
            "properties": dict.fromkeys((*common(), *arguments(operation)), True),
        }
        for word, operation in operations().items()
        if operation.arity == "many"
    }
    words = [*operations(), *GROUPS, *fragments()]
    deeper = {
        **{word: {"properties": {"steps": inside}} for word in ("sequence", "repeat")},
        "layer": {"properties": {"of": inside}},
        **merges,
    }
    return {
        "if": {"type": "string"},
        "then": {"enum": [*bare_operations(), "blocks", *callable_fragments()]},
        "else": {"propertyNames": {"enum": words}, "properties": deeper},
    }
