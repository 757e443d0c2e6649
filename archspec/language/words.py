"""The words that arguments of operations and settings take."""

from __future__ import annotations

import functools

from archspec.language.spec import ACTIVATION_ORDERS, NONE
from archspec.operations.base import arguments
from archspec.operations.discovery import operations


@functools.cache
def words_of_arguments() -> frozenset[str]:
    """The words that an argument or a setting takes, such as ``silu``."""
    fields = (field for operation in operations().values() for field in arguments(operation).values())
    return frozenset({NONE, *ACTIVATION_ORDERS, *(word for field in fields for word in field.metadata["words"])})


@functools.cache
def words_for_numbers() -> frozenset[str]:
    """Words that an argument takes in place of a number: ``depthwise``. A parameter of a block or fragment hides them.

    A parameter of a spec may not, because the blocks of its base would then read it.
    """
    return frozenset(_takers())


def taker(word: str) -> str:
    """The argument that takes a word in place of a number.

    >>> taker("depthwise"), taker("same")
    ('groups', 'padding')
    """
    return _takers()[word]


@functools.cache
def _takers() -> dict[str, str]:
    fields = (pair for operation in operations().values() for pair in arguments(operation).items())
    return {word: name for name, field in fields for word in field.metadata["named"]}
