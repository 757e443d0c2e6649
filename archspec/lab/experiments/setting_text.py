"""Settings of the training as texts: what follows ``KEY=`` on a command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archspec.diagnostics import cut
from archspec.language.text.scalars import NotFinite, read_scalar

_PAIRS = {"(": ")", "[": "]", "{": "}"}


def read_setting(text: str) -> Any:
    """The value of a setting of the training, from its text.

    Raises:
        ValueError: a number that is not finite, or braces without a name and a value in each part.

    >>> read_setting("0.1"), read_setting("sgd"), read_setting("[0.5,0.8]"), read_setting("{aux1: 0.3, aux2: 0.2}")
    (0.1, 'sgd', (0.5, 0.8), {'aux1': 0.3, 'aux2': 0.2})
    """
    if text[:1] == "[" and text[-1:] == "]":
        return tuple([read_setting(part.strip()) for part in parted(text[1:-1]) if part.strip()])
    if text[:1] == "{" and text[-1:] == "}":
        return _mapping(text)
    try:
        return read_scalar(text)
    except NotFinite as error:
        raise ValueError(str(error)) from None


def _mapping(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in parted(text[1:-1]):
        name, colon, value = (each.strip() for each in part.partition(":"))
        name = name[1:-1] if len(name) > 1 and name[0] == name[-1] and name[0] in "'\"" else name
        if not colon or not name or not value:
            raise ValueError(f"`{cut(part.strip())}` in braces is not a name, a colon, and a value")
        if name in found:
            raise ValueError(f"`{cut(name)}` is given twice in braces")
        found[name] = read_setting(value)
    return found


def parted(text: str) -> Iterator[str]:
    """The parts between commas that are outside brackets and quotes.

    >>> [*parted("a,[b,c],'d,e'")]
    ['a', '[b,c]', "'d,e'"]
    """
    ends: list[str] = []
    quote, start = "", 0
    for place, c in enumerate(text):
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in _PAIRS:
            ends.append(_PAIRS[c])
        elif ends and c == ends[-1]:
            ends.pop()
        elif c == "," and not ends:
            yield text[start:place]
            start = place + 1
    yield text[start:]
