"""The schema that editors read: the reader's, with the names that there are, and with more faults marked.

The reader's own schema stays plain, because the reader explains each fault in words of its own. What this one adds
never refuses a spec that compiles: names of the library are offered beside any other text, and are required only in a
spec that can have no other names.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from typing import Any

from archspec.language.definitions import (
    BLOCK_NAMES,
    FRAGMENT_NAMES,
    SHORTCUT_NAMES,
    conventions,
    reserved_words,
)
from archspec.language.editor_conditions import conditions, plain_step
from archspec.language.library_names import (
    Names,
    bare_operations,
    block_names,
    block_parameters,
    callable_fragments,
    fragments,
    parameter_told,
    words_of,
)
from archspec.language.named_values import NAMING_STEPS
from archspec.language.schema import common, library_schema, read_schema
from archspec.language.schema_pieces import Schema
from archspec.language.spec import LANGUAGE_VERSION, Fragment
from archspec.language.terms import NAME_PART
from archspec.language.text.locate import zoo_names
from archspec.language.words import words_for_numbers

EXPRESSION = r"""^(?:[A-Za-z0-9_ \t\r\n+/%<>(),=!-]|\*(?!\*)|\.(?![A-DF-Za-df-z_])|'[^']*'|"[^"]*")*$"""
"""Text that may be an expression, by its characters. Each is matched in one way, so a long text takes no longer."""

_PART = rf"(?!(?:{'|'.join(keyword.kwlist)})(?:\.|$))(?:{NAME_PART.pattern})"
STEP_NAME = rf"^{_PART}(?:\.{_PART})*$"
FIGURE = r"^[0-9_,.]+\s*[kKMGBT]?$|^2\^[0-9_,]+$"


def editor_schema(*, of_definitions: bool = False) -> Schema:
    """The schema of a spec, or of a file of definitions, for editors; ``archspec schema`` prints it.

    >>> block = editor_schema()["properties"]["stages"]["properties"]["block"]
    >>> [name["const"] for name in block["anyOf"][:-1]][:2]
    ['basic', 'bottleneck']
    """
    plain = library_schema() if of_definitions else read_schema()
    found = {**plain, "properties": {key: _key(key, value) for key, value in plain["properties"].items()}}
    found["$defs"] = {name: _definition(name, value) for name, value in plain["$defs"].items()}
    found["properties"]["archspec"] = {**found["properties"]["archspec"], "const": LANGUAGE_VERSION}
    if not of_definitions:
        found["$defs"]["plain-step"] = plain_step()
        found["allOf"] = conditions()
    return found


# -- names that are completed ------------------------------------------------------------------------------------------


def _offered(schema: Schema, names: Names) -> Schema:
    """``schema``, completed with these names; any other value that it takes is still right."""
    about = f"{schema['description']} " if "description" in schema else ""
    told = {name: {"description": f"{about}`{name}`: {means}"} if means else {} for name, means in names.items()}
    words = [{"const": name, **told[name]} for name in names]
    found = {key: value for key, value in schema.items() if key != "examples"}
    if "string" in _kinds(schema.get("items", {})):
        found["items"] = _offered({**schema["items"], **_description(schema)}, names)
    return {**found, "anyOf": [*words, {"type": schema["type"]}]}


def _description(schema: Schema) -> Schema:
    return {"description": schema["description"]} if "description" in schema else {}


def _kinds(schema: Schema) -> tuple[str, ...]:
    kinds = schema.get("type", ())
    return (kinds,) if isinstance(kinds, str) else tuple(kinds)


def _key(key: str, schema: Schema) -> Schema:
    """A key of a spec."""
    found: Schema
    if key == "naming":
        return _offered(schema, dict.fromkeys(conventions().value, "")) if "string" in _kinds(schema) else schema
    if key == "expect":
        found = _with_figures(schema)
        return found
    if key == "extends":
        return _offered(schema, dict.fromkeys(zoo_names(), ""))
    if key == "params":
        return _with_free_names(schema, SHORTCUT_NAMES | words_for_numbers())
    found = _edited(_named(key, schema))
    if key in ("stem", "head"):
        return _part(found)
    if key == "heads":
        return {**found, "additionalProperties": _part(found["additionalProperties"])}
    if key == "stages":
        return {**_with_parameters(found), "items": _with_parameters(found["items"])}
    return found


def _part(found: Schema) -> Schema:
    """A stem or a head: the name of a fragment, a call of one, or steps."""
    use = {"description": "The fragment to call; write its parameters beside it."}
    found["properties"] = {
        "use": {**_offered({"type": "string"}, {key: each.summary for key, each in fragments().items()}), **use}
    }
    return _offered(found, callable_fragments())


def _edited(schema: Any) -> Any:
    """``schema`` with names for the properties that take some, and with a pattern for expressions, at any depth."""
    if isinstance(schema, list):
        return [_edited(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: value if key in ("const", "enum") else _edited(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        found["properties"] = {key: _named(key, _edited(each)) for key, each in schema["properties"].items()}
    kinds = {*_kinds(schema)}
    if "string" in kinds and kinds & {"integer", "number", "boolean"} and not {"number", "boolean"} <= kinds:
        found["pattern"] = EXPRESSION
    return found


def _named(key: str, schema: Schema) -> Schema:
    """A property that may be the name of something: a setting, a block, or a word of an operation."""
    if "string" not in _kinds(schema):
        return schema
    if key in ("shortcut", "act", "norm", "activation_order"):
        return _offered(schema, words_of(key))
    if key == "block":
        return _offered(schema, block_names())
    if "examples" in schema:
        return _offered(schema, dict.fromkeys(schema["examples"], ""))
    if key == "name" and schema == common()["name"]:
        return {**schema, "pattern": STEP_NAME}
    return schema


def _definition(name: str, schema: Schema) -> Schema:
    """What ``$defs`` has under a name."""
    found: Schema = _edited(schema)
    if name == "step":
        found["properties"] = {**{key: _call(each) for key, each in fragments().items()}, **found["properties"]}
        return _offered(found, {**bare_operations(), **callable_fragments()})
    if name in ("block", "fragment"):
        builtin = BLOCK_NAMES if name == "block" else FRAGMENT_NAMES
        for key in ("params", "let"):
            found["properties"][key] = _with_free_names(found["properties"][key], builtin)
    if "additionalProperties" in found and found["additionalProperties"] and "items" in found:  # a merge
        found["propertyNames"] = {"anyOf": [{"pattern": STEP_NAME}, {"enum": [*NAMING_STEPS]}]}
    return found


def _with_free_names(schema: Schema, builtin: Iterable[str]) -> Schema:
    """Parameters whose names are not taken by the language."""
    taken = sorted({*reserved_words(), *builtin})
    return {**schema, "propertyNames": {**schema["propertyNames"], "not": {"enum": taken}}}


def _call(fragment: Fragment) -> Schema:
    """The arguments of a fragment of the library. A spec may have its own of the same name, so any others are right."""
    told = {name: parameter_told(term) for name, term in fragment.params.items()}
    arguments = {**{key: {"description": text} for key, text in told.items()}, **common()}
    return {"description": fragment.summary, "properties": arguments}


def _with_parameters(table: Schema) -> Schema:
    """A table whose columns are also the parameters of blocks: those of the library, and any others."""
    parameter = table["additionalProperties"]
    columns = {
        **table["properties"],
        **{key: {**parameter, "description": told} for key, told in block_parameters().items()},
    }
    # As a pattern, because an editor offers the values of `additionalProperties` in every column.
    others = {f"^(?!(?:{'|'.join(columns)})$)": parameter}
    return {**table, "properties": columns, "patternProperties": others, "additionalProperties": False}


def _with_figures(schema: Any) -> Any:
    """Expectations, with a pattern for figures that are text."""
    if isinstance(schema, list):
        return [_with_figures(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: value if key == "type" else _with_figures(value) for key, value in schema.items()}
    return {**found, "pattern": FIGURE} if {"number", "string"} <= {*_kinds(schema)} else found
