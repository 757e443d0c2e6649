"""The progress of long work: a bar on standard error for a person, and nothing in a pipe."""

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
    """A bar of ``steps`` steps that disappears at the end. Call what it gives with a few words as each step begins.

    People stop long work by signals, so each step checks whether a signal was lost in the step before.
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
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # only for a person

    columns = (
        SpinnerColumn("line" if not terminal.encoding.lower().startswith("utf") else "dots"),
        BarColumn(20),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    # Standard output may be a pipe, so do not redirect it.
    with Progress(
        *columns, console=terminal.console(sys.stderr), transient=True, redirect_stdout=False, redirect_stderr=False
    ) as bar:
        task = bar.add_task("", total=steps)
        begun = 0

        def step(text: str) -> None:
            nonlocal begun
            bar.update(task, completed=begun, description=terminal.safe(text), refresh=True)
            begun += 1

        yield step


class Counting:
    """A bar of steps that are counted elsewhere. This one shows nothing: it is that of a pipe."""

    def at(self, done: int, of: int, text: str) -> None:
        """Show that ``done`` steps of some are done, with a few words."""

    def aside(self) -> contextlib.AbstractContextManager[None]:
        """Take the bar away while the body prints lines."""
        return contextlib.nullcontext()


@contextlib.contextmanager
def counting(wanted: bool = True) -> Iterator[Counting]:
    """A bar for work that counts its own steps; for a person, and if it is wanted."""
    terminal = Terminal.of(sys.stderr)
    if not terminal.person or not wanted:
        yield Counting()
        return
    from rich.progress import BarColumn, Progress, TextColumn  # only for a person

    columns = (BarColumn(20), TextColumn("{task.description}", markup=False))
    bar = Progress(
        *columns, console=terminal.console(sys.stderr), transient=True, redirect_stdout=False, redirect_stderr=False
    )
    task = bar.add_task("")

    class Shown(Counting):
        def at(self, done: int, of: int, text: str) -> None:
            bar.update(task, completed=done, total=of, description=terminal.safe(text))

        @contextlib.contextmanager
        def aside(self) -> Iterator[None]:
            bar.stop()
            yield
            bar.start()

    with bar:
        yield Shown()


def leave_lost_folder() -> None:
    """Leave a working directory that no longer exists: the MKL of some torch builds ends the process there."""
    try:
        Path.cwd()
    except OSError:
        os.chdir(os.sep)
