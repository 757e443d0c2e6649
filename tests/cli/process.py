"""The command as a process of its own, for what only a process shows: signals, streams, imports, the environment."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

MAIN = "import sys; from archspec_cli.start import main; sys.argv[0] = 'archspec'; sys.exit(main())"
"""What the installed `archspec` runs."""

SECONDS = 60

UNMEASURED: dict[str, str | None] = {"COVERAGE_PROCESS_CONFIG": None, "PYTHONDONTWRITEBYTECODE": "1"}
"""Changes for a process that has too little of something to be measured by `make coverage` as well.

Where files may not be large, Python would leave the beginning of a module's bytecode, which no later process can read.
"""


def words(*arguments: str) -> list[str]:
    """The command line of a process that runs `archspec`."""
    return [sys.executable, "-c", MAIN, *arguments]


def environment(**changes: str | None) -> dict[str, str]:
    """This environment, without what steers colours and terminals, and with changes; None removes a variable."""
    steering = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "ARCHSPEC_DEBUG")
    found = {name: value for name, value in os.environ.items() if name not in steering}
    for name, value in {"OMP_NUM_THREADS": "1", **changes}.items():
        found.pop(name, None)
        if value is not None:
            found[name] = value
    return found


def archspec(
    *arguments: str,
    env: dict[str, str | None] | None = None,
    cwd: Path | None = None,
    stdin: bytes = b"",
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> subprocess.CompletedProcess[bytes]:
    """`archspec` with these arguments, run to its end."""
    return subprocess.run(
        words(*arguments),
        input=stdin,
        stdout=stdout,
        stderr=stderr,
        env=environment(**(env or {})),
        cwd=cwd,
        timeout=SECONDS,
        check=False,
    )


def shell(
    script: str, *arguments: str, env: dict[str, str | None] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """A script of the shell in which `"$@"` is `archspec` with these arguments."""
    command = ["sh", "-c", script, "sh", *words(*arguments)]
    found = environment(**(env or {}))
    return subprocess.run(command, capture_output=True, env=found, cwd=cwd, timeout=SECONDS, check=False)


def python(code: str, *, env: dict[str, str | None] | None = None) -> subprocess.CompletedProcess[bytes]:
    """A fresh Python that runs `code`."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, env=environment(**(env or {})), timeout=SECONDS, check=False)


def on_terminal(
    arguments: Sequence[str], *, columns: int = 100, env: dict[str, str | None] | None = None
) -> tuple[int, str]:
    """The exit status of `archspec` on a terminal of its own, and all that it wrote there."""
    size = {"COLUMNS": str(columns), "LINES": "50", "TERM": "xterm-256color", **(env or {})}
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        words(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=environment(**size)
    ) as process:
        os.close(theirs)
        written = b""
        try:
            while data := os.read(ours, 65536):
                written += data
        except OSError:  # how Linux reports that the other end is closed
            pass
        finally:
            os.close(ours)
    return process.returncode, written.decode().replace("\r\n", "\n")
