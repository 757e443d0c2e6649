"""What the tests of cells and of engines share: grids, and what is known of their processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from archspec.lab.cells import Cell, CellOutcome
from tests.lab import works
from tests.support.paths import ROOT


def cells(work: str, count: int, **more: Any) -> list[Cell]:
    return [Cell(f"{works.HERE}:{work}", {"number": number, **more}) for number in range(count)]


def one(work: str, **more: Any) -> list[Cell]:
    return cells(work, 1, **more)


def results(outcomes: tuple[CellOutcome, ...]) -> list[Any]:
    return [outcome.result for outcome in outcomes]


def begun(log: Path) -> int:
    """How many cells said in a file that they began."""
    return len(log.read_text().splitlines()) if log.exists() else 0


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(words: str) -> list[str]:
    """The commands of all processes that have these words, except of this one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if words in command and int(path.parent.name) != os.getpid() and alive(int(path.parent.name)):
            found.append(command)
    return found


def start(
    folder: Path, work: str, log: Path, count: int = 1, how: dict[str, Any] | None = None, **more: Any
) -> subprocess.Popen[bytes]:
    """A run in a process group of its own. It has no `if __name__ == "__main__"`: the engine does not need it."""
    script, more = log.with_suffix(".py"), {"log": str(log), **more}
    script.write_text(
        "from archspec.lab.cells import Cell, run_cells\n"
        f"grid = [Cell('{works.HERE}:{work}', {{'number': n, **{more}}}) for n in range({count})]\n"
        f"run_cells(grid, {str(folder)!r}, **{how or {'jobs': 2}})\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, script], stderr=subprocess.PIPE, env=env, process_group=0)
