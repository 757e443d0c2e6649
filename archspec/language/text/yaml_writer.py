"""Values as YAML again: one text, the line of each value in it, and where each value came from in comments.

The writer knows the one dialect that :mod:`archspec.language.text.reader` reads: what it writes reads back to the
same values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from archspec.display import display_width
from archspec.language.text.document import Document
from archspec.language.text.scalars import is_plain_text

WrittenPath = tuple[Any, ...]
OneLine = Callable[[Any, WrittenPath], bool]
"""Whether the collection at a path may be written on one line if it is short."""

WIDTH = 100
MARGIN = 48
"""The rightmost column for an aligned comment. The comment of a longer line follows the line directly."""

SIMPLE = 1000
"""YAML allows 1,024 characters before the colon of a key; a longer key begins with `? `."""

# Plain text that every YAML reader takes for text, alone on its line and inside `{...}` or `[...]`.
_PLAIN = re.compile(r"[A-Za-z0-9_(](?:[A-Za-z0-9_ ,.+*/%<>=()'^-]|:(?=\S))*(?<! )")
_PLAIN_INSIDE = re.compile(r"[A-Za-z0-9_(][A-Za-z0-9_ .+*/%<>=()'^-]*(?<! )")


@dataclass(frozen=True, slots=True)
class Raw:
    """A key or a value that is written as it is, whatever a reader makes of it."""

    text: str


@dataclass(frozen=True, slots=True)
class Written:
    """A text, and for each path the lines on which its key and its value begin, from 1."""

    text: str
    keys: Mapping[WrittenPath, int]
    values: Mapping[WrittenPath, int]


def write(value: Mapping[Any, Any]) -> Written:
    """``value`` in block style; what is short and has few levels is written on one line."""
    keys: dict[WrittenPath, int] = {}
    values: dict[WrittenPath, int] = {}
    lines = list(_mapping(value, (), 0, lambda item, path: _depth(item) < 5))
    for number, line in enumerate(lines, 1):
        for path in line.begun:
            keys.setdefault(path, number)
            for end in range(len(path)):  # a collection begins with its first key or item
                values.setdefault(path[:end], number)
        for path in line.leaves:
            for end in range(len(path) + 1):
                keys.setdefault(path[:end], number)
                values.setdefault(path[:end], number)
    return Written("".join(f"{line.text}\n" for line in lines), keys, values)


def to_yaml(document: Document, *, comments: bool = True) -> str:
    """The text of a document, with few values a line.

    A comment names the origin of each value that ``document.source`` does not contain.
    """
    lines = list(_mapping(document.value, (), 0, _is_plain))
    shown = [_origins(document, line.leaves) if comments else "" for line in lines]
    widths = [display_width(line.text) if comment else 0 for line, comment in zip(lines, shown, strict=True)]
    column = max((each for each in widths if each <= MARGIN), default=0)
    padded = (
        f"{line.text}{' ' * max(2, column + 2 - each)}# {comment}" if comment else line.text
        for line, comment, each in zip(lines, shown, widths, strict=True)
    )
    return "".join(f"{line}\n" for line in padded)


def _origins(document: Document, leaves: Iterable[WrittenPath]) -> str:
    """Where the values at ``leaves`` came from; empty if all are from the document's own source."""
    found: dict[tuple[str, str | None], str] = {}
    for span in map(document.span, leaves):
        name = span.source.name
        found.setdefault((name, span.source.path), name if span.source.kind == "override" else f"{name}:{span.line}")
    if set(found) <= {(document.source.name, document.source.path)}:
        return ""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in ", ".join(found.values()))


class _Line(NamedTuple):
    """A line, the paths that begin on it and continue below, and the scalars and empty collections on it."""

    text: str
    begun: tuple[WrittenPath, ...]
    leaves: tuple[WrittenPath, ...]


def _mapping(value: Mapping[Any, Any], path: WrittenPath, indent: int, one_line: OneLine) -> Iterator[_Line]:
    """The lines of a mapping in block style."""
    for key, item in value.items():
        name, inner = scalar(key), (*path, key)
        head = f"{'':{indent}}{name}:"
        if len(name) > SIMPLE:
            yield _Line(f"{'':{indent}}? {name}", (inner,), ())
            head = f"{'':{indent}}:"
        if _fits(item, inner, len(head), one_line):
            yield _Line(f"{head} {flow(item)}", (), tuple(_leaves(item, inner)))
        else:
            yield _Line(head, (inner,), ())
            yield from _block(item, inner, indent + 2, one_line)


def _sequence(value: list[Any], path: WrittenPath, indent: int, one_line: OneLine) -> Iterator[_Line]:
    """The lines of a list in block style."""
    for number, item in enumerate(value):
        inner = (*path, number)
        start = f"{'':{indent}}- "
        if _fits(item, inner, len(start), one_line) and not (isinstance(item, dict) and len(item) == 1):
            yield _Line(f"{start}{flow(item)}", (), tuple(_leaves(item, inner)))
            continue
        lines = _block(item, inner, indent + 2, one_line)
        first = next(lines)
        yield _Line(start + first.text[indent + 2 :], (inner, *first.begun), first.leaves)
        yield from lines


def _block(item: Any, path: WrittenPath, indent: int, one_line: OneLine) -> Iterator[_Line]:
    return (_mapping if isinstance(item, dict) else _sequence)(item, path, indent, one_line)


def _fits(item: Any, path: WrittenPath, column: int, one_line: OneLine) -> bool:
    """Whether ``item`` is written on one line: a scalar always, a collection if it may be and is short."""
    return not _depth(item) or (one_line(item, path) and column + len(flow(item)) <= WIDTH)


def _is_plain(item: Any, path: WrittenPath) -> bool:
    """Whether a collection has scalars, or lists of them, and is not a whole section of the document."""
    if isinstance(item, dict) and len(path) == 1:
        return False
    return _depth(item) < 3 and not any(isinstance(each, dict) and each for each in _inside(item))


def _inside(item: Any) -> Iterable[Any]:
    return item.values() if isinstance(item, dict) else item


def _depth(item: Any) -> int:
    """The number of collections in each other; 0 for a scalar and for an empty collection."""
    if not isinstance(item, list | dict) or not item:
        return 0
    return 1 + max(map(_depth, _inside(item)))


def flow(item: Any, *, inside: bool = False) -> str:
    """``item`` on one line; ``inside`` another collection, more text needs quotes."""
    if isinstance(item, dict):
        pairs = (f"{_key(key)}: {flow(each, inside=True)}" for key, each in item.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(item, list):
        return "[" + ", ".join(flow(each, inside=True) for each in item) + "]"
    return scalar(item, inside=inside)


def _key(key: Any) -> str:
    """A key inside braces, before its colon."""
    name = scalar(key, inside=True)
    return f"? {name} " if len(name) > SIMPLE else name


def _leaves(item: Any, path: WrittenPath) -> Iterator[WrittenPath]:
    """The paths of the scalars and the empty collections in ``item``."""
    if not item or not isinstance(item, list | dict):
        yield path
        return
    for key, each in item.items() if isinstance(item, dict) else enumerate(item):
        yield from _leaves(each, (*path, key))


def scalar(value: Any, *, inside: bool = False) -> str:
    """A scalar, in quotes where a reader could take it for something else, alone on its line or ``inside`` brackets."""
    if isinstance(value, Raw):
        return value.text
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    plain = (_PLAIN_INSIDE if inside else _PLAIN).fullmatch(text)
    if plain and is_plain_text(text):
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
