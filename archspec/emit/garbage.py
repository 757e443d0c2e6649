"""Work without the search for garbage."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Keep Python's collector from searching for cycles until the body ends.

    It is for work that makes millions of objects, keeps them, and makes no cycles. The collector would go through all
    of them again and again, which takes as long as the work. A collector that the caller has turned off stays off.

    >>> with uncollected():
    ...     gc.isenabled()
    False
    >>> gc.isenabled()
    True
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
