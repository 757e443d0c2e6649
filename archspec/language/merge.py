"""Merging one document over another, with stage tables by column."""

from __future__ import annotations

import dataclasses
from typing import Any

from archspec.language.text.document import Document, Path, Place
from archspec.work import ENTRIES, MERGING, Work


def overlay(base: Document, over: Document, work: Work) -> Document:
    """``over`` on top of ``base``: mappings merge key by key, scalars and lists replace, null removes.

    Among the parameters of a definition, null is a value: it declares a parameter that must be given. Every value
    keeps the place it was written at.
    """
    work.spend(MERGING, 4 * (len(base.places) + len(over.places)) // ENTRIES, over.span(()))
    places = {**base.places, **over.places}
    ambiguous = {path: reason for path, reason in base.ambiguous.items() if path not in over.places}
    under = base.value
    if over.value.get("stages") == NO_STAGES:
        under = {key: value for key, value in under.items() if key != "stages"}
    return Document(over.source, merged_values(under, over.value), places, {**ambiguous, **over.ambiguous})


def merged_values(base: Any, over: Any, path: Path = ()) -> Any:
    """The values of ``over`` at ``path``, on top of those of ``base``."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    merged = dict(base)
    keeps_nulls = len(path) == 3 and path[0] in DECLARING and path[2] == "params"
    for key, value in over.items():
        if value is None and key in merged and not keeps_nulls:
            del merged[key]
        else:
            merged[key] = merged_values(merged.get(key), value, (*path, key))
    return merged


DECLARING = ("blocks", "fragments")
"""The definitions that declare parameters."""


NO_STAGES: dict[str, Any] = {"count": []}
"""The table of a network without stages, ``stages: []``, by column."""

CELLS = 4
"""How many cells of a table by row one step turns into a table by column."""

NEEDED = ("block", "count", "channels")
"""The columns of which a row that lacks them is shown."""

OF_ITSELF = frozenset({"summary", "paper", "notes", "expect", "reference"})
"""What a spec says of itself and of no other: not of those that extend it, nor of what an override makes of it."""


def without_claims(document: Document) -> Document:
    """The document without what holds only for its own network."""
    if OF_ITSELF.isdisjoint(document.value):
        return document
    kept = {name: item for name, item in document.value.items() if name not in OF_ITSELF}
    return dataclasses.replace(document, value=kept)


def columns(document: Document, work: Work) -> Document:
    """The document with its stage table by column.

    By row ``[{count: 3, groups: 2}, {count: 4}]`` becomes ``{count: [3, 4], groups: [2, null]}``.
    """
    rows = document.value.get("stages")
    if not isinstance(rows, list):
        return document
    keys = list(dict.fromkeys(key for row in rows for key in row))
    work.spend(MERGING, len(keys) * len(rows) // CELLS, document.span(("stages",)))
    table = {key: [row.get(key) for row in rows] for key in keys}
    places = dict(document.places)
    for path, place in document.places.items():
        if len(path) > 2 and path[0] == "stages":
            _, row, key, *rest = path
            places[("stages", key, row, *rest)] = place
            if not rest:
                places.setdefault(("stages", key), place)
    for row in range(len(rows)):
        here = Place(None, document.span(("stages", row)))
        for key in NEEDED:
            places.setdefault(("stages", key, row), here)
    ambiguous = {_by_column(path): reason for path, reason in document.ambiguous.items()}
    if not rows:
        table = NO_STAGES
    return Document(document.source, {**document.value, "stages": table}, places, ambiguous)


def _by_column(path: Path) -> Path:
    return ("stages", path[2], path[1], *path[3:]) if len(path) > 2 and path[0] == "stages" else path
