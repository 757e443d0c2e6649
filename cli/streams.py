"""Writing on standard output and standard error: harmless text, in order, whole, and quiet where nobody reads it.

It imports nothing of the compiler, which ``archspec --help`` does not need.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from typing import IO

from .inert import inert


def write(text: str, stream: IO[str] | None, *, commands: bool = False) -> None:
    """Write and flush, so that the two streams keep their order. A closed stream ignores the text.

    Args:
        text: the text. :func:`inert` makes it harmless.
        stream: where it goes.
        commands: whether the text is commands of a workflow, and goes out as it is.
    """
    raw = getattr(stream, "buffer", None)
    text = text if commands else inert(text)
    if stream is None:
        return
    if not isinstance(raw, io.RawIOBase):
        stream.write(text)
        stream.flush()
        return
    # Under PYTHONUNBUFFERED, Python silently drops what a pipe or a full disk does not take at once.
    encoding, errors = getattr(stream, "encoding", "utf-8"), getattr(stream, "errors", "strict")
    left = memoryview(text.replace("\n", os.linesep).encode(encoding, errors))
    while left:
        left = left[raw.write(left) or 0 :]


def put(text: str, *, end: str = "\n") -> None:
    """Print a line of data on standard output."""
    write(f"{text}{end}", sys.stdout)


def put_json(value: object) -> None:
    """Print data on standard output, as JSON in ASCII."""
    put(json.dumps(value, indent=2))


def say(text: str) -> None:
    """Print a line for people on standard error. If that fails, nobody reads it, and the work goes on."""
    try:
        write(f"{text}\n", sys.stderr)
    except OSError:
        discard(sys.stderr)


def discard(stream: IO[str]) -> None:
    """Send all later output of a stream that failed to nowhere, even what Python flushes when it ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
