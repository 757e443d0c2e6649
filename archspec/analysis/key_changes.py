"""The keys of two merged specs whose values differ in meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from archspec.language.resolve import DEFAULT_CLASSES, DEFAULT_INPUT, DEFAULT_SETTINGS
from archspec.language.spec import Spec
from archspec.operations.base import INIT

DEFAULTS: Mapping[str, Any] = {
    "input": list(DEFAULT_INPUT),
    "classes": DEFAULT_CLASSES,
    "stem": "imagenet",
    "head": "classifier",
    "returns": "dict",
    "naming": "torchvision",
    "stages.stride": 1,
    "stages.dilation": 1,
    "init.zero_init_residual": False,
    **{f"init.{kind}": words[0] for kind, words in INIT.items()},
    **DEFAULT_SETTINGS,
}
"""What a key means that is not written."""

FOR_PEOPLE = frozenset({"summary", "paper", "notes", "tags", "expect", "reference"})
NO_MEANING = FOR_PEOPLE | {"archspec", "name", "extends", "import"}

DEFINITIONS = {"blocks": ("summary", "channels"), "shortcuts": ("summary",), "fragments": ("summary",)}
"""The keys of definitions, and the keys in each that are only for people."""

WHOLE = ("norm", "act", "stem", "head")
"""Keys whose value is compared as a whole, be it a word or a mapping."""


def _keys(spec: Spec) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """The values of a spec that mean something, by dotted key: those that are written, and the defaults of others."""
    written: dict[str, Any] = {}
    for document in (*spec.imported, spec.document):
        value = {key: item for key, item in document.value.items() if key not in NO_MEANING}
        for section, for_people in DEFINITIONS.items():
            if value.get(section):
                value[section] = {
                    name: {key: item for key, item in (body or {}).items() if key not in for_people}
                    for name, body in value[section].items()
                }
        written.update(_flat(value, ""))
    params: dict[str, Any] = {}
    for block in [block for stage in spec.stages for block in stage.blocks.entries]:
        for name, term in block.params.items():
            params.setdefault(f"stages.{name}", term.constant)
    return written, {**params, **DEFAULTS}


def _flat(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, dict) and item and key not in WHOLE:
            yield from _flat(item, f"{name}.")
        elif item is not None:
            yield name, item


def key_changes(before: Spec | None, after: Spec | None) -> Iterator[tuple[str, Any, Any]]:
    """The keys whose values differ. A graph without a spec has no keys to compare."""
    if before is None or after is None:
        return
    sides = _keys(before), _keys(after)
    for key in dict.fromkeys([key for written, _ in sides for key in written]):
        values = [written.get(key, defaults.get(key)) for written, defaults in sides]
        if not _alike(key, *values):
            yield key, values[0], values[1]


def _alike(key: str, one: Any, other: Any) -> bool:
    """Whether two values of a key mean the same. One value in a stage table applies to all stages."""
    if not key.startswith("stages."):
        return bool(one == other)
    if isinstance(one, list) and isinstance(other, list) and len(one) != len(other):
        return False
    return bool(_cell(one) == _cell(other))


def _cell(column: Any) -> Any:
    """The common value of a column, or the column if its stages differ. A list in a cell stays a list."""
    alike = isinstance(column, list) and column and all(cell == column[0] for cell in column)
    return column[0] if alike and not isinstance(column[0], list) else column
