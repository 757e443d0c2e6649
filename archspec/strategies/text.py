"""A document as YAML that a person can read, and the line of each value in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[Any, ...]

WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z_(][A-Za-z0-9_ .+*/%<>=()-]*(?<! )|[0-9]+ [A-Za-z0-9_ .+*/%<>=()-]*(?<! )")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True, slots=True)
class Raw:
    """A key or a value that stands in the text as it is, whatever a reader makes of it."""

    text: str


@dataclass(frozen=True, slots=True)
class Written:
    """A text, and for each path of its document the lines on which the key and the value begin, from 1."""

    text: str
    keys: Mapping[Path, int]
    values: Mapping[Path, int]


def write(document: Mapping[str, Any]) -> Written:
    """``document`` in block style; what is short and holds little stands on one line."""
    lines: list[str] = []
    keys: dict[Path, int] = {}
    values: dict[Path, int] = {}
    for number, (text, begun, inside) in enumerate(_mapping(document, (), 0), 1):
        lines.append(text)
        for path in begun:
            keys[path] = number
        for path in inside:
            keys.setdefault(path, number)
            values[path] = number
    for path, line in list(values.items()):  # a collection begins where the first value in it does
        for end in range(len(path)):
            values[path[:end]] = min(values.get(path[:end], line), line)
    return Written("\n".join(lines) + "\n", keys, values)


_Line = tuple[str, list[Path], list[Path]]
"""A line, the paths whose keys stand on it while their values follow, and those that stand on it entirely."""


def _mapping(value: Mapping[str, Any], path: Path, indent: int) -> Iterator[_Line]:
    for key, item in value.items():
        inner = (*path, key)
        head = f"{'':{indent}}{scalar(key)}:"
        if _fits(item, len(head)):
            yield f"{head} {flow(item)}", [], list(_paths(item, inner))
            continue
        yield head, [inner], []
        yield from _block(item, inner, indent + 2)


def _list(value: list[Any], path: Path, indent: int) -> Iterator[_Line]:
    for number, item in enumerate(value):
        inner = (*path, number)
        start = f"{'':{indent}}- "
        if _fits(item, len(start)) and not (isinstance(item, dict) and len(item) == 1):
            yield start + flow(item), [], list(_paths(item, inner))
            continue
        inside = _block(item, inner, indent + 2)
        text, begun, whole = next(inside)
        yield start + text[indent + 2 :], [inner, *begun], whole
        yield from inside


def _block(value: Any, path: Path, indent: int) -> Iterator[_Line]:
    return _mapping(value, path, indent) if isinstance(value, dict) else _list(value, path, indent)


def _fits(value: Any, column: int) -> bool:
    return not isinstance(value, list | dict) or not value or (_depth(value) < 5 and column + len(flow(value)) < WIDTH)


def _depth(value: Any) -> int:
    if not isinstance(value, list | dict) or not value:
        return 0
    return 1 + max(map(_depth, value.values() if isinstance(value, dict) else value))


def _paths(value: Any, path: Path) -> Iterator[Path]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _paths(item, (*path, key))


def flow(value: Any) -> str:
    """``value`` on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_item, value)) + "]"
    return scalar(value)


def _item(value: Any) -> str:
    """An item of a list on one line; a step needs no braces of its own."""
    text = flow(value)
    return text[1:-1] if isinstance(value, dict) and len(value) == 1 else text


def scalar(value: Any) -> str:
    """A scalar, quoted where a reader could take it for something else."""
    if isinstance(value, Raw):
        return value.text
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return repr(value)
    plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    return value if plain else '"' + "".join(map(_quoted, value)) + '"'


def _quoted(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if " " <= character <= "~":
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
