"""A broken input made short: what can be left out without mending it is left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def minimise(data: bytes, breaks: Callable[[bytes], bool], tries: int = 2000) -> bytes:
    """The shortest that leaving out lines, and then bytes, finds while ``breaks`` holds."""
    left = [tries]

    def still(parts: Sequence[Any]) -> bool:
        left[0] -= 1
        return left[0] >= 0 and breaks(b"".join(parts))

    lines = shorter(data.splitlines(keepends=True), still)
    characters = shorter([bytes([byte]) for byte in b"".join(lines)], still)
    return b"".join(characters)


def shorter(parts: list[bytes], still: Callable[[Sequence[bytes]], bool]) -> list[bytes]:
    """Leave out halves, then quarters, and so on down to single parts."""
    size = len(parts) // 2
    while size:
        at = 0
        while at < len(parts):
            rest = parts[:at] + parts[at + size :]
            if still(rest):
                parts = rest
            else:
                at += size
        size //= 2
    return parts
