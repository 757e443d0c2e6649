"""The JSON Schema (2020-12) of a graph in JSON. The arguments of operations come from their declarations."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args, get_type_hints

from archspec.emit.graph_json import COSTS, FORMAT
from archspec.graph.graph import Region
from archspec.language.schema import DIALECT, INITIALIZERS, NAME
from archspec.language.schema_pieces import IDENTIFIER
from archspec.operations.base import Operation, arguments
from archspec.operations.discovery import operations
from archspec.spans import SourceKind

Schema = dict[str, Any]

KINDS = get_args(get_type_hints(Region)["kind"])

PART = r"(?:[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*|[0-9]{1,9})"
"""A part of a name in a model, between the dots; see :data:`archspec.language.terms.NAME_PART`."""

PATH: Schema = {"type": "string", "pattern": rf"^{PART}(?:\.{PART})*$(?!\n)", "maxLength": 2000}
CALLED: Schema = {"type": "string", "pattern": r"^(?:[A-Za-z_][A-Za-z0-9_-]*)?$(?!\n)", "maxLength": 200}
COUNT: Schema = {"type": "integer", "minimum": 0}
TEXT: Schema = {"type": "string"}
SCALAR: Schema = {"type": ["number", "boolean", "string", "null"]}
SHAPE: Schema = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": 4}
DERIVED = "Derived: a reader recomputes it and refuses any other value; it may be left out."


def graph_schema() -> Schema:
    """The schema of a graph, as ``archspec schema --for graph`` prints it."""
    schema = reading_schema()
    rules = [_rule(name) for name in operations()]
    schema["$defs"]["node"]["allOf"] = rules
    return {
        "$schema": DIALECT,
        "title": "archspec graph",
        "description": "A convolutional network that archspec compiled, as `archspec build -o FILE.json` writes it.",
        **schema,
    }


def _rule(name: str) -> Schema:
    """The rule that a node of an operation has the arguments of that operation."""
    own = {"$ref": f"#/$defs/arguments of {name}"}
    return {"if": {"properties": {"operation": {"const": name}}}, "then": {"properties": {"arguments": own}}}


def reading_schema() -> Schema:
    """The schema without the rules that tie arguments to operations, which are slow to check for each node."""
    properties: Schema = {
        "archspec": {"const": "graph", "description": "The kind of file."},
        "format": {"const": FORMAT, "description": "The version of the format."},
        "name": {**TEXT, "pattern": NAME, "maxLength": 100, "description": "The name of the network."},
        "summary": {**TEXT, "description": "One sentence for people."},
        "paper": {**TEXT, "description": "Where the network was published."},
        "hash": {**TEXT, "pattern": "^[0-9a-f]{64}$(?!\n)", "description": f"The network's hash. {DERIVED}"},
        "input": {**SHAPE, "minItems": 2, "description": "The shape of one example: channels, then sizes."},
        "outputs": {
            **_mapping(TEXT, "The names of the nodes whose values the model returns, by label."),
            "propertyNames": PATH,
            "minProperties": 1,
        },
        "single": {"type": "boolean", "description": "Whether the model returns its one value, and not a mapping."},
        "returns": {"enum": ["dict", "tuple"], "description": "How the model returns several values."},
        "training": {"type": "array", "items": TEXT, "description": "The outputs that are returned in training only."},
        "init": _init(),
        "stem": {**CALLED, "description": "The fragment that the stem calls, or empty."},
        "head": {**CALLED, "description": "The fragment that the head calls, or empty."},
        "heads": {
            "type": "object",
            "additionalProperties": COUNT,
            "description": "The positions at which the heads begin, by name and in order.",
        },
        "trimmed": {"type": "array", "items": TEXT, "description": "Keys of nodes that no output needs."},
        "totals": {
            **_object({**_costs(), "layers": COUNT, "nodes": COUNT}),
            "description": f"The costs of the network, for one example. {DERIVED}",
        },
        "files": {
            "type": "array",
            "items": _object({"name": TEXT, "kind": {"enum": [*get_args(SourceKind)]}}, ["name", "kind"]),
            "description": "The files that places are in.",
        },
        "nodes": {
            "type": "array",
            "items": {"$ref": "#/$defs/node"},
            "description": "The operations, each after those whose values it reads.",
        },
        "regions": {**_regions(), "description": "The stages and blocks, a stage before its blocks."},
        "named": {**_regions(), "description": "Fragments, shortcuts, layers, and the parts before and after blocks."},
        "kept": {
            **_mapping({**TEXT, "pattern": IDENTIFIER, "maxLength": 200}, "Names that the spec gives values, by node."),
            "propertyNames": PATH,
        },
        "frozen": {"type": "array", "items": PATH, "description": "The names of the nodes that do not train."},
        "shared": {**_mapping(PATH, "The names of the weights that nodes share, by node."), "propertyNames": PATH},
        "summaries": _mapping(_mapping(TEXT, "Sentences, by name."), "What blocks, shortcuts and fragments are."),
    }
    required = ["archspec", "format", "name", "input", "outputs", "nodes"]
    return {**_object(properties, required), "$defs": _definitions()}


def _definitions() -> Schema:
    node: Schema = {
        "name": {**PATH, "description": "Its name: the prefix of its keys in the state dict."},
        "scope": {**TEXT, "description": f"The name without its last part. {DERIVED}"},
        "operation": {**TEXT, "description": "What it computes; `archspec list operations` lists the operations."},
        "arguments": {
            "type": "object",
            "description": "The operation's arguments; an argument that is left out has its default.",
        },
        "inputs": {
            "type": "array",
            "items": TEXT,
            "minItems": 1,
            "description": "The nodes that it reads, or `input`.",
        },
        "shape": {**SHAPE, "description": f"The shape of its output, channels first, without the batch. {DERIVED}"},
        **{
            name: {**cost, "description": f"{text} {DERIVED}"}
            for (name, cost), text in zip(_costs().items(), TOLD, strict=True)
        },
        "at": {"$ref": "#/$defs/place", "description": "Where the spec asks for it."},
        "cells": {
            "type": "array",
            "items": {
                "type": "array",
                "prefixItems": [COUNT, TEXT, {"$ref": "#/$defs/place"}],
                "minItems": 3,
                "maxItems": 3,
            },
            "description": "The cells of the stage table that decided it: the stage's number, the column, the place.",
        },
    }
    region: Schema = {
        "kind": {"enum": [*KINDS]},
        "scope": {"anyOf": [PATH, {"const": ""}], "description": "Its name in the model, or empty."},
        "name": {**CALLED, "description": "The name of the block, fragment or shortcut in the spec, or empty."},
        "source": {**TEXT, "description": "The node whose value it reads, or `input`."},
        "result": {**TEXT, "description": "The node whose value it gives."},
        "first": {**COUNT, "description": "The position of its first node."},
        "last": {**COUNT, "description": "The position after its last node."},
        "shortcut": {"type": "boolean", "description": "Whether the block merges a shortcut with its residual."},
        "values": _values("The values of its parameters."),
        "given": _values("The values of the other names that it sees."),
        "inputs": {
            **_mapping(TEXT, "The nodes whose values a fragment reads besides, by its names for them."),
            "propertyNames": {"pattern": IDENTIFIER},
        },
        "at": {"$ref": "#/$defs/place"},
    }
    place = "A place in the spec: the number of its file, line, column, last line, and the column after the last."
    return {
        "place": {"type": ["array", "null"], "items": COUNT, "minItems": 5, "maxItems": 5, "description": place},
        "node": _object(node, ["name", "operation", "inputs"]),
        "region": _object(region, ["kind", "scope", "name", "first", "last", "source", "result"]),
        **{f"arguments of {name}": _operation(operation) for name, operation in operations().items()},
    }


TOLD = (
    "The number of elements of its parameters.",
    "The number of elements of its buffers.",
    "Multiply-adds for one example.",
    "The number of elements of its output, if it is a convolution, a linear layer or a pool.",
    "Arithmetic on single elements.",
)


def _costs() -> Schema:
    """The costs; a cost is null if an operation has no rule for it."""
    return {name: {"type": ["integer", "null"], "minimum": 0} for name in COSTS}


def _init() -> Schema:
    words = {"enum": [*INITIALIZERS]}
    rules = {"conv": words, "linear": words, "bias": {"enum": ["torch", "zero"]}}
    told = "How weights are initialized, where it is not the default."
    return {**_object({**rules, "zero_init_residual": {"type": "boolean"}}), "description": told}


def _regions() -> Schema:
    return {"type": "array", "items": {"$ref": "#/$defs/region"}}


def _object(properties: Schema, required: list[str] | None = None) -> Schema:
    more = {"required": required} if required else {}
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def _mapping(value: Schema, description: str) -> Schema:
    return {"type": "object", "additionalProperties": value, "description": description}


def _values(description: str) -> Schema:
    return {**_mapping(SCALAR, description), "propertyNames": {"pattern": IDENTIFIER}}


def _operation(operation: type[Operation]) -> Schema:
    declared = arguments(operation)
    required = [name for name, field in declared.items() if field.default is dataclasses.MISSING]
    found = {
        name: _argument(dict(field.metadata), field.default is None)
        for name, field in declared.items()
        if field.metadata["kind"] != "value"  # it is among the inputs
    }
    return {**_object(found, required), "description": operation.summary}


def _argument(metadata: dict[str, Any], optional: bool) -> Schema:
    """The schema of an argument, with numbers in place of expressions."""
    bounds = {key: metadata[key] for key in ("minimum", "maximum") if metadata[key] is not None}
    kind = metadata["kind"]
    if kind == "word":
        return {"enum": [*metadata["words"]], "description": metadata["doc"]}
    single = {"size": "integer", "sides": "integer", "numbers": "number"}.get(kind, kind)
    pair = {"items": {"type": "integer", **bounds}, "minItems": 2, "maxItems": 2}
    several = {
        "sides": {"items": {"type": ["integer", "array"], **bounds, **pair}, "minItems": 1, "maxItems": 3},
        "size": {"items": {"type": "integer", **bounds}, "minItems": 1, "maxItems": 3},
        "numbers": {"items": {"type": "number", **bounds}, "minItems": 1},
    }.get(kind, {})
    # The words that an integer takes are numbers in a graph.
    words = {"pattern": f"^({'|'.join(metadata['named'])})$(?!\n)"} if kind == "sides" and metadata["named"] else {}
    types = [single, *["array"] * bool(several), *["string"] * bool(words), *["null"] * optional]
    return {"type": types if len(types) > 1 else single, **bounds, **several, **words, "description": metadata["doc"]}
