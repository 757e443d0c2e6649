"""Faults that only follow from others are withheld: a misspelled declaration gives one fault, not one for each use."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from archspec.diagnostics import Diagnostic, Faults, Label, Span, cut, suggest
from archspec.language.text.document import Document, Path
from archspec.work import FAULTS, Work

SECTIONS = ("fragments", "blocks", "shortcuts")
_WORD, _HYPHENATED = re.compile(r"\w+"), re.compile(r"[\w-]+")
MAX_USES = 4
"""The most uses of a misspelled declaration that are shown."""


def withhold_echoes(faults: Faults, document: Document, work: Work) -> None:
    """Leave out what follows from other faults, if any of them is an error.

    What reads nothing may be read by a step that is at fault. A name that is not defined, where a similar one is
    declared that nothing reads, is a misspelled declaration.
    """
    if not faults.failed:
        return
    found = {key: fault for key, fault in faults.found.items() if fault.code != "W301"}
    faults.found.clear()
    faults.found.update(
        {(each.code, each.span, each.message): each for each in _grouped(found.values(), document, work)}
    )


def _grouped(found: Iterable[Diagnostic], document: Document, work: Work) -> Iterator[Diagnostic]:
    declared = {suggest(name): paths for name, paths in _declared(document.value).items()}
    groups: dict[tuple[str, str], list[Diagnostic]] = {}
    for fault in found:
        word = _text(fault.span) if fault.span and fault.hint in declared else ""
        groups.setdefault((word, fault.hint if word else str(id(fault))), []).append(fault)
    read = _read(document, work) if any(word for word, _ in groups) else Counter()
    for (word, hint), group in groups.items():
        paths = declared[hint] if word else []
        if len(paths) == 1 and read[str(paths[0][-1])] == 1:  # the declaration itself
            yield _at_declaration(word, group, document.key_span(paths[0]), str(paths[0][-1]))
        else:
            yield from group


def _at_declaration(word: str, group: list[Diagnostic], span: Span, name: str) -> Diagnostic:
    """One fault for all uses of an undefined ``word``, where ``name`` is declared at ``span`` and not read."""
    first = group[0]
    if len(group) == 1:  # either of the two may be misspelled
        return replace(first, labels=(*first.labels, Label(span, f"nothing reads `{cut(name)}`")))
    message = f"{first.message.removesuffix(' here')}, and nothing reads `{cut(name)}`"
    uses = [Label(fault.span, "read here") for fault in group if fault.span][:MAX_USES]
    return Diagnostic(first.code, message, span, suggest(word), labels=tuple(uses))


def _declared(value: dict[str, Any]) -> dict[str, list[Path]]:
    """The names that a spec declares: parameters, ``let``, and definitions; each with the paths of its declarations."""
    paths: list[Path] = [("params", name) for name in value.get("params") or ()]
    for section in SECTIONS:
        for name, definition in (value.get(section) or {}).items():
            paths.append((section, name))
            inner = definition if isinstance(definition, dict) else {}
            paths += [(section, name, key, each) for key in ("params", "let") for each in inner.get(key) or ()]
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(str(path[-1]), []).append(path)
    return found


def _read(document: Document, work: Work) -> Counter[str]:
    """How often a spec has each word, as a key and in its texts. What has a hyphen may be a name or a difference."""
    work.spend(FAULTS, len(document.places), document.span(()))
    found: Counter[str] = Counter()
    waiting = [document.value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            found.update(map(str, value))
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str):
            found.update({*_WORD.findall(value), *_HYPHENATED.findall(value)})
    return found


def _text(span: Span) -> str:
    """What is written at a place of one line, without quotes."""
    return span.source.line(span.line)[span.column - 1 : span.end_column - 1].strip("'\"")
