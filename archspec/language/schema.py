"""The JSON Schema (2020-12) of a spec, assembled from the operations' own arguments."""

from __future__ import annotations

import dataclasses
from typing import Any

from archspec.language.regnet import ROUNDINGS
from archspec.language.spec import SETTINGS
from archspec.operations.base import Operation, arguments
from archspec.operations.discovery import operations

Schema = dict[str, Any]

NAME = "^[A-Za-z_][A-Za-z0-9_.-]*$(?!\n)"
IDENTIFIER = "^[A-Za-z_][A-Za-z0-9_]*$(?!\n)"
DEFINITION_NAME = "^[A-Za-z_][A-Za-z0-9_-]*$(?!\n)"
SCOPES = ("stem", "head", "stage", "block", "residual", "shortcut", "layer", "fragment", "before", "after", "step")
INITIALIZERS = ("he-fan-out", "he-fan-in", "xavier", "normal", "truncated-normal", "torch")
EXPECTATIONS = ("params", "macs", "activations", "layers", "skip_paths", "receptive_field")
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def read_schema() -> Schema:
    """The schema of a whole spec, for editors (``archspec schema``) and for ``schema_faults.validate``."""
    return {
        "$schema": DIALECT,
        "title": "archspec",
        "description": "A convolutional network as an archspec spec.",
        **_object(_spec_keys(), required=["archspec", "name"]),
        "$defs": _definitions(),
    }


def library_schema() -> Schema:
    """The schema of a file of definitions, such as ``import`` names."""
    keys = _spec_keys()
    kept = ("archspec", "summary", "notes", "blocks", "shortcuts", "fragments", "import")
    conventions = {"type": "object", "additionalProperties": keys["naming"]}
    properties = {**{key: keys[key] for key in kept}, "naming": conventions}
    return {"$schema": DIALECT, **_object(properties, required=["archspec"]), "$defs": _definitions()}


# -- the pieces --------------------------------------------------------------------------------------------------------


def _type(kinds: str, description: str = "", **more: Any) -> Schema:
    """A value of one of several kinds, separated by spaces; ``null`` removes an inherited value."""
    names = kinds.split()
    found = {"type": names if len(names) > 1 else kinds, **more}
    return {**found, "description": description} if description else found


def _object(properties: Schema, kinds: str = "object", description: str = "", **more: Any) -> Schema:
    """A mapping with these keys and no others."""
    return _type(kinds, description, properties=properties, additionalProperties=False, **more)


def _list_of(name: str, kinds: str = "array", **more: Any) -> Schema:
    """A list of what ``$defs`` has under a name."""
    return _type(kinds, items={"$ref": f"#/$defs/{name}"}, **more)


def _words(*words: str) -> Schema:
    """One of these words, or null."""
    return _type("string null", enum=[*words, None])


def _values() -> Schema:
    """Parameters, by name: a number, a word, a truth value, or null."""
    value = _type("number string boolean null")
    return _type("object null", propertyNames={"pattern": IDENTIFIER}, additionalProperties=value)


def _nullable(schema: Schema) -> Schema:
    """``schema`` that also takes null."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*kinds, "null"]}


def _or_list(cell: Schema) -> Schema:
    """``cell``, nothing, or a list of these: one for each stage of a column, or for each block of a stage."""
    kinds = cell["type"] if isinstance(cell["type"], list) else [cell["type"]]
    item = {key: value for key, value in cell.items() if key != "description"}
    optional = kinds if "null" in kinds else [*kinds, "null"]
    return {**cell, "type": list(dict.fromkeys([*kinds, "array", "null"])), "items": {**item, "type": optional}}


# -- the keys of a spec ------------------------------------------------------------------------------------------------


def _spec_keys() -> Schema:
    text, name = _type("string"), _type("string", minLength=1)
    number, size = _type("number string", maxLength=500), _type("integer string", minimum=1)
    scale = {"width": _nullable(number), "depth": _nullable(number), "divisor": _nullable(size)}
    init = {
        **dict.fromkeys(("conv", "linear"), _words(*INITIALIZERS)),
        "bias": _words("torch", "zero"),
        "zero_init_residual": _type("boolean null"),
    }
    told = "Scopes of a file of weights that this network does not have, such as auxiliary heads."
    skip = _type("array null", told, items=_type("string", minLength=1), minItems=1, maxItems=100)
    naming = {key: _nullable(text) for key in ("convention", *SCOPES, *operations())}

    def part(where: str) -> Schema:
        description = f"The part {where} the stages: a fragment's name, `{{use: name, ...}}` or a sequence."
        return _list_of("step", "string array object null", description=description)

    def named(definition: str, description: str) -> Schema:
        schema = {"$ref": f"#/$defs/{definition}"}
        names = {"pattern": DEFINITION_NAME}
        return _type("object null", description, propertyNames=names, additionalProperties=schema)

    return {
        "archspec": _type("integer", "The language version: 1."),
        "name": _type("string", "Identifier of the model.", pattern=NAME, maxLength=100),
        "summary": _type("string null", "One sentence for people."),
        "paper": _type("string null", "Where the network was published."),
        "notes": _type("string null", "Anything a reader should know."),
        "tags": _type("array null", "Words to find the spec by.", items=text),
        "extends": _nullable(
            _type("string", "A spec's name or a relative path; this file is merged over it.", minLength=1)
        ),
        "import": _type("string array null", "Files whose definitions this spec may use.", items=name, minLength=1),
        "params": {
            **_values(),
            "description": "Named numbers or words for every expression; the override `params.width=2` changes one.",
        },
        "input": _type("array null", "Channels, then one to three spatial sizes.", items=size, minItems=2, maxItems=4),
        "classes": {**_nullable(size), "description": "How many classes the head tells apart."},
        "stem": part("before"),
        "head": part("after"),
        "stages": {
            **_nullable(_stage_table()),
            "description": "The stage table, by column (a mapping) or by row (a list of mappings).",
        },
        **{key: _nullable(_setting(key)) for key in SETTINGS},
        "scale": _object(scale, "object null", "Compound scaling of channels and counts."),
        "init": _object(init, "object null", "How weights start."),
        "naming": _object(naming, "string object null", "Templates for scopes and keys, or the name of a convention."),
        "outputs": _type("string array null", "Scopes whose results the model returns.", items=text, minItems=1),
        "weights": _object({"skip": skip}, "object null", "What files of weights hold beside this network."),
        "blocks": named("block", "Blocks of this spec."),
        "shortcuts": named("shortcut_definition", "Shortcuts of this spec."),
        "fragments": named("fragment", "Fragments of this spec."),
        "expect": _expect(),
        "reference": _type(
            "string null", "The network that this spec reproduces, as `torchvision:resnet50`.", minLength=1
        ),
    }


def _setting(key: str) -> Schema:
    if key == "norm":
        return _object(_arguments(operations()["norm"]), "string object")
    if key == "drop_path":
        return _type("number string", minimum=0, exclusiveMaximum=1, maxLength=500)
    return _type("string", maxLength=500)


def _stage_table() -> Schema:
    cells: Schema = {
        "block": _type("string", "The block of the stage."),
        "name": _type("string", "The stage's scope."),
        "count": _type("integer string", "How many blocks."),
        "channels": _type("integer string", "What the block calls channels."),
        "stride": _type("integer string", "Stride of the stage's first block."),
        "dilation": _type("integer string", "Dilation of the stage's blocks."),
        **{key: _setting(key) for key in SETTINGS},
    }
    number = _type("number string")
    rule = dict.fromkeys(("depth", "w_0", "w_a", "w_m", "group_width"), _nullable(number))
    rule["rounding"] = _words(*ROUNDINGS)
    steps = _list_of("step", "string array object null")
    parameter = _type("number string boolean array object null")
    row = {**{key: _or_list(cell) for key, cell in cells.items()}, **dict.fromkeys(("before", "after"), steps)}
    told = "Generates count and channels by the RegNet rule (Radosavovic et al. 2020)."
    column = {
        **{key: _or_list(_or_list(cell)) for key, cell in cells.items()},
        **{key: {**steps, "items": steps} for key in ("before", "after")},
        "quantized_linear": _object(rule, "object null", told),
    }
    rows = _type("object", properties=row, additionalProperties=parameter)
    return _type("object array", properties=column, additionalProperties=parameter, items=rows)


def _expect() -> Schema:
    bound = _type("number string")
    value = _object({"min": bound, "max": bound}, "number string object null", minProperties=1)
    output = _type("array null", items=_type("integer"), minItems=1)
    known = {**dict.fromkeys(EXPECTATIONS, value), "output": output}
    stages = _type("object null", additionalProperties=_object(known))
    return _object({**known, "stages": stages}, "object null", "What must hold of the compiled network.")


# -- definitions and steps ---------------------------------------------------------------------------------------------


def _definitions() -> Schema:
    steps = _list_of("step")
    params, summary = _values(), _type("string null")
    settings, optional = {key: _nullable(_setting(key)) for key in SETTINGS}, _nullable(steps)
    either = _list_of("step", "array string null", pattern="^none$(?!\n)")
    block = {
        **dict.fromkeys(("summary", "channels"), summary),
        **dict.fromkeys(("params", "let"), params),
        **dict.fromkeys(("residual", "steps"), optional),
        "merge": _words("add", "concat"),
        "first": _words("residual", "shortcut"),
        "fixed": _object(settings, "object null"),
        **settings,
    }
    step = {f"op-{word}": _merge() if each.arity == "many" else _operation(each) for word, each in operations().items()}
    return {
        "step": _step(),
        "layer": _layer(),
        "sequence": _object({"steps": steps, **common()}, required=["steps"]),
        **step,
        "block": _object(block, "object null"),
        "shortcut_definition": _object({"summary": summary, "same": either, "change": either}, "object null"),
        "fragment": _object({"summary": summary, "params": params, "let": params, "steps": optional}, "object null"),
    }


def common() -> Schema:
    """The keys that every step has."""
    return {
        "name": _type("string", "Relative name; may hold dots.", maxLength=200),
        "when": _type("boolean string", "The step is left out where this is false.", maxLength=500),
    }


def _step() -> Schema:
    kinds = {**{word: f"op-{word}" for word in operations()}, "layer": "layer", "sequence": "sequence"}
    properties = {word: {"$ref": f"#/$defs/{name}"} for word, name in kinds.items()}
    return _type("string object", minProperties=1, maxProperties=1, properties=properties)


def _arguments(operation: type[Operation]) -> Schema:
    return {name: _argument(dict(field.metadata)) for name, field in arguments(operation).items()}


def _argument(metadata: dict[str, Any]) -> Schema:
    bounds = {key: metadata[key] for key in ("minimum", "maximum") if metadata[key] is not None}
    described = {"description": metadata["doc"]}
    match metadata["kind"]:
        case "integer" | "number" as kind:
            named = {"examples": list(metadata["named"])} if metadata["named"] else {}
            return {**_type(f"{kind} string null"), **bounds, **described, **named}
        case "boolean":
            return {**_type("boolean string null"), **described}
        case "size":
            item = _type("integer string", **bounds)
            size = _type("integer string array null", items=item, minItems=1, maxItems=3)
            return {**size, **bounds, **described}
        case "numbers":
            item = _type("number string", **bounds)
            return {**_type("number string array null", items=item, minItems=1), **bounds, **described}
        case _:
            return {**_type("string null"), **described, "examples": list(metadata["words"])}


def _operation(operation: type[Operation]) -> Schema:
    required = [name for name, field in arguments(operation).items() if field.default is dataclasses.MISSING]
    more = {"required": required} if required else {}
    return _object({**_arguments(operation), **common()}, "object null", operation.summary, **more)


def _merge() -> Schema:
    conditional = {"steps": _nullable(_list_of("step")), "when": common()["when"]}
    branch = _object(conditional, "array object", items={"$ref": "#/$defs/step"})
    return _type("array object", items=branch, minItems=1, properties=common(), additionalProperties=branch)


def _layer() -> Schema:
    steps = _list_of("step", description="Steps in the convolution's place.")
    own = {"norm": _setting("norm"), "act": _setting("act"), "of": steps}
    told = "A convolution with its normalization and activation."
    return _object({**_arguments(operations()["conv"]), **own, **common()}, description=told)
