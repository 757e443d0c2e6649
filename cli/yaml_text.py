"""A merged spec as YAML again: one text that stands alone, with where each value came from in comments.

What is written here reads back to the same values. That is why this is no general YAML writer: it knows the one
dialect that ``archspec.language.text.document`` reads.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, NamedTuple

from archspec.diagnostics import Source
from archspec.language.fingerprint import stands_alone
from archspec.language.spec import Spec
from archspec.language.text.document import Document, Path, Value
from archspec.language.text.scalars import ambiguity, read_scalar

from .render import display_width

WIDTH = 100
MARGIN = 48
"""How far to the right comments are aligned; a longer line has its own right behind it."""

DEFINITIONS = ("blocks", "shortcuts", "fragments")

# Plain text that no reader of YAML takes for anything else, alone on its line and inside `{...}` or `[...]`.
_PLAIN = re.compile(r"[A-Za-z0-9_(](?:[A-Za-z0-9_ ,.+*/%<>=()'^-]|:(?=\S))*(?<! )")
_PLAIN_INSIDE = re.compile(r"[A-Za-z0-9_(][A-Za-z0-9_ .+*/%<>=()'^-]*(?<! )")


def standalone(spec: Spec, main: Source) -> Document:
    """The document of a spec without what it was made from: no ``extends``, and imported definitions written out.

    Definitions stay where they are, under ``import``, if one of them has the name of another or of the library's: put
    into one text, such names could mean something else.
    """
    document = spec.document
    value = {key: item for key, item in document.value.items() if key not in ("extends", "import")}
    places = dict(document.places)
    if not spec.imported:
        return Document(main, value, places, document.ambiguous)
    if not stands_alone(spec):
        value["import"] = _relative(spec, main) or document.value["import"]
        return Document(main, value, places, document.ambiguous)
    for section in DEFINITIONS:
        found = dict(value.get(section) or {})
        for imported in spec.imported:
            found.update(imported.value.get(section) or {})
        if found:
            value[section] = found
    for imported in spec.imported:
        places.update({path: place for path, place in imported.places.items() if len(path) > 1})
    return Document(main, value, places, document.ambiguous)


def _relative(spec: Spec, main: Source) -> list[str]:
    """The imported files as seen from beside ``main``; empty where one of the two is no file."""
    paths = [imported.source.path for imported in spec.imported]
    if main.path is None or None in paths:
        return []
    folder = PurePath(main.path).parent
    return [PurePath(os.path.relpath(path, folder)).as_posix() for path in paths if path]


def to_yaml(document: Document, *, comments: bool = True) -> str:
    """The text of a document. A comment names the place of what was not written in ``document.source`` itself."""
    lines = list(_Writer(document, comments).mapping(document.value, (), 0))
    column = max((width for line in lines if line.comment and (width := display_width(line.text)) <= MARGIN), default=0)
    return "".join(f"{line.text}{_aside(line, column)}\n" for line in lines)


class _Line(NamedTuple):
    text: str
    comment: str = ""


def _aside(line: _Line, column: int) -> str:
    """The comment of a line, two spaces after ``column`` or the text."""
    return " " * max(2, column + 2 - display_width(line.text)) + f"# {line.comment}" if line.comment else ""


class _Writer:
    def __init__(self, document: Document, comments: bool) -> None:
        self.document = document
        self.comments = comments
        self.own = _origin(document.source)

    def mapping(self, value: dict[str, Any], path: Path, indent: int) -> Iterator[_Line]:
        """The lines of a mapping in block style."""
        for key, item in value.items():
            head = f"{'':{indent}}{scalar(key)}:"
            inner = (*path, key)
            if self.fits(item, len(head)) and (path or not isinstance(item, dict) or not item):
                yield _Line(f"{head} {self.flow(item)}", self.comment(item, inner))
            else:
                yield _Line(head)
                yield from self.block(item, inner, indent + 2)

    def block(self, item: Any, path: Path, indent: int) -> Iterator[_Line]:
        return self.mapping(item, path, indent) if isinstance(item, dict) else self.sequence(item, path, indent)

    def sequence(self, value: list[Any], path: Path, indent: int) -> Iterator[_Line]:
        """The lines of a list in block style."""
        for number, item in enumerate(value):
            inner = (*path, number)
            start = f"{'':{indent}}- "
            if self.fits(item, len(start)) and not (isinstance(item, dict) and len(item) == 1):
                yield _Line(f"{start}{self.flow(item)}", self.comment(item, inner))
                continue
            lines = self.block(item, inner, indent + 2)
            first = next(lines)
            yield _Line(start + first.text[indent + 2 :], first.comment)
            yield from lines

    def fits(self, item: Any, column: int) -> bool:
        """Whether ``item`` stands on one line: a scalar always, a collection of scalars where it is short."""
        if not isinstance(item, list | dict) or not item:
            return True
        inside = item.values() if isinstance(item, dict) else item
        nested = [each for each in inside if isinstance(each, list | dict) and each]
        if any(not isinstance(each, list) or _holds_collections(each) for each in nested):
            return False
        return column + len(self.flow(item)) <= WIDTH

    def flow(self, item: Any) -> str:
        if isinstance(item, dict):
            pairs = (f"{scalar(key, inside=True)}: {self.inner(each)}" for key, each in item.items())
            return "{" + ", ".join(pairs) + "}"
        if isinstance(item, list):
            return "[" + ", ".join(map(self.inner, item)) + "]"
        return scalar(item)

    def inner(self, item: Any) -> str:
        return self.flow(item) if isinstance(item, list | dict) else scalar(item, inside=True)

    def comment(self, item: Any, path: Path) -> str:
        """Where the values on a line came from, if any came from elsewhere."""
        origins: dict[tuple[str, str | None], tuple[str, int]] = {}
        for leaf in _leaves(item, path):
            span = self.document.span(leaf)
            origins.setdefault(_origin(span.source), (span.source.name, span.line))
        if not self.comments or set(origins) <= {self.own}:
            return ""
        shown = [name if name == "--set" else f"{name}:{line}" for name, line in origins.values()]
        text = ", ".join(shown)
        return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _holds_collections(item: list[Any]) -> bool:
    return any(isinstance(each, list | dict) for each in item)


def _leaves(item: Any, path: Path) -> Iterator[Path]:
    inside = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
    if not item or not isinstance(item, list | dict):
        yield path
    for key, each in inside:
        yield from _leaves(each, (*path, key))


def _origin(source: Source) -> tuple[str, str | None]:
    return source.name, source.path


def scalar(value: Value, *, inside: bool = False) -> str:
    """A scalar, quoted where it must be. ``inside`` flow collections more must be."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    plain = (_PLAIN_INSIDE if inside else _PLAIN).fullmatch(text)
    if plain and read_scalar(text) == text and not ambiguity(text):
        return text
    return '"' + "".join(map(_quoted, text)) + '"'


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _quoted(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
