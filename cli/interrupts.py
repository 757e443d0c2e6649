"""What an interrupt leaves, and how to go on after it: long commands say so when they are stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def resumable(advice: Callable[[], str]) -> Iterator[None]:
    """Add to an interrupt of the body what is kept, and how to go on.

    >>> try:
    ...     with resumable(lambda: "run the same command again"):
    ...         raise KeyboardInterrupt
    ... except KeyboardInterrupt as error:
    ...     print(advice_of(error))
    run the same command again
    """
    try:
        yield
    except KeyboardInterrupt as error:
        error.add_note(advice())
        raise


def advice_of(error: BaseException) -> str:
    """What a command added to an interrupt, or to the one that click made another error of; empty if nothing."""
    notes = [note for each in (error, error.__cause__) for note in getattr(each, "__notes__", ())]
    return notes[0] if notes else ""
