"""The JSON Schema (2020-12) of a spec, assembled from the operations' own arguments."""

from __future__ import annotations

import dataclasses
from typing import Any

from archspec.language import descriptions
from archspec.language.regnet import ROUNDINGS
from archspec.language.returned import RETURNS
from archspec.language.schema_keys import expectations, heads, outputs, weights
from archspec.language.schema_pieces import (
    IDENTIFIER,
    Schema,
    described,
    list_of,
    mapping,
    nullable,
    of_blocks,
    one_of,
    or_list,
    parameters,
    repetition,
    typed,
)
from archspec.language.silence import SILENCED
from archspec.language.spec import SETTINGS
from archspec.operations.base import Operation, arguments
from archspec.operations.discovery import operations

NAME = "^[A-Za-z_][A-Za-z0-9_.-]*$(?!\n)"
DEFINITION_NAME = "^[A-Za-z_][A-Za-z0-9_-]*$(?!\n)"
SCOPES = (
    *("backbone", "stem", "deep", "head", "heads", "stage", "block", "residual", "shortcut"),
    *("layer", "fragment", "before", "after", "step"),
)
INITIALIZERS = ("he-fan-out", "he-fan-in", "xavier", "normal", "truncated-normal", "torch")
SILENCED_CODE: Schema = {"type": "string", "enum": [*SILENCED]}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def read_schema() -> Schema:
    """The schema of a whole spec, for editors (``archspec schema``) and for ``schema_faults.validate``."""
    return {
        "$schema": DIALECT,
        "title": "archspec",
        "description": "A convolutional network as an archspec spec.",
        **mapping(_spec_keys(), required=["archspec", "name"]),
        "$defs": _definitions(),
    }


def library_schema() -> Schema:
    """The schema of a file of definitions, such as ``import`` names."""
    keys = _spec_keys()
    kept = ("archspec", "summary", "notes", "blocks", "shortcuts", "fragments", "import")
    templates = {**keys["naming"]["properties"], "summary": typed("string", "One sentence for people.")}
    convention = {**keys["naming"], "properties": templates}
    conventions = typed("object", "Conventions for names, by name.", additionalProperties=convention)
    properties = {**{key: keys[key] for key in kept}, "naming": conventions}
    return {"$schema": DIALECT, **mapping(properties, required=["archspec"]), "$defs": _definitions()}


# -- the keys of a spec ------------------------------------------------------------------------------------------------


def _spec_keys() -> Schema:
    text, name = typed("string"), typed("string", minLength=1)
    number, size = typed("number string", maxLength=500), typed("integer string", minimum=1)
    scale = {"width": nullable(number), "depth": nullable(number), "divisor": nullable(size)}
    init = {
        **dict.fromkeys(("conv", "linear"), one_of(*INITIALIZERS)),
        "bias": one_of("torch", "zero"),
        "zero_init_residual": typed("boolean null"),
    }

    def part(where: str) -> Schema:
        description = f"The part {where} the stages: a fragment's name, `{{use: name, ...}}` or a sequence."
        return list_of("step", "string array object null", description=description)

    def named(definition: str, description: str) -> Schema:
        schema = {"$ref": f"#/$defs/{definition}"}
        names = {"pattern": DEFINITION_NAME}
        return typed("object null", description, propertyNames=names, additionalProperties=schema)

    return {
        "archspec": typed("integer", "The language version: 1."),
        "name": typed("string", "Identifier of the model.", pattern=NAME, maxLength=100),
        "summary": typed("string null", "One sentence for people."),
        "paper": typed("string null", "Where the network was published."),
        "notes": typed("string null", "Anything a reader should know."),
        "tags": typed("array null", "Words to find the spec by.", items=text),
        "silence": typed("array null", "Codes of warnings to turn off for this spec.", items=SILENCED_CODE),
        "extends": nullable(typed("string", "The spec that this one is merged over: a name or a path.", minLength=1)),
        "import": typed("string array null", "Files whose definitions this spec may use.", items=name, minLength=1),
        "params": {
            **parameters(),
            "description": "Named numbers or words for every expression; the override `params.width=2` changes one.",
        },
        "input": typed("array null", "Channels, then one to three spatial sizes.", items=size, minItems=2, maxItems=4),
        "classes": {**nullable(size), "description": "The number of classes."},
        "stem": part("before"),
        "head": part("after"),
        "heads": heads(),
        "stages": {
            **nullable(_stage_table()),
            "description": "The stage table, by column (a mapping) or by row (a list of mappings).",
        },
        **described({key: nullable(_setting(key)) for key in SETTINGS}, descriptions.SETTINGS),
        "scale": mapping(described(scale, descriptions.SCALE), "object null", "Scaling of widths and depths."),
        "init": mapping(described(init, descriptions.INIT), "object null", "How weights start."),
        "naming": mapping(_naming(), "string object null", "Templates for scopes and keys, or a convention."),
        "outputs": outputs(NAME),
        "returns": {**one_of(*RETURNS), "description": "How the model returns several outputs. Default: dict."},
        "frozen": typed("string array null", "Scopes that do not train and stay in eval mode.", items=text, minItems=1),
        "weights": weights(),
        "blocks": named("block", "Blocks of this spec."),
        "shortcuts": named("shortcut_definition", "Shortcuts of this spec."),
        "fragments": named("fragment", "Fragments of this spec."),
        "expect": expectations(),
        "reference": typed("string null", "The network that it reproduces, as `torchvision:resnet50`.", minLength=1),
    }


def _naming() -> Schema:
    text = nullable(typed("string"))
    found = {**dict.fromkeys(("convention", *SCOPES), text), "left_out": one_of("counted", "not-counted")}
    named = {word: {**text, "description": descriptions.OF_AN_OPERATION.format(word=word)} for word in operations()}
    return {**described(found, descriptions.NAMING), **named}


def _setting(key: str) -> Schema:
    if key in operations() and operations()[key].setting:
        return mapping(_arguments(operations()[key], of_a_setting=True), "string object")
    if key == "drop_path":
        return typed("number string", minimum=0, exclusiveMaximum=1, maxLength=500)
    return typed("string", maxLength=500)


def _stage_table() -> Schema:
    cells: Schema = {
        **dict.fromkeys(("block", "name"), typed("string")),
        **dict.fromkeys(("count", "channels", "stride", "dilation"), typed("integer string")),
        **{key: _setting(key) for key in SETTINGS},
    }
    cells, told = described(cells, descriptions.TABLE), descriptions.TABLE
    rule = dict.fromkeys(("depth", "w_0", "w_a", "w_m", "group_width"), nullable(typed("number string")))
    rule["rounding"] = one_of(*ROUNDINGS)
    steps = list_of("step", "string array object null")
    parameter = typed("number string boolean array object null")
    sequences = described(dict.fromkeys(("before", "after", "around"), steps), told)
    row = {**{key: or_list(cell) for key, cell in cells.items()}, **sequences}
    generated = "Generates count and channels by the RegNet rule (Radosavovic et al. 2020)."
    column = {
        **{key: or_list(or_list(cell)) for key, cell in cells.items()},
        **{key: {**cell, "items": steps} for key, cell in sequences.items()},
        "quantized_linear": mapping(described(rule, descriptions.RULE), "object null", generated),
    }
    rows = typed("object", properties=row, additionalProperties=parameter)
    return typed("object array", properties=column, additionalProperties=parameter, items=rows)


# -- definitions and steps ---------------------------------------------------------------------------------------------


def _definitions() -> Schema:
    steps = list_of("step")
    params, summary = parameters(), typed("string null")
    settings, optional = {key: nullable(_setting(key)) for key in SETTINGS}, nullable(steps)
    either = list_of("step", "array string null", pattern="^none$(?!\n)")
    block = {
        **dict.fromkeys(("summary", "channels"), summary),
        **dict.fromkeys(("params", "let"), params),
        **dict.fromkeys(("residual", "steps"), optional),
        "merge": one_of("add", "concat"),
        "first": one_of("residual", "shortcut"),
        "fixed": mapping(described(settings, descriptions.SETTINGS), "object null"),
        **settings,
    }
    shortcut = {"summary": summary, "same": either, "change": either}
    inputs = typed("array null", items=typed("string", pattern=IDENTIFIER))
    fragment = {"summary": summary, "params": params, "let": params, "inputs": inputs, "steps": optional}
    step = {
        f"op-{word}": _merge(each) if each.arity == "many" else _operation(each) for word, each in operations().items()
    }
    return {
        "step": _step(),
        "layer": _layer(),
        "sequence": mapping({**described({"steps": steps}, descriptions.SEQUENCE), **common()}, required=["steps"]),
        "repeat": mapping({**common(), **repetition(steps)}, required=["times", "steps"]),
        "blocks": mapping({**common(), **of_blocks()}, "object null"),
        **step,
        "block": mapping(described(block, descriptions.BLOCK), "object null"),
        "shortcut_definition": mapping(described(shortcut, descriptions.SHORTCUT), "object null"),
        "fragment": mapping(described(fragment, descriptions.FRAGMENT), "object null"),
    }


def common() -> Schema:
    """The keys that every step has."""
    return {
        "name": typed("string", "The name in its scope; it may contain dots.", maxLength=200),
        "when": typed("boolean string", "If this is false, the step is left out.", maxLength=500),
        "as": typed("string", descriptions.NAMING_STEPS["as"], maxLength=200),
        "from": typed("string", descriptions.NAMING_STEPS["from"], maxLength=200),
        "share": typed("string", descriptions.SHARE, maxLength=200),
    }


def _step() -> Schema:
    kinds = {word: f"op-{word}" for word in operations()} | {word: word for word in descriptions.STEPS}
    told = {**{word: operation.summary for word, operation in operations().items()}, **descriptions.STEPS}
    properties = described({word: {"$ref": f"#/$defs/{name}"} for word, name in kinds.items()}, told)
    properties |= {word: {**common()[word], "description": text} for word, text in descriptions.NAMING_STEPS.items()}
    return typed("string object", minProperties=1, maxProperties=1, properties=properties)


def _arguments(operation: type[Operation], *, of_a_setting: bool = False) -> Schema:
    own = "" if of_a_setting else operation.setting
    return {name: _argument(dict(f.metadata), _default(f.default, own)) for name, f in arguments(operation).items()}


def _default(value: Any, setting: str) -> str:
    """The end of a description: what holds if an argument is left out. ``setting`` is one that gives it first."""
    if value is dataclasses.MISSING:
        return " Required."
    shown = str(value).lower() if isinstance(value, bool) else value
    first = f"that of the setting `{setting}`, else " if setting else ""
    return "" if value is None else f" Default: {first}{shown}."


def _argument(metadata: dict[str, Any], default: str) -> Schema:
    bounds = {key: metadata[key] for key in ("minimum", "maximum") if metadata[key] is not None}
    unit = " One number, or one for each axis." if metadata["kind"] in ("size", "sides") else ""
    about = {"description": metadata["doc"] + unit + default}
    match metadata["kind"]:
        case "integer" | "number" as kind:
            named = {"examples": list(metadata["named"])} if metadata["named"] else {}
            return {**typed(f"{kind} string null"), **bounds, **about, **named}
        case "boolean":
            return {**typed("boolean string null"), **about}
        case "size":
            item = typed("integer string", **bounds)
            size = typed("integer string array null", items=item, minItems=1, maxItems=3)
            return {**size, **bounds, **about}
        case "sides":
            pair = typed("integer string array", items=typed("integer string", **bounds), minItems=2, maxItems=2)
            sides = typed("integer string array null", items={**pair, **bounds}, minItems=1, maxItems=3)
            return {**sides, **bounds, **about, "examples": list(metadata["named"])}
        case "numbers":
            item = typed("number string", **bounds)
            return {**typed("number string array null", items=item, minItems=1), **bounds, **about}
        case _:
            return {**typed("string null"), **about, "examples": list(metadata["words"])}


def _operation(operation: type[Operation]) -> Schema:
    required = [name for name, field in arguments(operation).items() if field.default is dataclasses.MISSING]
    more = {"required": required} if required else {}
    return mapping({**_arguments(operation), **common()}, "object null", operation.summary, **more)


def _merge(operation: type[Operation]) -> Schema:
    steps = described({"steps": nullable(list_of("step"))}, descriptions.BRANCH)
    conditional = {**steps, "when": common()["when"]}
    branch = mapping(conditional, "array object", items={"$ref": "#/$defs/step"})
    name = common()["from"]
    values = {**name, "type": ["string", "array"], "items": typed("string", maxLength=200), "minItems": 1}
    properties = {**_arguments(operation), **common(), "from": {**values, "description": descriptions.VALUES}}
    return typed("array object", items=branch, minItems=1, properties=properties, additionalProperties=branch)


def _layer() -> Schema:
    steps = list_of("step", description="Steps that replace the convolution.")
    own = {**described({key: _setting(key) for key in ("norm", "act")}, descriptions.LAYER), "of": steps}
    return mapping({**_arguments(operations()["conv"]), **own, **common()}, description=descriptions.STEPS["layer"])
