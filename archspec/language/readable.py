"""The help for an unknown name in an expression: the names that can be read there, the nearest first."""

from __future__ import annotations

from collections.abc import Iterable

from archspec.diagnostics import cut
from archspec.language.words import taker, words_for_numbers, words_of_arguments
from archspec.wording import first_of

TRUTHS = {"y": "true", "n": "false"}
"""Letters that YAML 1.1 lists as truth values."""


def readable(wanted: str, names: Iterable[str], close: str = "", most: int = 30, words: Iterable[str] = ()) -> str:
    """The names that an expression can read in place of ``wanted``.

    Args:
        close: the name that is probably meant, which comes first.
        words: words that the value may be, beside those of operations and settings.

    >>> readable("chanels", ["act", "channels", "count"], close="channels")
    'the names here are `channels`, `count`, `act`; or declare `chanels` in `params`'
    >>> readable("silu", ["act", "stage"])
    "a word in an expression needs quotes: `'silu'`; the names here are `stage`, `act`"
    """
    taken = wanted in words_of_arguments() or wanted in words_for_numbers()
    ordered = sorted(names, key=lambda name: (name != close, -_shared(wanted, name), name))
    truth = TRUTHS.get(wanted.lower())
    parts = [f"for a truth value write `{truth}`"] if truth else []
    if wanted in words_for_numbers():
        parts.append(f"only `{taker(wanted)}` of a step takes the word, in an expression with quotes: `'{wanted}'`")
    elif taken or wanted in words:
        parts.append(f"a word in an expression needs quotes: `'{cut(wanted)}'`")
    parts.append(f"the names here are {first_of([f'`{cut(name)}`' for name in ordered], most=most)}" if ordered else "")
    if not ordered:
        parts.append("no names are available here")
    elif not taken:
        parts.append(f"or declare `{cut(wanted)}` in `params`")
    return "; ".join(filter(None, parts))


def _shared(one: str, other: str) -> int:
    """How many characters two names have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
