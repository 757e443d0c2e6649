"""Messages about values of a JSON document, from the errors of its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from archspec.diagnostics import Diagnostic, Source, cut, did_you_mean
from archspec.emit.json_text import place

ValidationError = Any
"""An error of jsonschema, which is imported only with the validator."""

TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "array": "a list",
    "object": "an object",
    "boolean": "`true` or `false`",
    "null": "`null`",
}
BOUNDS = {
    "minimum": "must be at least {}, got {}",
    "maximum": "must be at most {}, got {}",
    "minItems": "must have at least {} entries, got {}",
    "maxItems": "must have at most {} entries, got {}",
    "minLength": "must have at least {} characters, got {}",
    "maxLength": "must have at most {} characters, got {}",
}


def diagnostics(source: Source, error: ValidationError, below: Sequence[str | int] = ()) -> Iterator[Diagnostic]:
    """E840 for each fault of an error; ``below`` is the path of the checked value."""
    path = [*below, *error.absolute_path]
    known, value = error.schema.get("properties", {}), error.instance
    if error.validator == "additionalProperties":
        for key in [key for key in value if key not in known][:10]:
            at = place(source, [*path, key], key=True)
            yield Diagnostic("E840", f"{within(path)} has the unknown key `{cut(key)}`", at, did_you_mean(key, known))
    elif error.validator == "required":
        for key in [key for key in error.validator_value if key not in value]:
            yield Diagnostic("E840", f"{within(path)} has no `{key}`", place(source, path))
    else:
        yield Diagnostic("E840", f"{within(path)} {_told(error)}", place(source, path))


def within(path: Sequence[str | int]) -> str:
    """The name of a value, such as ``nodes[3].shape``; ``the graph`` for the root.

    >>> within(["nodes", 3, "shape"])
    '`nodes[3].shape`'
    """
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{cut(step, 40)}" for step in path)
    return f"`{text.removeprefix('.')}`" if path else "the graph"


def shown(value: Any) -> str:
    """A value for a message."""
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} with {len(value):,} entries"
    return f"`{cut(json.dumps(value))}`"


def _told(error: ValidationError) -> str:
    rule, wanted, value = error.validator, error.validator_value, error.instance
    if rule in BOUNDS:
        return BOUNDS[rule].format(wanted, shown(value) if rule in ("minimum", "maximum") else f"{len(value):,}")
    if rule == "type":
        kinds = wanted if isinstance(wanted, list) else [wanted]
        return f"must be {' or '.join(TYPES[kind] for kind in kinds)}, got {shown(value)}"
    if rule == "const":
        return f"must be {shown(wanted)}, got {shown(value)}"
    if rule == "enum":
        return f"must be one of {', '.join(map(shown, wanted))}, got {shown(value)}"
    return f"cannot be {shown(value)}: it is not a name that a network can have"
