"""The JSON Schema (2020-12) of a spec, assembled from the operations' own arguments."""

from __future__ import annotations

import dataclasses
from typing import Any

from archspec.language.spec import SETTINGS
from archspec.operations.base import Operation, arguments
from archspec.operations.discovery import operations

Schema = dict[str, Any]

EXPRESSION = {"type": "string", "maxLength": 500}
NAME = "^[A-Za-z_][A-Za-z0-9_.-]*$(?!\n)"
IDENTIFIER = "^[A-Za-z_][A-Za-z0-9_]*$(?!\n)"
SCOPES = ("stem", "head", "stage", "block", "residual", "shortcut", "layer", "fragment", "before", "after", "step")
INITIALISERS = ("he-fan-out", "he-fan-in", "xavier", "normal", "truncated-normal", "torch")
EXPECTATIONS = ("params", "macs", "activations", "layers", "skip_paths", "receptive_field")


def read_schema() -> Schema:
    """The schema of a whole spec, for editors (``archspec schema``) and for ``schema_faults.validate``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "archspec",
        "description": "A convolutional network as an archspec spec.",
        **_object(_spec_keys(), required=("archspec", "name")),
        "$defs": _definitions(),
    }


def library_schema() -> Schema:
    """The schema of a file of definitions, such as ``import`` names."""
    keys = _spec_keys()
    kept = ("archspec", "summary", "notes", "blocks", "shortcuts", "fragments", "import")
    conventions = {"type": "object", "additionalProperties": keys["naming"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_object({**{key: keys[key] for key in kept}, "naming": conventions}, required=("archspec",)),
        "$defs": _definitions(),
    }


def _object(properties: Schema, *, required: tuple[str, ...] = (), description: str = "") -> Schema:
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        found["required"] = list(required)
    if description:
        found["description"] = description
    return found


def _nullable(schema: Schema, description: str = "") -> Schema:
    """``schema`` that also takes null, which removes an inherited value."""
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    found = {**schema, "type": [*types, "null"]}
    if "enum" in found:
        found["enum"] = [*found["enum"], None]
    return {**found, "description": description} if description else found


def _spec_keys() -> Schema:
    number = {"type": ["number", "string"], "maxLength": 500}
    size = {"type": ["integer", "string"], "minimum": 1}
    text: Schema = {"type": "string"}
    name: Schema = {"type": "string", "minLength": 1}
    sequence: Schema = {"type": ["string", "array", "object"], "items": {"$ref": "#/$defs/step"}}
    return {
        "archspec": {"type": "integer", "description": "The language version: 1."},
        "name": {"type": "string", "pattern": NAME, "maxLength": 100, "description": "Identifier of the model."},
        "summary": _nullable(text, "One sentence for people."),
        "paper": _nullable(text, "Where the network was published."),
        "notes": _nullable(text, "Anything a reader should know."),
        "tags": _nullable({"type": "array", "items": text}, "Words to find the spec by."),
        "extends": _nullable(name, "A spec's name or a relative path; this file is merged over it."),
        "import": _nullable(
            {"type": ["string", "array"], "items": name, "minLength": 1}, "Files whose definitions this spec may use."
        ),
        "params": _nullable(
            {
                "type": "object",
                "propertyNames": {"pattern": IDENTIFIER},
                "additionalProperties": {"type": ["number", "string", "boolean", "null"]},
            },
            "Named numbers or words for every expression; the override `params.width=2` changes one.",
        ),
        "input": _nullable(
            {"type": "array", "items": size, "minItems": 2, "maxItems": 4}, "Channels, then one to three spatial sizes."
        ),
        "classes": _nullable(size, "How many classes the head tells apart."),
        "stem": _nullable(
            sequence, "What stands before the stages: a fragment's name, `{use: name, ...}` or a sequence."
        ),
        "head": _nullable(
            sequence, "What stands after the stages: a fragment's name, `{use: name, ...}` or a sequence."
        ),
        "stages": _nullable(_stage_table(), "The stage table, by column (a mapping) or by row (a list of mappings)."),
        **{key: _nullable(_setting(key)) for key in SETTINGS},
        "scale": _nullable(
            _object({"width": number, "depth": number, "divisor": size}), "Compound scaling of channels and counts."
        ),
        "init": _nullable(
            _object(
                {
                    "conv": _nullable({"type": "string", "enum": list(INITIALISERS)}),
                    "linear": _nullable({"type": "string", "enum": list(INITIALISERS)}),
                    "bias": _nullable({"type": "string", "enum": ["torch", "zero"]}),
                    "zero_init_residual": _nullable({"type": "boolean"}),
                }
            ),
            "How weights start.",
        ),
        "naming": _nullable(
            {
                "type": ["string", "object"],
                "properties": {key: _nullable(text) for key in ("convention", *SCOPES, *operations())},
                "additionalProperties": False,
            },
            "Templates for scopes and keys, or the name of a convention.",
        ),
        "outputs": _nullable(
            {"type": ["string", "array"], "items": text, "minItems": 1}, "Scopes whose results the model returns."
        ),
        "blocks": _nullable(_named({"$ref": "#/$defs/block"}), "Blocks of this spec."),
        "shortcuts": _nullable(_named({"$ref": "#/$defs/shortcut_definition"}), "Shortcuts of this spec."),
        "fragments": _nullable(_named({"$ref": "#/$defs/fragment"}), "Fragments of this spec."),
        "expect": _nullable(_expect(), "What must hold of the compiled network."),
        "reference": _nullable(name, "The network that this spec reproduces, as `torchvision:resnet50`."),
    }


def _named(schema: Schema) -> Schema:
    return {
        "type": "object",
        "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_-]*$(?!\n)"},
        "additionalProperties": schema,
    }


def _setting(key: str) -> Schema:
    if key == "norm":
        norm = operations()["norm"]
        return {"type": ["string", "object"], "properties": _arguments(norm), "additionalProperties": False}
    if key == "drop_path":
        return {"type": ["number", "string"], "minimum": 0, "maximum": 1, "maxLength": 500}
    return {"type": "string", "maxLength": 500}


def _stage_table() -> Schema:
    words = {"block": "The block of the stage.", "name": "The stage's scope."}
    sizes = {
        "count": "How many blocks.",
        "channels": "What the block calls channels.",
        "stride": "Stride of the stage's first block.",
        "dilation": "Dilation of the stage's blocks.",
    }
    cells: Schema = {
        **{key: {"type": "string", "description": text} for key, text in words.items()},
        **{key: {"type": ["integer", "string"], "description": text} for key, text in sizes.items()},
        **{key: _setting(key) for key in SETTINGS},
    }
    number = {"type": ["number", "string"]}
    rule = _object({**dict.fromkeys(("depth", "w_0", "w_a", "w_m"), number), "group_width": _nullable(number)})
    steps: Schema = {"type": ["string", "array", "object", "null"], "items": {"$ref": "#/$defs/step"}}
    parameter: Schema = {"type": ["number", "string", "boolean", "array", "object", "null"]}
    row = {**{key: _or_list(cell) for key, cell in cells.items()}, **dict.fromkeys(("before", "after"), steps)}
    column = {
        **{key: _or_list(_or_list(cell)) for key, cell in cells.items()},
        **{key: {**steps, "items": steps} for key in ("before", "after")},
        "quantized_linear": _nullable(
            rule, "Generates count and channels by the RegNet rule (Radosavovic et al. 2020)."
        ),
    }
    return {
        "type": ["object", "array"],
        "properties": column,
        "additionalProperties": parameter,
        "items": {"type": "object", "properties": row, "additionalProperties": parameter},
    }


def _or_list(cell: Schema) -> Schema:
    """``cell``, nothing, or a list of these: one for each stage of a column, or for each block of a stage."""
    types = cell["type"] if isinstance(cell["type"], list) else [cell["type"]]
    item = {key: value for key, value in cell.items() if key != "description"}
    optional = types if "null" in types else [*types, "null"]
    return {**cell, "type": list(dict.fromkeys([*types, "array", "null"])), "items": {**item, "type": optional}}


def _expect() -> Schema:
    bound: Schema = {"type": ["number", "string"]}
    value = {
        "type": ["number", "string", "object", "null"],
        "properties": {"min": bound, "max": bound},
        "additionalProperties": False,
        "minProperties": 1,
    }
    output = _nullable({"type": "array", "items": {"type": "integer"}, "minItems": 1})
    known = {**dict.fromkeys(EXPECTATIONS, value), "output": output}
    stages = {"type": ["object", "null"], "additionalProperties": _object(known)}
    return _object({**known, "stages": stages})


def _definitions() -> Schema:
    sequence: Schema = {"type": "array", "items": {"$ref": "#/$defs/step"}}
    params = {
        "type": ["object", "null"],
        "propertyNames": {"pattern": IDENTIFIER},
        "additionalProperties": {"type": ["number", "string", "boolean", "null"]},
    }
    let = {
        "type": ["object", "null"],
        "propertyNames": {"pattern": IDENTIFIER},
        "additionalProperties": {"type": ["number", "string", "boolean", "null"]},
    }
    settings = {key: _nullable(_setting(key)) for key in SETTINGS}
    either: Schema = {"type": ["array", "string"], "items": {"$ref": "#/$defs/step"}, "pattern": "^none$(?!\n)"}
    summary: Schema = {"type": ["string", "null"]}
    block = {
        "summary": summary,
        "channels": summary,
        "params": params,
        "let": let,
        "residual": {**sequence, "type": ["array", "null"]},
        "steps": {**sequence, "type": ["array", "null"]},
        "merge": {"type": ["string", "null"], "enum": ["add", "concat", None]},
        "first": {"type": ["string", "null"], "enum": ["residual", "shortcut", None]},
        "fixed": {"type": ["object", "null"], "properties": settings, "additionalProperties": False},
        **settings,
    }
    return {
        "step": _step(),
        "layer": _layer(),
        "sequence": _object({"steps": sequence, **common()}, required=("steps",)),
        **{
            f"op-{word}": _merge() if operation.arity == "many" else _operation(operation)
            for word, operation in operations().items()
        },
        "block": _object(block),
        "shortcut_definition": _object({"summary": summary, "same": either, "change": either}),
        "fragment": _object({"summary": summary, "params": params, "let": let, "steps": sequence}),
    }


def common() -> Schema:
    """The keys that every step has."""
    return {
        "name": {"type": "string", "maxLength": 200, "description": "Relative name; may hold dots."},
        "when": {
            "type": ["boolean", "string"],
            "maxLength": 500,
            "description": "The step is left out where this is false.",
        },
    }


def _step() -> Schema:
    words = {word: {"$ref": f"#/$defs/op-{word}"} for word in operations()}
    groups = {"layer": {"$ref": "#/$defs/layer"}, "sequence": {"$ref": "#/$defs/sequence"}}
    return {"type": ["string", "object"], "minProperties": 1, "maxProperties": 1, "properties": {**words, **groups}}


def _arguments(operation: type[Operation]) -> Schema:
    return {name: _argument(dict(field.metadata)) for name, field in arguments(operation).items()}


def _argument(metadata: dict[str, Any]) -> Schema:
    number = {key: metadata[key] for key in ("minimum", "maximum") if metadata[key] is not None}
    described = {"description": metadata["doc"]}
    match metadata["kind"]:
        case "integer":
            return {"type": ["integer", "string", "null"], **number, **described}
        case "number":
            return {"type": ["number", "string", "null"], **number, **described}
        case "boolean":
            return {"type": ["boolean", "string", "null"], **described}
        case "size":
            item = {"type": ["integer", "string"], **number}
            return {
                "type": ["integer", "string", "array", "null"],
                "items": item,
                "minItems": 1,
                "maxItems": 3,
                **number,
                **described,
            }
        case _:
            return {"type": ["string", "null"], **described, "examples": list(metadata["words"])}


def _operation(operation: type[Operation]) -> Schema:
    required = [name for name, field in arguments(operation).items() if _required(field)]
    found = {
        **_object({**_arguments(operation), **common()}, description=operation.summary),
        "type": ["object", "null"],
    }
    return {**found, "required": required} if required else found


def _required(field: Any) -> bool:
    return field.default is dataclasses.MISSING


def _merge() -> Schema:
    branch = {"type": "array", "items": {"$ref": "#/$defs/step"}}
    return {
        "type": ["array", "object"],
        "items": branch,
        "minItems": 1,
        "properties": common(),
        "additionalProperties": branch,
    }


def _layer() -> Schema:
    conv = operations()["conv"]
    sequence = {"type": "array", "items": {"$ref": "#/$defs/step"}, "description": "Steps in the convolution's place."}
    own = {"norm": _setting("norm"), "act": _setting("act"), "of": sequence}
    return _object(
        {**_arguments(conv), **own, **common()}, description="A convolution with its normalisation and activation."
    )
