"""Laying one document over another: ``extends``, ``--set``, and the stage table put into columns."""

from __future__ import annotations

from typing import Any

from archspec.diagnostics import Diagnostic, Source, Span, SpecError, cut
from archspec.language.source import Document, Path, Place, read


def overlay(base: Document, over: Document) -> Document:
    """``over`` on top of ``base``: mappings merge key by key, scalars and lists replace, null removes.

    Every value keeps the place it was written at.
    """
    places = {**base.places, **over.places}
    ambiguous = {path: reason for path, reason in base.ambiguous.items() if path not in over.places}
    return Document(over.source, _merged(base.value, over.value), places, {**ambiguous, **over.ambiguous})


def _merged(base: Any, over: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    merged = dict(base)
    for key, value in over.items():
        if value is None and key in merged:
            del merged[key]
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


def columns(document: Document) -> Document:
    """The document with its stage table by column, whichever way it is written.

    By row ``[{count: 3, groups: 2}, {count: 4}]`` becomes ``{count: [3, 4], groups: [2, null]}``.
    """
    rows = document.value.get("stages")
    if not isinstance(rows, list):
        return document
    keys = list(dict.fromkeys(key for row in rows for key in row))
    table = {key: [row.get(key) for row in rows] for key in keys}
    places = dict(document.places)
    for path, place in document.places.items():
        if len(path) > 2 and path[0] == "stages":
            _, row, key, *rest = path
            places[("stages", key, row, *rest)] = place
            if not rest:
                places.setdefault(("stages", key), place)
    ambiguous = {_by_column(path): reason for path, reason in document.ambiguous.items()}
    if not rows:
        table = {"count": []}
    return Document(document.source, {**document.value, "stages": table}, places, ambiguous)


def _by_column(path: Path) -> Path:
    return ("stages", path[2], path[1], *path[3:]) if len(path) > 2 and path[0] == "stages" else path


def override(base: Document, setting: str) -> Document:
    """The document that ``--set key.path=value`` lays over ``base``.

    The value is YAML; a number in the path is an index.

    Raises:
        SpecError: the setting has no ``=``, its value is not YAML, or its path leads through what is no mapping.
    """
    key, equals, text = setting.partition("=")
    source = Source("--set", setting)
    whole = Span(source, 1, 1, 1, len(setting) + 1)
    if not equals or not key.strip():
        raise SpecError(
            [Diagnostic("E313", f"`{cut(setting)}` sets nothing", whole, help="write `--set key.path=value`")]
        )
    path: Path = tuple(int(part) if part.isdecimal() else part for part in key.strip().split("."))
    value = read(Source("--set", text), fragment=True)
    places = {(*path, *inner): _shift(place, source, len(key) + 1) for inner, place in value.places.items()}
    key_span = Span(source, 1, 1, 1, len(key) + 1)
    for length in range(len(path) + 1):
        inner = places.get(path[:length])
        places[path[:length]] = Place(key_span, inner.value if inner else whole)
    ambiguous = {(*path, *inner): reason for inner, reason in value.ambiguous.items()}
    return Document(source, _at(base.value, path, value.value, key_span), places, ambiguous)


def _at(base: Any, path: Path, value: Any, span: Span) -> Any:
    """What has to be laid over ``base`` so that ``value`` stands at ``path``."""
    if not path:
        return value
    part, *rest = path
    if isinstance(base, list) and isinstance(part, int) and part < len(base):
        return [_at(item, tuple(rest), value, span) if i == part else item for i, item in enumerate(base)]
    if isinstance(part, int) or not (base is None or isinstance(base, dict)):
        raise SpecError([Diagnostic("E313", f"`{cut(part)}` leads nowhere: the value there has no such entry", span)])
    return {part: _at((base or {}).get(part), tuple(rest), value, span)}


def _shift(place: Place, source: Source, by: int) -> Place:
    return Place(place.key and _shifted(place.key, source, by), _shifted(place.value, source, by))


def _shifted(span: Span, source: Source, by: int) -> Span:
    first, last = (by if span.line == 1 else 0), (by if span.end_line == 1 else 0)
    return Span(source, span.line, span.column + first, span.end_line, span.end_column + last)
