"""Edits of the values in a text. Every change is read back, and dropped if the text would then mean anything else."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from archspec.diagnostics import Source, Span, SpecError
from archspec.language.text.document import Path, value_at
from archspec.language.text.reader import read
from archspec.operations.shapes import Shape
from archspec.testing.figures import BadExpectation, read_expectation


class Edit(NamedTuple):
    """A value of ``expect`` and the text that takes its place; ``value`` is what was measured."""

    path: Path
    span: Span
    text: str
    value: int | Fraction | Shape


MAX_READINGS = 100
"""How often a changed text is read back. It is read once if all values can be replaced in their places."""


@dataclass(slots=True)
class Writing:
    """A text while edits are written into it, and the paths of those that would change its meaning otherwise."""

    text: str
    left: list[Path] = field(default_factory=list)
    readings: int = 0

    def write(self, edits: Sequence[Edit]) -> None:
        """Write edits, of which the last in the text come first, so that places stay true."""
        if not edits:
            return
        if self.readings < MAX_READINGS:
            self.readings += 1
            edited = replaced(self.text, edits)
            if _says(edited, self.text, edits):
                self.text = edited
                return
        if len(edits) == 1 or self.readings >= MAX_READINGS:
            self.left += [edit.path for edit in edits]
            return
        half = len(edits) // 2
        self.write(edits[:half])
        self.write(edits[half:])


def replaced(text: str, edits: Sequence[Edit]) -> str:
    """The text with edits, of which the last in the text come first; what is after them may have changed already."""
    parts = []
    end = len(text)
    for edit in edits:
        start, stop = _ends(edit.span)
        parts += [text[stop:end], edit.text]
        end = start
    return "".join([text[:end], *reversed(parts)])


def edited_lines(edit: Edit) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lines of an edit, as they are written and with its text."""
    source, first, column, last, end_column = edit.span
    before = [source.line(number) for number in range(first, last + 1)]
    after = before[0][: column - 1] + edit.text + before[-1][end_column - 1 :]
    return tuple(before), tuple(after.splitlines())


def _ends(span: Span) -> tuple[int, int]:
    """The offsets of a span's first character, and of the first after it."""
    return span.source.offset(span.line, span.column), span.source.offset(span.end_line, span.end_column)


def between(span: Span) -> str:
    """The text of a span."""
    return span.source.text[slice(*_ends(span))]


def just_before(span: Span) -> str:
    """The character before a span; empty at the beginning of the text."""
    start = _ends(span)[0]
    return span.source.text[max(0, start - 1) : start]


def _says(text: str, before: str, edits: Sequence[Edit]) -> bool:
    """Whether the text has the measured values in their places, and otherwise means the same as before."""
    paths = [edit.path for edit in edits]
    try:
        new, old = (read(Source("", each, "text")).value for each in (text, before))
        there = [value_at(new, path) for path in paths]
    except (SpecError, KeyError, IndexError, TypeError):
        return False
    hold = all(holds(value, edit.value) for value, edit in zip(there, edits, strict=True))
    return hold and bool(_without(new, paths) == _without(old, paths))


def holds(value: Any, measured: int | Fraction | Shape) -> bool:
    """Whether what is written under ``expect`` allows what was measured."""
    if isinstance(measured, tuple):
        return isinstance(value, list) and tuple(value) == measured
    try:
        return read_expectation(value, real=isinstance(measured, Fraction)).holds(measured)
    except BadExpectation:
        return False


def _without(value: Any, paths: Iterable[Path]) -> Any:
    """A copy with None at the paths. Each place has its own copy of what an alias shares, so no other place changes."""
    value = _unshared(value)
    for path in paths:
        value_at(value, path[:-1])[path[-1]] = None
    return value


def _unshared(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unshared(each) for key, each in value.items()}
    return [_unshared(each) for each in value] if isinstance(value, list) else copy.copy(value)
