"""One command in this process, whose cost is written to a file: ``child FILE SECONDS COMMAND ARGUMENTS...``."""

from __future__ import annotations

import resource
import signal
import sys
import time
from pathlib import Path

from archspec_cli.main import main

MOST = 3 * 2**30
"""Bytes of address space: a bomb fails here and not with the machine."""


def run() -> int:
    told, seconds = Path(sys.argv[1]), float(sys.argv[2])
    sys.argv[1:] = sys.argv[3:]
    resource.setrlimit(resource.RLIMIT_AS, (MOST, MOST))

    def tell(*_: object) -> None:
        taken = time.thread_time()
        # After the command, whose memory and time are its own.
        from tests.tools.fuzz.clock import Clock
        from tests.tools.fuzz.promise import peak

        memory = peak()
        told.write_text(f"[{taken / Clock().second()}, {memory}]", encoding="utf-8")

    def stop(*_: object) -> None:
        tell()
        print(f"stopped after {seconds:g} s")
        sys.stdout.flush()
        signal.raise_signal(signal.SIGKILL)

    signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    status = main()
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    tell()
    return status


if __name__ == "__main__":
    sys.exit(run())
