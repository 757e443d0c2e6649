"""Lists and long texts in messages. What a person reads is short, whatever the input was."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from typing import Any

LONGEST = 900
"""The most characters of a message, a hint, a help or a note."""

LONGEST_REPR = 200
"""The most characters of a ``repr``: a person sees it on a line, and a debugger shows many."""

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


def in_code(names: Iterable[str]) -> str:
    """Names of operations and the like for the end of a sentence, each in backticks: `` `mish`, `torch.nn.Fold` ``."""
    return first_of(f"`{name}`" for name in names)


def bounded(text: str, length: int = LONGEST) -> str:
    """``text``, or its beginning if it is longer than ``length``."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def reason_of(error: OSError) -> str:
    """Why the system refused something, for a message.

    >>> reason_of(FileNotFoundError(2, "No such file or directory"))
    'no such file or directory'
    """
    return (error.strerror or "unknown reason").lower()


class _Short(reprlib.Repr):
    def repr_int(self, x: int, level: int) -> str:
        """Python refuses to write out very many digits."""
        return super().repr_int(x, level) if x.bit_length() < 1000 else f"<a number of {x.bit_length()} bits>"


_SHORT = _Short()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother, _SHORT.maxlong = 2, 60, 60, 40


def brief(thing: object) -> str:
    """The ``repr`` of a class of fields: its class and fields in one line, of at most :data:`LONGEST_REPR` characters.

    >>> from typing import NamedTuple
    >>> class Pair(NamedTuple):
    ...     first: object
    ...     second: object = None
    ...     __repr__ = brief
    >>> Pair("a", [1] * 1000)
    Pair(first='a', second=[1, 1, 1, 1, 1, 1, ...])
    """
    kind = type(thing)
    described: dict[str, Any] = getattr(kind, "__dataclass_fields__", {})
    names = [name for name, field in described.items() if field.repr] or [*getattr(kind, "_fields", ())]
    found = f"{kind.__name__}("
    for number, name in enumerate(names):
        if len(found) >= LONGEST_REPR:
            break
        found += f"{', ' if number else ''}{name}={_SHORT.repr(getattr(thing, name))}"
    return bounded(f"{found})", LONGEST_REPR)


class Brief:
    """A dataclass, declared with ``repr=False``, whose ``repr`` is :func:`brief`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return brief(self)


def tagged(thing: object, text: str) -> str:
    """A ``repr`` in words, in one line: ``<Spec resnet50: 4 stages>``.

    >>> tagged(brief, "a b")
    '<function a b>'
    """
    shown = "".join([c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[: 2 * LONGEST_REPR]])
    return f"<{bounded(f'{type(thing).__name__} {shown}', LONGEST_REPR - 2)}>"
