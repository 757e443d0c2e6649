"""The pieces that the schema of a spec is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.language import descriptions

Schema = dict[str, Any]

IDENTIFIER = "^[A-Za-z_][A-Za-z0-9_]*$(?!\n)"


def typed(kinds: str, description: str = "", **more: Any) -> Schema:
    """A value of one of several kinds, separated by spaces; ``null`` removes an inherited value."""
    names = kinds.split()
    found = {"type": names if len(names) > 1 else kinds, **more}
    return {**found, "description": description} if description else found


def mapping(properties: Schema, kinds: str = "object", description: str = "", **more: Any) -> Schema:
    """A mapping with these keys and no others."""
    return typed(kinds, description, properties=properties, additionalProperties=False, **more)


def list_of(name: str, kinds: str = "array", **more: Any) -> Schema:
    """A list of what ``$defs`` has under a name."""
    return typed(kinds, items={"$ref": f"#/$defs/{name}"}, **more)


def one_of(*words: str) -> Schema:
    """One of these words, or null."""
    return typed("string null", enum=[*words, None])


def parameters() -> Schema:
    """Parameters, by name: a number, a word, a truth value, or null."""
    value = typed("number string boolean null")
    return typed("object null", propertyNames={"pattern": IDENTIFIER}, additionalProperties=value)


def repetition(steps: Schema) -> Schema:
    """The keys of a ``repeat`` beside those that every step has."""
    times, name = typed("integer string", minimum=0, maxLength=500), typed("string", maxLength=200)
    index = typed("string", pattern=IDENTIFIER)
    own = {"times": times, "index": index, "each": name, "name": name, "steps": steps}
    return described(own, descriptions.REPEAT)


def of_blocks() -> Schema:
    """The keys of ``blocks`` beside those that every step has."""
    return described({"each": typed("string", maxLength=200)}, descriptions.BLOCKS)


def described(properties: Schema, told: Mapping[str, str]) -> Schema:
    """The properties with their descriptions."""
    return {key: {**schema, "description": told[key]} for key, schema in properties.items()}


def nullable(schema: Schema) -> Schema:
    """``schema`` that also takes null."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*kinds, "null"]}


def or_list(cell: Schema) -> Schema:
    """``cell``, nothing, or a list of these: one for each stage of a column, or for each block of a stage."""
    kinds = cell["type"] if isinstance(cell["type"], list) else [cell["type"]]
    item = {key: value for key, value in cell.items() if key != "description"}
    optional = kinds if "null" in kinds else [*kinds, "null"]
    return {**cell, "type": list(dict.fromkeys([*kinds, "array", "null"])), "items": {**item, "type": optional}}
