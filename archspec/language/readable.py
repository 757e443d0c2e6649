"""The help for an unknown name in an expression: the names that can be read there, the nearest first."""

from __future__ import annotations

from collections.abc import Iterable

from archspec.diagnostics import cut
from archspec.wording import first_of

TRUTHS = {"y": "true", "n": "false"}
"""Letters that YAML 1.1 lists as truth values."""


def readable(wanted: str, names: Iterable[str], close: str = "", most: int = 30) -> str:
    """The names that an expression can read in place of ``wanted``.

    Args:
        close: the name that is probably meant, which comes first.

    >>> readable("chanels", ["act", "channels", "count"], close="channels")
    'the names here are `channels`, `count`, `act`; or declare `chanels` in `params`'
    """
    ordered = sorted(names, key=lambda name: (name != close, -_shared(wanted, name), name))
    truth = TRUTHS.get(wanted.lower())
    parts = [f"for a truth value write `{truth}`"] if truth else []
    parts.append(f"the names here are {first_of([f'`{cut(name)}`' for name in ordered], most=most)}" if ordered else "")
    parts.append(f"or declare `{cut(wanted)}` in `params`" if ordered else "no names are available here")
    return "; ".join(filter(None, parts))


def _shared(one: str, other: str) -> int:
    """How many characters two names have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
