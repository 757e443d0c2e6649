"""Overrides, ``key.path=value``: values merged over a document, each with its place in the override."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from archspec import arguments
from archspec.diagnostics import Diagnostic, Label, Mention, Source, Span, SpecError, cut, suggest
from archspec.hints import Hints
from archspec.language.authors import Authors
from archspec.language.merge import columns, merged_values, overlay, without_claims
from archspec.language.schema_faults import validate
from archspec.language.terms import written
from archspec.language.text.document import Document, Path, Place, dotted
from archspec.language.text.reader import read
from archspec.language.text.yaml_writer import flow
from archspec.wording import first_of
from archspec.work import Work

MAX_PARTS = 32

OVERRIDES = "texts such as ['classes=10'], or a mapping such as {'classes': 10}"

Overrides = Mapping[str, Any] | Iterable[str | Source]
"""What to set in a spec: a mapping from keys, nested or joined by dots, to values; or texts, ``key.path=value``."""


def settings_of(overrides: Overrides) -> tuple[str | Source, ...]:
    """The overrides that a caller in Python passed, each as a text.

    Raises:
        TypeError: they are neither, or have a value that YAML has no word for.
        ValueError: a number is not finite or too long.

    >>> [each.text for each in settings_of({"classes": 10, "stages": {"groups": [1, 32]}})]
    ['classes=10', 'stages={groups: [1, 32]}']
    """
    if isinstance(overrides, Mapping):
        return tuple(_settings(overrides, ""))
    return arguments.several(overrides, "overrides", OVERRIDES, (str, Source))


def _settings(values: Mapping[Any, Any], above: str) -> Iterator[Source]:
    for key, value in values.items():
        if not isinstance(key, str) or "=" in key or above.count(".") > MAX_PARTS:
            raise arguments.wrong("overrides", f"{OVERRIDES}, with keys of a spec", key)
        # A single parameter must be one of the spec's, and the whole of `params` may be another.
        if isinstance(value, Mapping) and (f"{above}{key}" == "params" or _has_paths(value, 0)):
            yield from _settings(value, f"{above}{key}.")
        else:
            yield Source("overrides", f"{above}{key}={flow(_plain(value, 0))}", "override")


def _has_paths(values: Mapping[Any, Any], depth: int) -> bool:
    """Whether a key in a mapping, or in one inside it, is a dotted path or the number of an entry."""
    inside = [item for item in values.values() if isinstance(item, Mapping)] if depth < MAX_PARTS else []
    named = any("." in key or key.isdecimal() for key in values if isinstance(key, str))
    return named or any(_has_paths(item, depth + 1) for item in inside)


def _plain(value: object, depth: int) -> Any:
    """A value of Python as YAML has it: also numbers of numpy, and any sequence."""
    kind = type(value)
    if value is None or kind in (str, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if kind.__name__ in ("bool", "bool_"):
        return arguments.flag(value, "overrides")
    if hasattr(kind, "__index__") and getattr(value, "ndim", 0) == 0:
        return arguments.whole(value, "overrides", -(10**18), 10**18)
    if hasattr(kind, "__float__") and getattr(value, "ndim", 0) == 0:
        return arguments.finite(value, "overrides")
    if depth < MAX_PARTS and isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if depth < MAX_PARTS and isinstance(value, Iterable) and not isinstance(value, bytes | bytearray | Mapping):
        return [_plain(item, depth + 1) for item in value]
    raise arguments.wrong("overrides", f"{OVERRIDES}, with values that YAML has", value)


def mention(setting: str) -> Mention:
    """How a help mentions an override."""
    return Mention("overrides", f"`overrides=[{setting!r}]`", setting)


FORM = mention("key.path=value")


def with_overrides(document: Document, settings: Iterable[str | Source], work: Work, authors: Authors) -> Document:
    """``document`` with each setting merged over it, in order.

    Raises:
        SpecError: with the faults of all settings.
    """
    faults: list[Diagnostic] = []
    hints = Hints()
    sources = [each if isinstance(each, Source) else Source("overrides", str(each), "override") for each in settings]
    if sources:
        document = without_claims(document)
    authors.given += tuple([_line(source, 0, len(source.text)) for source in sources])
    for setting in sources:
        try:
            over = columns(validate(override(document, setting, work, hints), partial=True, work=work), work)
            merged = overlay(document, over, work)
            document = dataclasses.replace(merged, source=document.source)
        except SpecError as error:
            faults.extend(error.diagnostics)
    if faults:
        raise SpecError(faults)
    return document


def override(base: Document, setting: str | Source, work: Work | None = None, hints: Hints | None = None) -> Document:
    """The document that an override, ``key.path=value``, merges over ``base``.

    The value is YAML; a number in the path is an index. ``hints`` are what all overrides of a spec may search.

    Raises:
        SpecError: the setting has no ``=``, its value is not YAML, or its path leads through a scalar.
    """
    source = setting if isinstance(setting, Source) else Source("overrides", str(setting), "override")
    setting = source.text
    key, equals, text = setting.partition("=")
    if not equals or not key.strip() or not key.isprintable():
        message, help = f"`{cut(setting)}` sets nothing", f"write {FORM.text}"
        raise SpecError([Diagnostic("E313", message, _line(source, 0, len(setting)), help=help, mentions=(FORM,))])
    parts = _parts(key, source)
    value = _read(text, source, len(key) + 1, work)
    path: Path = tuple(part for part, _ in parts)
    places = {(*path, *inner): place for inner, place in value.places.items()}
    whole = _line(source, 0, len(setting))
    places[()] = Place(None, whole)
    for length, (_, span) in enumerate(parts, 1):
        here = path[:length]
        rest = places[here].value if here in places else whole._replace(column=parts[length][1].column)
        places[here] = Place(span, rest)
    ambiguous = {(*path, *inner): reason for inner, reason in value.ambiguous.items()}
    _check_settable(base, parts, hints or Hints())
    return Document(source, _at(base.value, (), parts, value.value), places, ambiguous)


def _parts(key: str, source: Source) -> list[tuple[str | int, Span]]:
    """The parts of a dotted key, numbers as indices, each with its place."""
    found: list[tuple[str | int, Span]] = []
    start = 0
    for written_ in key.split("."):
        part = written_.strip()
        first = start + written_.find(part)
        span = _line(source, first, max(first + len(part), first + 1))
        start += len(written_) + 1
        index = part.isascii() and part.isdecimal() and len(part) < 10
        found.append((int(part) if index else part, span))
        if not part or len(found) > MAX_PARTS:
            what = f"has more than {MAX_PARTS} parts" if part else "has an empty part"
            message, help = f"the key `{cut(key)}` {what}", f"write {FORM.text}, the keys joined by dots"
            raise SpecError([Diagnostic("E313", message, span, help=help, mentions=(FORM,))])
    return found


def _check_settable(base: Document, parts: list[tuple[str | int, Span]], hints: Hints) -> None:
    """Refuse what has no effect: ``extends``, which was followed already, and a parameter that the spec lacks."""
    first, span = parts[0]
    if first == "extends":
        help = "write a spec of a few lines that begins with `extends`"
        raise SpecError([Diagnostic("E313", "an override cannot change `extends`", span, help=help)])
    known = base.value.get("params") or {}
    if first == "params" and len(parts) > 1 and parts[1][0] not in known:
        name, span = parts[1]
        help = f"its parameters are {first_of(known)}" if known else "it has no `params`"
        message = f"the spec has no parameter `{cut(name)}`"
        hint = suggest(hints.nearest(str(name), known))
        raise SpecError([Diagnostic("E313", message, span, hint, help=help)])


def _at(base: Any, above: Path, parts: list[tuple[str | int, Span]], value: Any) -> Any:
    """The values to merge over ``base``, the value at ``above``, so that ``value`` is at the path ``parts``."""
    if not parts:
        return value
    (part, span), rest = parts[0], parts[1:]
    if isinstance(base, list) and isinstance(part, int) and part < len(base):
        here = (*above, part)
        over = _at(base[part], here, rest, value)
        # A step is a mapping of one key, its word, for whose arguments null may stand.
        bare = isinstance(base[part], dict) and len(base[part]) == 1 and over == dict.fromkeys(base[part])
        entry = over if bare else merged_values(base[part], over, here)  # a list replaces the one below it
        return [*base[:part], entry, *base[part + 1 :]]
    if isinstance(base, dict) or (base is None and isinstance(part, str)):
        if above == ("stages",) and isinstance(part, int):
            form = mention(f"stages.KEY.{part}=...")
            raise _nowhere("the stage table is by column", span, f"write {form.text}", form)
        return {str(part): _at((base or {}).get(str(part)), (*above, str(part)), rest, value)}
    if base is None:
        raise _nowhere(f"the spec does not write `{dotted(above)}`, so it has no entry {part}", span)
    if isinstance(base, list) and isinstance(part, int):
        raise _nowhere(
            f"`{dotted(above)}` has {'1 entry' if len(base) == 1 else f'{len(base)} entries'}, numbered from 0", span
        )
    raise _nowhere(f"`{dotted(above)}` is {written(base)}, which has no `{cut(part)}`", span)


def _nowhere(message: str, span: Span, help: str = "set the whole value instead", *mentions: Mention) -> SpecError:
    return SpecError([Diagnostic("E313", message, span, help=help, mentions=mentions)])


def _read(text: str, source: Source, by: int, work: Work | None) -> Document:
    """The value after the equals sign, with its places in the whole argument."""
    try:
        found = read(dataclasses.replace(source, text=text), fragment=True, work=work)
    except SpecError as error:
        raise SpecError([_moved(diagnostic, source, by) for diagnostic in error.diagnostics]) from None
    places = {
        path: Place(p.key and _shifted(p.key, source, by), _shifted(p.value, source, by))
        for path, p in found.places.items()
    }
    return Document(source, found.value, places, found.ambiguous)


def _moved(fault: Diagnostic, source: Source, by: int) -> Diagnostic:
    span = fault.span and _shifted(fault.span, source, by)
    labels = tuple(Label(_shifted(label.span, source, by), label.text) for label in fault.labels)
    return dataclasses.replace(fault, span=span, labels=labels)


def _shifted(span: Span, source: Source, by: int) -> Span:
    first, last = (by if span.line == 1 else 0), (by if span.end_line == 1 else 0)
    return Span(source, span.line, span.column + first, span.end_line, span.end_column + last)


def _line(source: Source, start: int, end: int) -> Span:
    """The stretch of the first line from offset ``start`` to ``end``, or as far as that line goes."""
    length = len(source.line(1))
    return Span(source, 1, min(start, length) + 1, 1, min(end, length) + 1)
