"""The end that a signal asks for: it comes even where the code that was running swallows an exception, or makes another
of it, as what torch imports does in places."""

from __future__ import annotations

import signal
from types import FrameType

SIGNALS = ("SIGTERM", "SIGHUP")

_asked: list[int] = []


class Ended(KeyboardInterrupt):
    """A signal has asked the process to end. It unwinds as an interrupt does, so that temporary files are removed."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def listen() -> None:
    """From now on these signals end the process, but for one that is ignored, as `nohup` has it."""
    for name in sorted({*SIGNALS} & set(dir(signal))):
        kind = getattr(signal, name)
        if signal.getsignal(kind) is not signal.SIG_IGN:
            signal.signal(kind, _end)


def _end(number: int, frame: FrameType | None) -> None:
    _asked.append(128 + number)
    raise Ended(_asked[0])


def status() -> int:
    """The exit status that a signal has asked for; 0 where none has."""
    return _asked[0] if _asked else 0


def end_if_asked() -> None:
    """End where a signal has asked for it, and what it raised was lost.

    Raises:
        Ended: it has.
    """
    if _asked:
        raise Ended(_asked[0])
