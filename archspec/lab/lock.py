"""A lock on a folder that dies with its process, however that ends."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from archspec.diagnostics import Diagnostic, EnvironmentFault, cut
from archspec.files import unwritable

if sys.platform == "win32":
    import msvcrt

    def _take(stream: BinaryIO) -> None:
        stream.seek(1 << 20)  # past what is written, because a locked byte cannot be read
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(stream: BinaryIO) -> None:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def locked(path: Path, folder: Path) -> Iterator[None]:
    """Hold the lock in a file until the body ends. The file stays, and says who had it last.

    Raises:
        EnvironmentFault: E880, another process holds it; E806, the file cannot be written.
    """
    try:
        stream = path.open("a+b")
    except OSError as error:
        raise unwritable(path, error) from None
    with stream:
        try:
            _take(stream)
        except BlockingIOError:
            raise _held(stream, folder) from None
        except PermissionError as error:
            raise (_held(stream, folder) if sys.platform == "win32" else unwritable(path, error)) from None
        except OSError as error:  # a file system without locks
            raise unwritable(path, error) from None
        with contextlib.suppress(OSError):  # it only serves the message
            stream.truncate(0)
            stream.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
            stream.flush()
        yield


def _held(stream: BinaryIO, folder: Path) -> EnvironmentFault:
    stream.seek(0)
    holder = stream.read(200).decode(errors="replace").strip()
    message = f"another run is using the folder `{cut(folder)}`{f' ({cut(holder)})' if holder else ''}"
    return EnvironmentFault(Diagnostic("E880", message, help="wait until it ends, or name another folder"))
