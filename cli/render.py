"""What a terminal shows: diagnostics, JSON, and text that is safe to print.

``tables`` and ``progress`` draw tables and the progress of long work. ``sarif`` and ``github`` write what code hosts
read, and ``findings`` has the paths of files there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, ClassVar

from archspec import excerpts
from archspec.display import counted
from archspec.excerpts import MAX_SHOWN
from archspec.screen import Screen

from .inert import inert
from .spelling import with_options
from .streams import say

if TYPE_CHECKING:
    from rich.console import Console

    from archspec.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class Terminal(Screen):
    """A screen of this process."""

    rest: ClassVar[str] = "which `--format json` lists"

    @classmethod
    def of(cls, stream: IO[str] | None) -> Terminal:
        """What ``stream`` is. Colors need a terminal, and no ``NO_COLOR`` in the environment."""
        encoding = getattr(stream, "encoding", None) or "utf-8"
        if stream is None or not stream.isatty():
            return cls(encoding=encoding)
        person = os.environ.get("TERM") != "dumb"
        color = person and not os.environ.get("NO_COLOR")
        import shutil  # only for a terminal

        return cls(color, max(40, shutil.get_terminal_size().columns), encoding, person)

    def cell(self, text: str) -> str:
        return inert(self.safe(text))  # before columns are aligned: an escape is wider

    def console(self, stream: IO[str]) -> Console:
        """rich's console on ``stream``, for a person."""
        from rich.console import Console  # only for a person

        return Console(file=stream, force_terminal=True, color_system="auto" if self.color else None)


def render(diagnostic: Diagnostic, terminal: Terminal) -> str:
    """A diagnostic as text, in the words of the command line, without a line break at the end."""
    return excerpts.render(with_options(diagnostic), terminal)


class DiagnosticPrinter:
    """Prints diagnostics on standard error as they come, at most :data:`MAX_SHOWN`, and their count at the end."""

    def __init__(self) -> None:
        self.terminal = Terminal.of(sys.stderr)
        self.errors = 0
        self.warnings = 0

    @property
    def full(self) -> bool:
        """Whether it prints no more diagnostics."""
        return self.errors + self.warnings >= MAX_SHOWN

    def add(self, diagnostics: Iterable[Diagnostic]) -> None:
        for diagnostic in diagnostics:
            total = self.errors + self.warnings
            if total < MAX_SHOWN:
                say(("\n" if total else "") + render(diagnostic, self.terminal))
            if diagnostic.severity == "error":
                self.errors += 1
            else:
                self.warnings += 1

    def finish(self, verdict: str = "") -> None:
        """Print the counts, if there are any diagnostics, and the verdict, if it is given."""
        total = self.errors + self.warnings
        kinds = ((self.errors, "error"), (self.warnings, "warning"))
        counts = ", ".join(counted(number, word) for number, word in kinds if number)
        cut = f"the first {MAX_SHOWN} are shown" if total > MAX_SHOWN else ""
        parts = [part for part in (counts, cut, verdict) if part]
        if parts:
            say(("\n" if total else "") + "; ".join(parts))


def show(diagnostics: Iterable[Diagnostic]) -> None:
    """Print diagnostics on standard error, with their count."""
    report = DiagnosticPrinter()
    report.add(diagnostics)
    report.finish()
