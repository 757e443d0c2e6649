"""Lists and long texts in messages. What a person reads is short, whatever the input was."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 900
"""The most characters of a message, a hint, a help or a note."""

MAX_ITEMS = 12
"""The most items of a list that a text shows. The ``items`` of a diagnostic are all of them."""


def first_of(items: Iterable[str], separator: str = ", ", most: int = MAX_ITEMS) -> str:
    """A list for the end of a sentence: the first items, at most ``most``, and how many more there are.

    >>> first_of([f"`{number}`" for number in range(1000)])
    '`0`, `1`, `2`, `3`, `4`, `5`, `6`, `7`, `8`, `9`, `10`, `11`, and 988 more'
    """
    items = tuple(items)
    shown, length = 0, 0
    for item in items[:most]:
        length += len(item) + len(separator)
        if shown and length > LONGEST // 2:
            break
        shown += 1
    more = [f"and {len(items) - shown:,} more"] if shown < len(items) else []
    return separator.join([*(bounded(item, LONGEST // 2) for item in items[:shown]), *more])


def listed(words: list[str]) -> str:
    """`` `a`, `b` and `c` ``."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def bounded(text: str, length: int = LONGEST) -> str:
    """``text``, or its beginning if it is longer than ``length``."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def reason_of(error: OSError) -> str:
    """Why the system refused something, for a message.

    >>> reason_of(FileNotFoundError(2, "No such file or directory"))
    'no such file or directory'
    """
    return (error.strerror or "unknown reason").lower()
