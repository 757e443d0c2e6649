"""The hash of what a spec means: the same for all ways of writing the same network."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from archspec.language.definitions import library
from archspec.language.spec import LANGUAGE_VERSION, Spec
from archspec.operations.discovery import operations

FOR_PEOPLE = frozenset({"summary", "paper", "notes", "tags", "expect", "reference"})
RESOLVED = frozenset({"archspec", "extends", "import", "stages", "input", "classes"})
"""What the hash takes from the resolved spec rather than from the text."""

DEFINITIONS = {"blocks": ("summary", "channels"), "shortcuts": ("summary",), "fragments": ("summary",)}
"""Where definitions stand, and what in each is for people."""

MAPPINGS = frozenset({"norm", "init", "naming", "scale"})
"""Where null inside says that something is not set, as it does for the spec's own keys."""

DEFAULTS = {"stride": 1, "dilation": 1}
"""What a cell means that is not written."""


def fingerprint(spec: Spec) -> str:
    """SHA-256 of what a spec means: its merged values, the table by row, and the definitions that it imports."""
    import hashlib  # it loads OpenSSL, and few commands ask for the hash

    own = _meaning(spec.document.value)
    imported = [_meaning(document.value) for document in spec.imported]
    if stands_alone(spec):
        own, imported = with_definitions(own, imported), []
    values = [LANGUAGE_VERSION, spec.input, spec.classes, own, _rows(spec), imported]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def with_definitions(own: dict[str, Any], imported: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The values of a spec with the definitions that it imports."""
    values = (own, *imported)
    found = {
        section: {n: d for each in values for n, d in (each.get(section) or {}).items()} for section in DEFINITIONS
    }
    return {**own, **{section: definitions for section, definitions in found.items() if definitions}}


def stands_alone(spec: Spec) -> bool:
    """Whether the definitions that a spec imports mean the same when they are written into the spec itself.

    They may mean something else if one has the name of another or of one in the library, or if a naming is imported.
    """
    documents = (spec.document, *spec.imported)
    for section in DEFINITIONS:
        names = [name for document in documents for name in document.value.get(section) or ()]
        if len(set(names)) < len(names) or (spec.imported and set(names) & set(library().visible(section))):
            return False
    return not any(document.value.get("naming") for document in spec.imported)


def _meaning(value: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: _ordered(item) for key, item in value.items() if key not in FOR_PEOPLE | RESOLVED and item is not None}
    found = {key: _set(item) if key in MAPPINGS else item for key, item in kept.items()}
    for section, ignored in DEFINITIONS.items():
        if found.get(section):
            found[section] = {
                name: {key: item for key, item in (body or {}).items() if key not in ignored}
                for name, body in found[section].items()
            }
    return found


def _set(value: Any) -> Any:
    return {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else value


def _ordered(value: Any, key: str = "") -> Any:
    """``value`` with the branches of a merge as a list, because only their order matters."""
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    if not isinstance(value, dict):
        return value
    inside = {name: _ordered(item, name) for name, item in value.items()}
    return list(inside.items()) if key in operations() and operations()[key].arity == "many" else inside


def _rows(spec: Spec) -> list[dict[str, Any]]:
    """The stage table by row, each with the cells that its stage reads."""
    table = spec.document.value["stages"]
    found = []
    for stage in spec.stages:
        rule = table.get("quantized_linear")
        generated = {"count", "channels"} if rule else set()
        if rule and rule.get("group_width") is not None:
            generated.add("group_width")
        row = {key: stage.cells[key].at(0).constant for key in generated}
        for key in {"block", *stage.cells} - generated:
            column = table[key]
            row[key] = _ordered(column[stage.number] if isinstance(column, list) else column)
        found.append({key: value for key, value in row.items() if DEFAULTS.get(key) != value})
    return found
