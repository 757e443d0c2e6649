"""Checks a document against the schema. Every fault is a diagnostic in the author's words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from archspec.diagnostics import Advice, Diagnostic, Faults, Label, cut, nearest, suggest
from archspec.language.foreign_values import BRACKETS, advise_type, advise_value, complete, network_meant
from archspec.language.schema import DEFINITION_NAME, NAME, common
from archspec.language.schema_errors import ValidationError, errors_of, schema_of
from archspec.language.schema_pieces import IDENTIFIER
from archspec.language.spec import LANGUAGE_VERSION
from archspec.language.terms import QUOTES, ambiguous, written
from archspec.language.text.document import Document, Path, dotted, value_at
from archspec.language.torch_layers import keys_of_layer, with_refused_layers
from archspec.vocabulary import find
from archspec.work import Work

_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "a mapping",
    "boolean": "`true` or `false`",
    "null": "nothing",
}


GRAPH = "graph"
"""What the JSON of a graph says in place of a version."""


def validate(document: Document, *, library: bool = False, partial: bool = False, work: Work | None = None) -> Document:
    """The document, unchanged, if it follows the schema.

    Args:
        library: the document is a file of definitions.
        partial: the document is an override, where nothing is required.
        work: what the compilation draws on.

    Raises:
        SpecError: with every fault, each at its place.
    """
    faults = Faults(work or Work())
    version = document.value.get("archspec")
    if "archspec" in document.value and version != LANGUAGE_VERSION:
        message = f"this archspec reads language version {LANGUAGE_VERSION}, not {cut(version)}"
        help = f"write `archspec: {LANGUAGE_VERSION}`"
        if version == GRAPH:
            message = "this is a graph that archspec wrote, not a spec"
            help = "read it in Python with `archspec.graph_from_json`, or name the spec that it comes from"
        faults.record("E207", message, document.span(("archspec",)), help=help)
        faults.raise_errors()
    known = schema_of(library)["properties"]
    keys = list(document.value)
    alien = bool(keys) and not partial and known.keys().isdisjoint(keys)
    if alien and not _may_be_a_spec([str(key) for key in keys[:20]], known):
        what = "file of definitions" if library else "spec"
        message = f"this is not a {what}: a {what} cannot have these keys"
        help = "" if library else "a spec begins with `archspec: 1` and a `name`; `archspec show resnet50` prints one"
        faults.record("E203", message, document.span(()), help=help)
        faults.raise_errors()
    errors = with_refused_layers(document, _without_echoes(errors_of(document.value, library)), faults)
    meant = _meant(errors, faults)
    for error in errors:
        if not (partial and error.validator == "required" and not error.absolute_path):
            for diagnostic in _diagnostics(document, error, meant, faults):
                faults.add(diagnostic)
    for path in document.ambiguous:
        if path[0] == "expect":  # figures, which may be texts such as `25.6M`
            faults.add(ambiguous(document, path))
    tables = ("extends", "stages")
    if not (library or partial or any(document.value.get(key) is not None or ((), key) in meant for key in tables)):
        help = "write a stage table, `stages: []` for a network without stages, or `extends: NAME` to build on a spec"
        faults.record("E203", "`stages` is missing", document.key_span(("stages",)), help=help)
    faults.raise_errors()
    return document


def _may_be_a_spec(keys: list[str], known: Iterable[str]) -> bool:
    """Whether a text without any key of a spec seems to be one: a key is misspelled, or most are another library's."""
    foreign = sum(find(key, "spec") is not None for key in keys)
    return 2 * foreign > len(keys) or any(nearest(key, known) for key in keys)


def _without_echoes(errors: Iterable[ValidationError]) -> list[ValidationError]:
    """The errors, without those inside a step that is not one operation: most likely its keys need more indentation.

    A value of a wrong type is not one of the words that its key takes either.
    """
    found = list(errors)
    mistyped = {tuple(error.absolute_path) for error in found if error.validator == "type"}
    found = [error for error in found if error.validator != "enum" or tuple(error.absolute_path) not in mistyped]
    steps = {tuple(error.absolute_path) for error in found if _counts_operations(error)}
    if not steps:
        return found
    around = ({tuple(error.absolute_path)[:end] for end in range(len(error.absolute_path))} for error in found)
    return [error for error, above in zip(found, around, strict=True) if not steps & above]


def _counts_operations(error: ValidationError) -> bool:
    return error.validator in ("minProperties", "maxProperties") and error.schema.get("maxProperties") == 1


def _meant(errors: Iterable[ValidationError], faults: Faults) -> set[tuple[Path, str]]:
    """The keys that unknown ones probably mean, each with the path of its mapping: they are misspelled, not missing."""
    found: set[tuple[Path, str]] = set()
    for error in errors:
        if error.validator == "additionalProperties" and faults.few:
            known = error.schema.get("properties", {})
            path = tuple(error.absolute_path)
            unknown = [key for key in error.instance if key not in known]
            found.update((path, _advise_key(error.instance, key, known, path, faults).meant) for key in unknown)
    return found


def _diagnostics(
    document: Document, error: ValidationError, meant: set[tuple[Path, str]], faults: Faults
) -> Iterator[Diagnostic]:
    path: Path = tuple(error.absolute_path)
    instance, wanted = error.instance, error.validator_value
    here, span = _last(path), document.span(path)
    match error.validator:
        case "additionalProperties" if set(error.schema.get("properties", ())) == {"steps", "when"}:
            step = cut(next(iter(instance), "conv"), 20)
            help = f"write `[{step}: ...]` or `- - {step}: ...` for a branch of steps, or `{{when: ..., steps: [...]}}`"
            message = f"{here} takes a list of steps, or a mapping of `steps` and `when`, not {written(instance)}"
            yield Diagnostic("E202", message, span, help=help)
        case "additionalProperties":
            known = list(error.schema.get("properties", {}))
            usable = keys_of_layer(path, instance, known)
            for key in instance:
                if key not in known:
                    yield _unknown_key(document, path, key, usable, faults)
        case "required":
            for key in wanted:
                if key not in instance and (path, key) not in meant:
                    yield Diagnostic("E203", f"`{key}` is missing{_inside(path)}", document.key_span(path))
        case "type":
            yield _wrong_type(document, path, error)
        case "enum":
            words = [str(word) for word in wanted if word is not None]
            message = f"{here} must be one of {', '.join(f'`{w}`' for w in words)}, not `{cut(instance)}`"
            found = faults.advise(str(instance), words, *(["initializers"] if path[0] == "init" else []))
            yield Diagnostic("E204", message, span, found.hint, help=found.help)
        case "minimum" | "maximum" | "exclusiveMaximum":
            bound = {"minimum": "at least", "maximum": "at most"}.get(error.validator, "below")
            yield Diagnostic("E205", f"{here} must be {bound} {wanted}, not {cut(instance)}", span)
        case "minProperties" | "maxProperties" if _counts_operations(error):
            yield _not_one_operation(document, path, instance)
        case "pattern":
            yield _wrong_pattern(document, path, error)
        case "minLength":
            yield Diagnostic("E206", f"{here} is empty", span)
        case "maxLength":
            yield Diagnostic("E206", f"{here} is longer than {wanted} characters", span)
        case "minItems" | "maxItems":
            bound = "at least" if error.validator == "minItems" else "at most"
            values = "1 value" if wanted == 1 else f"{wanted} values"
            yield Diagnostic("E206", f"{here} must have {bound} {values}, not {len(instance)}", span)
        case "minProperties":
            keys = ", ".join(f"`{key}`" for key in error.schema.get("properties", ()))
            yield Diagnostic("E206", f"{here} is empty; write at least one {f'of {keys}' if keys else 'key'}", span)
        case _:
            yield Diagnostic("E206", f"{here}: {cut(error.message, 200)}", span)


def _inside(path: Path) -> str:
    """`` in `stem[0].conv` ``, for the end of a sentence."""
    return f" in `{dotted(path)}`" if path else ""


def _last(path: Path) -> str:
    return f"`{dotted(path)}`" if path else "the spec"


def _unknown_key(document: Document, path: Path, key: str, known: list[str], faults: Faults) -> Diagnostic:
    span = document.key_span((*path, key))
    mapping = value_at(document.value, path)
    texts = [value for value in mapping.values() if isinstance(value, str)]
    if re.fullmatch(r"\d+\s*\)", key) and not any(re.search(r"\w\(", text) for text in texts):
        return Diagnostic("E201", f"`{cut(key)}` is not a key{_inside(path)}", span, help=BRACKETS)
    if "(" in key or ")" in key:
        return Diagnostic("E201", f"`{cut(key)}` is not a key{_inside(path)}", span, help=QUOTES)
    found = _advise_key(mapping, key, known, path, faults)
    shown = sorted(known)
    listed = "" if found.hint or len(shown) > 30 else f"the keys here are {', '.join(f'`{name}`' for name in shown)}"
    message = f"unknown key `{cut(key)}`{_inside(path)}"
    return Diagnostic("E201", message, span, found.hint, help=found.help or listed)


def _advise_key(mapping: dict[str, Any], key: str, known: Iterable[str], path: Path, faults: Faults) -> Advice:
    """What an unknown key may mean; the name of a network says more than the key."""
    if not path and (name := network_meant(key, mapping[key])):
        return Advice(suggest("extends"), f"write `extends: {name}`", "extends")
    return faults.advise(key, known, *_places(path))


_KEYS = {"blocks": "keys of a block", "fragments": "keys of a fragment", "shortcuts": "keys of a shortcut"}


def _places(path: Path) -> tuple[str, ...]:
    """The places of the vocabulary whose words may stand as keys of the mapping at ``path``."""
    if len(path) < 2:
        return ("spec",) if not path else _TOP.get(str(path[0]), ())
    if path[0] == "expect":
        return ("expectations",)
    if len(path) == 2 and path[0] in _KEYS:
        return (_KEYS[str(path[0])],)
    of_conv = ("arguments of conv",) if path[-1] == "layer" else ()
    return (f"arguments of {path[-1]}", *of_conv, "arguments")


_TOP: dict[str, tuple[str, ...]] = {
    "scale": ("keys of scale",),
    "init": ("keys of init",),
    "expect": ("expectations",),
    "norm": ("arguments of norm", "arguments"),
    "act": ("arguments of act", "arguments"),
}


def _wrong_type(document: Document, path: Path, error: ValidationError) -> Diagnostic:
    if path in document.ambiguous:
        return ambiguous(document, path)
    wanted = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
    names = [_TYPES[kind] for kind in wanted if kind != "null"]
    if "text" in names and ("a number" in names or "a whole number" in names):
        names[names.index("text")] = "an expression"
    expected = " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    quotes = set(wanted) <= {"string", "null"} and isinstance(error.instance, bool | int | float)
    hint, help = _as_mapping(path, error)
    help = help or ("" if hint else advise_value(path, error.instance, steps="object" in wanted))
    if words := [f"`{word}`" for word in error.schema.get("enum", ()) if word is not None]:
        help = help or f"write one of {', '.join(words)}"
    help = help or ("put quotes around it if you mean text" if quotes else "")
    message = f"{_last(path)} takes {expected}, not {written(error.instance)}"
    return Diagnostic("E202", message, document.span(path), hint, help=help)


_PLAIN = re.compile(r"[\w.+*/ -]+", re.ASCII)
"""Text that means the same inside a mapping in braces."""


def _as_mapping(path: Path, error: ValidationError) -> tuple[str, str]:
    """The likely meaning of a step such as ``conv: 64``, its first argument, as ``conv: {out: 64}``; and a help."""
    first = next(iter([*error.schema.get("required", ()), *error.schema.get("properties", ())]), None)
    in_list = len(path) > 1 and isinstance(path[-2], int)
    if not in_list or first in (None, *common()):
        return "", ""
    taken = error.schema["properties"].get(first, {}).get("type", ())
    kinds = {str: {"string"}, int: {"integer", "number"}, float: {"number"}}.get(type(error.instance), set())
    if kinds.isdisjoint([taken] if isinstance(taken, str) else taken) or not _PLAIN.fullmatch(str(error.instance)):
        return "", ""
    value = error.instance
    if first == "type" and value not in error.schema["properties"]["type"]["examples"]:
        value, help = advise_type(str(path[-1]), value)
        if not value:
            return "", help
    if first == "type":
        return suggest(complete(str(path[-1]), value)), ""
    return f"did you mean `{path[-1]}: {{{first}: {cut(value)}}}`?", ""


def _not_one_operation(document: Document, path: Path, instance: dict[str, Any]) -> Diagnostic:
    keys = list(instance)
    if not keys:
        return Diagnostic("E206", "a step must name an operation, but this step is empty", document.span(path))
    shown = ", ".join(f"`{cut(key)}`" for key in keys[:4])
    label = Label(document.key_span((*path, keys[1])), "a second key")
    help = f"write `- {cut(keys[0])}: {{...}}`, or indent the arguments further than `{cut(keys[0])}`"
    message = f"a step must be a single operation, but this step has the keys {shown}"
    return Diagnostic("E206", message, document.key_span((*path, keys[0])), labels=(label,), help=help)


def _wrong_pattern(document: Document, path: Path, error: ValidationError) -> Diagnostic:
    name = str(error.instance)
    if error.validator_value.startswith("^none"):
        return Diagnostic(
            "E204", f"{_last(path)} must be a list of steps or `none`, not `{cut(name)}`", document.span(path)
        )
    span = document.key_span((*path, name)) if (*path, name) in document.places else document.span(path)
    signs = {NAME: ", `_`, `.` and `-`", DEFINITION_NAME: ", `_` and `-`", IDENTIFIER: " and `_`"}[
        error.validator_value
    ]
    message = f"`{cut(name)}` is not a name: use letters, digits{signs}, and start with a letter or `_`"
    return Diagnostic("E305", message, span, help=QUOTES if "(" in name or ")" in name else "")
