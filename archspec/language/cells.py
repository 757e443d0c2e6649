"""What the cells of a stage table contain, before they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from archspec.language.spec import Block


def words_of(value: Any) -> Iterator[Any]:
    """What a column of blocks names, stage by stage and block by block."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, list):
            yield from item
        elif item is not None:
            yield item


def once(blocks: Iterable[Block]) -> list[Block]:
    return list({id(block): block for block in blocks}.values())  # a cell may name one block thousands of times


def some_not_one(value: Any) -> bool:
    """Whether any cell asks for something else than 1."""
    return any(map(some_not_one, value)) if isinstance(value, list) else value not in (1, None)
