"""Ends the process when a signal asks for it, even if the running code swallows or replaces the exception.

Some modules that torch imports do so.
"""

from __future__ import annotations

import signal
from types import FrameType

SIGNALS = ("SIGTERM", "SIGHUP")

_asked: list[int] = []


class Ended(KeyboardInterrupt):
    """A signal asked the process to end. It unwinds like an interrupt, so that temporary files are removed."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def listen() -> None:
    """From now on, these signals end the process, except a signal that is ignored, as under `nohup`."""
    for name in sorted({*SIGNALS} & set(dir(signal))):
        kind = getattr(signal, name)
        if signal.getsignal(kind) is not signal.SIG_IGN:
            signal.signal(kind, _end)


def _end(number: int, frame: FrameType | None) -> None:
    _asked.append(128 + number)
    raise Ended(_asked[0])


def status() -> int:
    """The exit status that a signal asked for, or 0."""
    return _asked[0] if _asked else 0


def end_if_asked() -> None:
    """End if a signal asked for it and its exception was lost.

    Raises:
        Ended: a signal asked for it.
    """
    if _asked:
        raise Ended(_asked[0])
