"""The expression of ``-k``: words of a path, joined by ``and``, ``or``, ``not`` and parentheses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

MAX_WORDS = 200
_TOKEN = re.compile(r"\s*([()]|[^\s()]+)")

Selected = Callable[[str], bool]


def selection(expression: str) -> Selected:
    """A function that says whether the expression selects a path. Upper and lower case are the same.

    ``not`` binds more tightly than ``and``, and ``and`` more tightly than ``or``.

    Raises:
        ValueError: the expression has a fault; the text says which.
    """
    tokens = _TOKEN.findall(expression)
    if len(tokens) > MAX_WORDS:
        raise ValueError(f"there are more than {MAX_WORDS} words")
    rest = tokens[::-1]
    found = _joined(rest, "or", any)
    if rest:
        raise ValueError(f"`{rest[-1]}` does not belong here")
    return lambda path: found(path.lower())


def _joined(rest: list[str], word: str, join: Callable[[Iterable[bool]], bool]) -> Selected:
    """The parts that ``word`` joins. ``rest`` are the remaining tokens, the next one last."""
    parts: list[Selected] = []
    while not parts or _take(rest, word):
        parts.append(_joined(rest, "and", all) if word == "or" else _part(rest))
    return lambda path: join(part(path) for part in parts)


def _part(rest: list[str]) -> Selected:
    if _take(rest, "not"):
        negated = _part(rest)
        return lambda path: not negated(path)
    if _take(rest, "("):
        inside = _joined(rest, "or", any)
        if not _take(rest, ")"):
            raise ValueError("a parenthesis is not closed")
        return inside
    if not rest or rest[-1] in ("and", "or", ")"):
        raise ValueError(f"a word is missing before `{rest[-1]}`" if rest else "a word is missing at the end")
    word = rest.pop().lower()
    return lambda path: word in path


def _take(rest: list[str], token: str) -> bool:
    """Take the next token if it is this one."""
    return rest[-1:] == [token] and bool(rest.pop())
