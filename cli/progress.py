"""The progress of long work: a bar on standard error where a person looks, and nothing in a pipe."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from .render import Terminal
from .signals import end_if_asked

Step = Callable[[str], None]


@contextlib.contextmanager
def progress(steps: int) -> Iterator[Step]:
    """A bar of ``steps`` steps, wiped away at the end. What it gives is called as each begins, with what is done.

    Long work is what signals are sent to, so each step looks whether one was lost in the step before.
    """
    with _drawn(steps) as draw:

        def step(text: str) -> None:
            end_if_asked()
            draw(text)

        yield step
    end_if_asked()


@contextlib.contextmanager
def _drawn(steps: int) -> Iterator[Step]:
    terminal = Terminal.of(sys.stderr)
    if not terminal.person:
        yield lambda text: None
        return
    from rich.console import Console  # only for a person
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # only for a person

    console = Console(file=sys.stderr, force_terminal=True, color_system="auto" if terminal.colour else None)
    columns = (
        SpinnerColumn("line" if not terminal.encoding.lower().startswith("utf") else "dots"),
        BarColumn(20),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    # Standard output may be a pipe, so it is left alone.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("", total=steps)
        begun = 0

        def step(text: str) -> None:
            nonlocal begun
            bar.update(task, completed=begun, description=terminal.safe(text), refresh=True)
            begun += 1

        yield step


def stand_somewhere() -> None:
    """MKL, with which torch may come, ends the process where the working directory is gone."""
    try:
        Path.cwd()
    except OSError:
        os.chdir(os.sep)
