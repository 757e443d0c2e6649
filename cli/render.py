"""Everything that a terminal shows: diagnostics with excerpts, JSON, and text that is safe to print.

``tables`` and ``progress`` draw tables and the progress of long work. ``sarif`` and ``github`` write what code hosts
read, and ``findings`` has the paths of files there.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from .inert import escaped, inert
from .spelling import with_options

if TYPE_CHECKING:
    from rich.console import Console

    from archspec.diagnostics import Diagnostic, Span

MAX_SHOWN = 50
"""The most diagnostics that one call prints. The rest is only counted."""

MAX_KEYS = 12
"""The most state-dict keys of a kind, or items of a message, that the text shows. JSON has them all."""

MAX_LINE = 1000
"""How many characters of a line are looked at, before and after the marks, to show as much of it as fits."""

TAB = 4
PIPE_WIDTH = 160
"""The most columns of an excerpt if there is no terminal."""

_RED, _YELLOW, _BLUE, _CYAN, _BOLD = "31;1", "33;1", "34", "36", "1"


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where text goes: whether it takes colors, how wide it is, and which characters it can show.

    If it is for a ``person``, lines may be fitted to the screen and drawn over.
    """

    color: bool = False
    width: int = PIPE_WIDTH
    encoding: str = "utf-8"
    person: bool = False

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

    def paint(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.color and text else text

    def safe(self, text: str) -> str:
        """``text`` with escapes for what would control a terminal, break a line or fail to encode."""
        return text if text.isascii() and text.isprintable() else "".join(map(self._shown, text))

    def _shown(self, character: str) -> str:
        with contextlib.suppress(UnicodeError):
            if character.isprintable() and character.encode(self.encoding):
                return character
        return escaped(character)

    def console(self, stream: IO[str]) -> Console:
        """rich's console on ``stream``, for a person."""
        from rich.console import Console  # only for a person

        return Console(file=stream, force_terminal=True, color_system="auto" if self.color else None)

    def cells(self, line: str) -> tuple[list[str], list[int]]:
        """The text for each character of ``line``, and the columns, from 0, at which they start. The end comes last."""
        from archspec.display import display_width  # `--help` does not need the compiler

        if line.isascii() and line.isprintable():
            return list(line), list(range(len(line) + 1))
        shown: list[str] = []
        starts = [0]
        for character in line:
            text = " " * (TAB - starts[-1] % TAB) if character == "\t" else self._shown(character)
            shown.append(text)
            starts.append(starts[-1] + display_width(text))
        return shown, starts


# -- diagnostics -----------------------------------------------------------------------------------------------------


def render(diagnostic: Diagnostic, terminal: Terminal) -> str:
    """A diagnostic as text, without a line break at the end."""
    diagnostic = with_options(diagnostic)
    safe = terminal.safe
    style = _RED if diagnostic.severity == "error" else _YELLOW
    span = diagnostic.span
    place = f"{safe(str(span))}: " if span else ""
    title = terminal.paint(f"{diagnostic.severity}[{diagnostic.code}]", style)
    message, listed = _without_list(diagnostic, terminal)
    lines = [f"{terminal.paint(place, _BOLD)}{title}: {terminal.paint(message, _BOLD)}", *listed]
    spans = [*([span] if span else []), *(label.span for label in diagnostic.labels)]
    gutter = max((len(str(each.line)) for each in spans), default=1)
    if span:
        lines += _excerpt(span, "^", diagnostic.hint, style, gutter, terminal)
    elif diagnostic.hint:
        lines.append(f"  {terminal.paint(safe(diagnostic.hint), style)}")
    for label in diagnostic.labels:
        if span is None or label.span.source is not span.source:
            lines.append(f"  at {safe(str(label.span))}")
        lines += _excerpt(label.span, "-", label.text, _BLUE, gutter, terminal)
    lines += [f"  {safe(note)}" for note in diagnostic.notes]
    if diagnostic.help:
        lines.append(f"  {terminal.paint('help:', _CYAN)} {safe(diagnostic.help)}")
    return "\n".join(lines)


def _without_list(diagnostic: Diagnostic, terminal: Terminal) -> tuple[str, list[str]]:
    """The message, and lines with the first items of its list if the list is too long for the message's line."""
    from archspec.display import display_width  # `--help` does not need the compiler

    message, items = terminal.safe(diagnostic.message), [terminal.safe(item) for item in diagnostic.items]
    if len(items) <= MAX_KEYS and (len(items) < 4 or display_width(message) <= terminal.width):
        return message, []
    more = [f"  {and_more(len(items) - MAX_KEYS)}"] if len(items) > MAX_KEYS else []
    return f"{message.partition(f': {items[0]}')[0]}:", [*(f"  {item}" for item in items[:MAX_KEYS]), *more]


def and_more(number: int) -> str:
    """The line below the first items of a long list."""
    return f"and {number:,} more, which `--format json` lists"


def _excerpt(span: Span, mark: str, text: str, style: str, gutter: int, terminal: Terminal) -> list[str]:
    """The first line of ``span``, and marks below it."""
    line = span.source.line(span.line)
    first = min(span.column - 1, len(line))
    last = span.end_column - 1 if span.end_line == span.line else len(line.rstrip())
    shown, start, length = _window(line, first, min(max(last, first), len(line)), terminal, gutter)
    bar = terminal.paint("|", _BLUE)
    number = terminal.paint(f"{span.line:>{gutter}}", _BLUE)
    under = terminal.paint(f"{mark * length} {terminal.safe(text)}".rstrip(), style)
    return [f"  {number} {bar} {shown}".rstrip(), f"  {'':{gutter}} {bar} {'':{start}}{under}"]


def _window(line: str, first: int, last: int, terminal: Terminal, gutter: int) -> tuple[str, int, int]:
    """As much of ``line`` as fits around the characters ``first`` to ``last``; the column and length of the marks."""
    # A spec in one line may be very long, and each of many excerpts shows a small part of it.
    reach = max(MAX_LINE, 4 * terminal.width)
    before = max(0, first - reach)
    line, first = line[before : first + reach], first - before
    last = min(last - before, len(line))
    shown, starts = terminal.cells(line)
    room = terminal.width - gutter - 5
    if starts[-1] <= room and not before:
        return "".join(shown), starts[first], max(1, starts[last] - starts[first])
    dots = 3
    left = max(0, min(starts[first] - room // 3, starts[-1] + 1 - (room - dots)))
    begin = next(i for i, start in enumerate(starts) if start >= left)
    head = "." * dots if begin or before else ""
    end = len(shown)
    if len(head) + starts[end] - starts[begin] > room:
        end = max(i for i, start in enumerate(starts) if len(head) + start - starts[begin] <= room - dots)
    text = head + "".join(shown[begin:end]) + ("..." if end < len(shown) else "")
    start = len(head) + starts[first] - starts[begin]
    return text, start, max(1, starts[min(last, max(end, first))] - starts[first])


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
        from archspec.display import counted  # `--help` does not need the compiler

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


# -- plain text ------------------------------------------------------------------------------------------------------


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


def short(number: int | None) -> str:
    """A large number with a unit and three digits: ``4.09 G``."""
    if number is None:
        return "unavailable"
    if number < 1000:
        return str(number)
    value, units = number / 1000, "kMGTPE"
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {units[0]}"
