"""The expression of ``-k``: words in a spec's path, joined by ``and``, ``or``, ``not`` and brackets."""

from __future__ import annotations

import re
from collections.abc import Callable

MAX_WORDS = 200
_TOKEN = re.compile(r"\s*([()]|[^\s()]+)")
_KEYWORDS = ("and", "or", "not", "(", ")")

Selected = Callable[[str], bool]


def selection(expression: str) -> Selected:
    """Whether an expression selects a path, in which its words are looked for without regard to case.

    ``not`` binds more closely than ``and``, and ``and`` more closely than ``or``.

    Raises:
        ValueError: with what is wrong with the expression.
    """
    tokens = _TOKEN.findall(expression)
    if len(tokens) > MAX_WORDS:
        raise ValueError(f"more than {MAX_WORDS} words")
    parser = _SelectionParser(tokens)
    found = parser.either()
    if parser.next:
        raise ValueError(f"`{parser.next}` does not belong here")
    return lambda path: found(path.lower())


class _SelectionParser:
    def __init__(self, tokens: list[str]) -> None:
        self.rest = tokens[::-1]

    @property
    def next(self) -> str:
        return self.rest[-1] if self.rest else ""

    def take(self, token: str) -> bool:
        if self.next != token:
            return False
        self.rest.pop()
        return True

    def either(self) -> Selected:
        parts = [self.all()]
        while self.take("or"):
            parts.append(self.all())
        return lambda path: any(part(path) for part in parts)

    def all(self) -> Selected:
        parts = [self.one()]
        while self.take("and"):
            parts.append(self.one())
        return lambda path: all(part(path) for part in parts)

    def one(self) -> Selected:
        if self.take("not"):
            negated = self.one()
            return lambda path: not negated(path)
        if self.take("("):
            inside = self.either()
            if not self.take(")"):
                raise ValueError("a bracket is not closed")
            return inside
        if not self.next or self.next in _KEYWORDS:
            raise ValueError(f"a word is missing before `{self.next}`" if self.next else "a word is missing at the end")
        word = self.rest.pop().lower()
        return lambda path: word in path
