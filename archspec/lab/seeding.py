"""Seeds for parts of an experiment, each a function of what it is for."""

from __future__ import annotations

import hashlib


def seeded(*words: object) -> int:
    """A seed of 63 bits that depends on all words. Unlike a sum, it differs for seeds and epochs that differ.

    >>> seeded(0, 1, "order") == seeded(1, 0, "order")
    False
    """
    return int.from_bytes(hashlib.sha256(repr(words).encode()).digest()[:8], "big") >> 1
