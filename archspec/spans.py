"""A source text, and the stretches of it that diagnostics point to."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from archspec import arguments
from archspec.wording import Brief, brief

SourceKind = Literal["file", "text", "standard input", "library", "override", "budget", "argument"]

LINE_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""What ``str.splitlines`` breaks lines at."""


@dataclass(frozen=True, eq=False, repr=False)
class Source(Brief):
    """A text that diagnostics point into.

    ``kind`` says where the text is from: a ``file``, a ``text`` that Python code gave, ``standard input``; the
    ``library`` that ships with the package; or what a caller passed beside a spec, which is an ``override``, a
    ``budget`` or another ``argument``. ``path`` is the absolute path of a file; ``extends`` and ``import`` look in its
    folder.

    >>> import archspec
    >>> text = "{archspec: 1, name: mine, extends: resnet18, classes: 10}"
    >>> archspec.compile(archspec.Source("mine.yaml", text)).output
    (10,)
    """

    name: str
    text: str = field(repr=False)
    kind: SourceKind = "file"
    path: str | None = None

    def __post_init__(self) -> None:
        arguments.text(self.name, "name")
        arguments.text(self.text, "text", "a text; decode bytes before")
        arguments.word(self.kind, "kind", get_args(SourceKind))
        if self.path is not None:
            arguments.text(self.path, "path", "an absolute path as text, or None")

    def part(self, first: int = 0, last: int | None = None) -> Span:
        """The characters of a one-line text from ``first``, counted from 0, to before ``last``; by default all."""
        first = arguments.whole(first, "first", 0)
        last = None if last is None else arguments.whole(last, "last", 0)
        return Span(self, 1, first + 1, 1, (len(self.text) if last is None else last) + 1)

    def line(self, number: int) -> str:
        """The text of line ``number`` (from 1), without its line break; empty past the end."""
        number = arguments.whole(number, "number")
        return self._lines[number - 1].rstrip(LINE_BREAKS) if 0 < number <= len(self._lines) else ""

    def offset(self, line: int, column: int) -> int:
        """How many characters come before a place; lines and columns count from 1."""
        line, column = arguments.whole(line, "line", 1), arguments.whole(column, "column", 1)
        return self._starts[min(line, len(self._starts)) - 1] + column - 1

    @functools.cached_property
    def _lines(self) -> list[str]:
        """The lines with their line breaks: a fault asks for one, and thousands of faults for the same few."""
        return self.text.splitlines(keepends=True)

    @functools.cached_property
    def _starts(self) -> list[int]:
        return [0, *itertools.accumulate(map(len, self._lines))]


class Span(NamedTuple):
    """A stretch of a source, from (line, column) up to, and without, (end_line, end_column); all count from 1."""

    source: Source
    line: int
    column: int
    end_line: int
    end_column: int

    def __repr__(self) -> str:
        return brief(self)

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


class Label(NamedTuple):
    """A second place that helps to understand a fault, and a text about it."""

    span: Span
    text: str

    def __repr__(self) -> str:
        return brief(self)
