"""Bytes as a source of decisions, so that any driver of bytes can drive a generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Choices:
    """Takes decisions from ``data``, front to back; once it is used up, always the first alternative."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def byte(self) -> int:
        self.place += 1
        return self.data[self.place - 1] if self.place <= len(self.data) else 0

    def below(self, limit: int) -> int:
        """A number from 0 up to, and without, ``limit``, which is at most 65,536."""
        number = self.byte() if limit <= 256 else self.byte() * 256 + self.byte()
        return number % limit

    def pick(self, items: Sequence[Item]) -> Item:
        return items[self.below(len(items))]

    def rest(self) -> bytes:
        """What has not been used yet."""
        found = self.data[self.place :]
        self.place = len(self.data)
        return found
