"""The JSON Schema (2020-12) of a spec, assembled from the operations' own arguments, and its faults as diagnostics."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

from archspec.diagnostics import Diagnostic, Faults, Label, cut, did_you_mean
from archspec.language.source import Document
from archspec.language.spec import LANGUAGE_VERSION, SETTINGS
from archspec.operations.base import Operation, arguments, operations

ValidationError = Any
"""What jsonschema reports; imported only with the validator, and typed there with unions that no report has."""

Schema = dict[str, Any]

EXPRESSION = {"type": "string", "maxLength": 500}
NAME = "^[A-Za-z_][A-Za-z0-9_.-]*$(?!\n)"
IDENTIFIER = "^[A-Za-z_][A-Za-z0-9_]*$(?!\n)"
SCOPES = ("stem", "head", "stage", "block", "residual", "shortcut", "layer", "fragment", "before", "after", "step")
INITIALISERS = ("he-fan-out", "he-fan-in", "xavier", "normal", "truncated-normal", "torch")
EXPECTATIONS = ("params", "macs", "activations", "layers", "skip_paths", "receptive_field")


def read_schema() -> Schema:
    """The schema of a whole spec, for editors (``archspec schema``) and for :func:`validate`."""
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
    sequence: Schema = {"type": ["string", "array", "object"], "items": {"$ref": "#/$defs/step"}, "required": ["use"]}
    return {
        "archspec": {"type": "integer", "description": "The language version: 1."},
        "name": {"type": "string", "pattern": NAME, "maxLength": 100, "description": "Identifier of the model."},
        "summary": _nullable(text, "One sentence for people."),
        "paper": _nullable(text, "Where the network was published."),
        "notes": _nullable(text, "Anything a reader should know."),
        "tags": _nullable({"type": "array", "items": text}, "Words to find the spec by."),
        "extends": _nullable(text, "A spec's name or a relative path; this file is merged over it."),
        "import": _nullable({"type": ["string", "array"], "items": text}, "Files whose definitions this spec may use."),
        "params": _nullable(
            {
                "type": "object",
                "propertyNames": {"pattern": IDENTIFIER},
                "additionalProperties": {"type": ["number", "string", "boolean", "null"]},
            },
            "Named numbers or words for every expression; `--set params.width=2` changes one.",
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
    cell: Schema = {"type": ["number", "string", "boolean", "array", "object", "null"]}
    steps: Schema = {"type": ["string", "array", "object", "null"], "items": {"$ref": "#/$defs/step"}}
    sizes: Schema = {
        "type": ["integer", "string", "array", "null"],
        "items": {"type": ["integer", "string", "array", "null"]},
    }
    known: Schema = {
        "block": {"type": ["string", "array", "null"], "description": "The block of the stage."},
        "count": {**sizes, "description": "How many blocks."},
        "channels": {**sizes, "description": "What the block calls channels."},
        "stride": {**sizes, "description": "Stride of the stage's first block."},
        "dilation": {**sizes, "description": "Dilation of the stage's blocks."},
        "name": {"type": ["string", "array", "null"], "description": "The stage's scope."},
        "quantized_linear": _nullable(
            _object(
                {key: {"type": ["number", "string"]} for key in ("depth", "w_0", "w_a", "w_m")},
                required=("depth", "w_0", "w_a", "w_m"),
            ),
            "Generates count and channels by the RegNet rule (Radosavovic et al. 2020).",
        ),
        **dict.fromkeys(SETTINGS, cell),
    }
    column = {**known, "before": {**steps, "items": steps}, "after": {**steps, "items": steps}}
    row = {**known, "before": steps, "after": steps}
    return {
        "type": ["object", "array"],
        "properties": column,
        "additionalProperties": cell,
        "items": {"type": "object", "properties": row, "additionalProperties": cell},
    }


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
        "fixed": {"type": ["object", "null"], "properties": settings, "additionalProperties": False},
        **settings,
    }
    return {
        "step": _step(),
        "layer": _layer(),
        "sequence": _object({"steps": sequence, **_common()}, required=("steps",)),
        **{
            f"op-{word}": _merge() if operation.arity == "many" else _operation(operation)
            for word, operation in operations().items()
        },
        "block": _object(block),
        "shortcut_definition": _object({"summary": summary, "same": either, "change": either}),
        "fragment": _object({"summary": summary, "params": params, "let": let, "steps": sequence}, required=("steps",)),
    }


def _common() -> Schema:
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
        **_object({**_arguments(operation), **_common()}, description=operation.summary),
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
        "properties": _common(),
        "additionalProperties": branch,
    }


def _layer() -> Schema:
    conv = operations()["conv"]
    sequence = {"type": "array", "items": {"$ref": "#/$defs/step"}, "description": "Steps in the convolution's place."}
    own = {"norm": _setting("norm"), "act": _setting("act"), "of": sequence}
    return _object(
        {**_arguments(conv), **own, **_common()}, description="A convolution with its normalisation and activation."
    )


@functools.cache
def _validator(library: bool, partial: bool) -> Any:
    from jsonschema.validators import Draft202012Validator

    schema = library_schema() if library else read_schema()
    return Draft202012Validator({**schema, "required": []} if partial else schema)


def validate(document: Document, *, library: bool = False, partial: bool = False) -> Document:
    """The document, unchanged, if it follows the schema.

    Args:
        library: the document is a file of definitions.
        partial: the document is an override (``--set``), where nothing is required.

    Raises:
        SpecError: with every fault, each at its place.
    """
    faults = Faults()
    version = document.value.get("archspec")
    if "archspec" in document.value and version != LANGUAGE_VERSION:
        message = f"this archspec reads language version {LANGUAGE_VERSION}, not {cut(version)}"
        faults.add(
            Diagnostic("E207", message, document.span(("archspec",)), help=f"write `archspec: {LANGUAGE_VERSION}`")
        )
        faults.raise_errors()
    for error in _validator(library, partial).iter_errors(document.value):
        for diagnostic in _diagnostics(document, error):
            faults.add(diagnostic)
    if not (library or partial or document.value.get("extends")) and document.value.get("stages") is None:
        faults.add(
            Diagnostic(
                "E203",
                "`stages` is missing",
                document.span(()),
                help="write a stage table, or `extends: NAME` to build on a spec",
            )
        )
    faults.raise_errors()
    return document


def _diagnostics(document: Document, error: ValidationError) -> Iterator[Diagnostic]:
    path = tuple(error.absolute_path)
    here = _where(path)
    match error.validator:
        case "additionalProperties":
            known = list(error.schema.get("properties", {}))
            for key in error.instance:
                if key not in known:
                    yield _unknown_key(document, (*path, key), known, here)
        case "required":
            for key in error.validator_value:
                if key not in error.instance:
                    yield Diagnostic(
                        "E203", f"`{key}` is missing{here}", document.key_span(path) if path else document.span(())
                    )
        case "type":
            yield _wrong_type(document, path, error)
        case "enum":
            words = [str(word) for word in error.validator_value if word is not None]
            message = f"{_last(path)} is one of {', '.join(f'`{w}`' for w in words)}, not `{cut(error.instance)}`"
            yield Diagnostic("E204", message, document.span(path), did_you_mean(str(error.instance), words))
        case "minimum" | "maximum":
            bound = "at least" if error.validator == "minimum" else "at most"
            yield Diagnostic(
                "E205",
                f"{_last(path)} is {bound} {error.validator_value}, not {cut(error.instance)}",
                document.span(path),
            )
        case "minProperties" | "maxProperties" if (
            not isinstance(error.instance, str) and error.schema.get("maxProperties") == 1
        ):
            yield _not_one_operation(document, path, error.instance)
        case "pattern":
            yield _wrong_pattern(document, path, error)
        case "maxLength":
            yield Diagnostic(
                "E206", f"{_last(path)} is longer than {error.validator_value} characters", document.span(path)
            )
        case "minItems" | "maxItems":
            bound = "at least" if error.validator == "minItems" else "at most"
            yield Diagnostic(
                "E206",
                f"{_last(path)} has {bound} {error.validator_value} values, not {len(error.instance)}",
                document.span(path),
            )
        case _:
            yield Diagnostic("E206", f"{_last(path)}: {cut(error.message, 200)}", document.span(path))


def _where(path: tuple[str | int, ...]) -> str:
    """`` in `stem[0].conv` ``, for a sentence about what lies there."""
    return f" in `{_dotted(path)}`" if path else ""


def _dotted(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{cut(part)}" for part in path).lstrip(".")


def _last(path: tuple[str | int, ...]) -> str:
    return f"`{_dotted(path)}`" if path else "the spec"


def _unknown_key(document: Document, path: tuple[str | int, ...], known: list[str], here: str) -> Diagnostic:
    key = str(path[-1])
    span = document.key_span(path)
    if "(" in key or ")" in key:
        help = 'inside `{...}` an expression with a comma, colon or brace needs quotes: `out: "min(a, b)"`'
        return Diagnostic("E201", f"`{cut(key)}` is not a key{here}", span, help=help)
    hint = did_you_mean(key, known)
    shown = sorted(known)
    help = "" if hint or len(shown) > 30 else f"the keys here are {', '.join(f'`{name}`' for name in shown)}"
    return Diagnostic("E201", f"unknown key `{cut(key)}`{here}", span, hint, help=help)


_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "a mapping",
    "boolean": "`true` or `false`",
    "null": "nothing",
}


def _wrong_type(document: Document, path: tuple[str | int, ...], error: ValidationError) -> Diagnostic:
    wanted = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
    names = [_TYPES[kind] for kind in wanted if kind != "null"]
    if "text" in names and ("a number" in names or "a whole number" in names):
        names[names.index("text")] = "an expression"
    expected = " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    found = _describe(error.instance)
    help = document.ambiguous.get(path, "")
    if wanted == ["string"] or set(wanted) == {"string", "null"}:
        help = help or "put quotes around it if it is meant as text"
    return Diagnostic("E202", f"{_last(path)} takes {expected}, not {found}", document.span(path), help=help)


def _describe(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"the number {cut(value)}"
    if isinstance(value, str):
        return f"the text `{cut(value)}`"
    return "a list" if isinstance(value, list) else "a mapping"


def _not_one_operation(document: Document, path: tuple[str | int, ...], instance: dict[str, Any]) -> Diagnostic:
    keys = list(instance)
    if not keys:
        return Diagnostic("E206", "a step names one operation, and this one is empty", document.span(path))
    shown = ", ".join(f"`{cut(key)}`" for key in keys[:4])
    label = Label(document.key_span((*path, keys[1])), "a second key")
    help = f"write `- {cut(keys[0])}: {{...}}`, or indent the arguments further than `{cut(keys[0])}`"
    return Diagnostic(
        "E206",
        f"a step is one operation, and this one has the keys {shown}",
        document.key_span((*path, keys[0])),
        labels=(label,),
        help=help,
    )


def _wrong_pattern(document: Document, path: tuple[str | int, ...], error: ValidationError) -> Diagnostic:
    name = str(error.instance)
    if error.validator_value.startswith("^none"):
        return Diagnostic("E204", f"{_last(path)} is a list of steps or `none`, not `{cut(name)}`", document.span(path))
    span = document.key_span((*path, name)) if (*path, name) in document.places else document.span(path)
    return Diagnostic("E305", f"`{cut(name)}` is not a name: letters, digits and underscores, a letter first", span)
