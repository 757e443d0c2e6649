"""Everything that a terminal sees: diagnostics with their excerpts, or as JSON; text that is safe to print.

Tables and the progress of long work are drawn in ``tables`` and ``progress``; ``sarif`` and ``github`` have the forms
that code hosts read, and ``findings`` the addresses of files there.
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

from .spelling import with_options

if TYPE_CHECKING:
    from archspec.diagnostics import Diagnostic, Span

MAX_SHOWN = 50
"""How many diagnostics one call prints; the rest is counted."""

MAX_KEYS = 12
"""How many state-dict keys of a kind, or things that a message lists, the text shows; JSON has them all."""

TAB = 4
PIPE_WIDTH = 160
"""How wide an excerpt may be where there is no terminal."""

_RED, _YELLOW, _BLUE, _CYAN, _BOLD = "31;1", "33;1", "34", "36", "1"


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where text goes: whether it takes colours, how wide an excerpt may be, and which characters it can show.

    ``person`` says that somebody looks at it as it comes, so that lines may be fitted to the screen and drawn over.
    """

    colour: bool = False
    width: int = PIPE_WIDTH
    encoding: str = "utf-8"
    person: bool = False

    @classmethod
    def of(cls, stream: IO[str] | None) -> Terminal:
        """What ``stream`` is. Colours need a terminal, and an environment that does not say ``NO_COLOR``."""
        encoding = getattr(stream, "encoding", None) or "utf-8"
        if stream is None or not stream.isatty():
            return cls(encoding=encoding)
        person = os.environ.get("TERM") != "dumb"
        colour = person and not os.environ.get("NO_COLOR")
        import shutil  # where there is no terminal, nobody pays for it

        return cls(colour, max(40, shutil.get_terminal_size().columns), encoding, person)

    def paint(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.colour and text else text

    def safe(self, text: str) -> str:
        """``text`` with everything made visible that could steer a terminal, break a line or not be encoded."""
        return text if text.isascii() and text.isprintable() else "".join(map(self._shown, text))

    def _shown(self, character: str) -> str:
        if character.isprintable():
            try:
                character.encode(self.encoding)
            except UnicodeError:
                return f"\\u{ord(character):04x}"
            return character
        return f"\\u{ord(character):04x}"

    def cells(self, line: str) -> tuple[list[str], list[int]]:
        """How each character of ``line`` is shown, and the column, from 0, at which it starts; the end comes last."""
        from archspec.display import display_width  # `--help` does not need the compiler

        shown: list[str] = []
        starts = [0]
        for character in line:
            text = " " * (TAB - starts[-1] % TAB) if character == "\t" else self._shown(character)
            shown.append(text)
            starts.append(starts[-1] + display_width(text))
        return shown, starts


# -- diagnostics -----------------------------------------------------------------------------------------------------


def render(diagnostic: Diagnostic, terminal: Terminal) -> str:
    """A diagnostic as text, its lines joined, without a line break at the end."""
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
    """The message without the list at its end, if that is too long for a line, and lines with the first entries."""
    from archspec.display import display_width  # `--help` does not need the compiler

    message, items = terminal.safe(diagnostic.message), [terminal.safe(item) for item in diagnostic.items]
    if len(items) <= MAX_KEYS and (len(items) < 4 or display_width(message) <= terminal.width):
        return message, []
    more = [f"  {and_more(len(items) - MAX_KEYS)}"] if len(items) > MAX_KEYS else []
    return f"{message.partition(f': {items[0]}')[0]}:", [*(f"  {item}" for item in items[:MAX_KEYS]), *more]


def and_more(number: int) -> str:
    """What stands below the first of many."""
    return f"and {number:,} more, which `--format json` lists"


def _excerpt(span: Span, mark: str, text: str, style: str, gutter: int, terminal: Terminal) -> list[str]:
    """The line at ``span``, and under it what is meant. Of a span over several lines, the first is shown."""
    line = span.source.line(span.line)
    first = min(span.column - 1, len(line))
    last = span.end_column - 1 if span.end_line == span.line else len(line.rstrip())
    shown, start, length = _window(line, first, min(max(last, first), len(line)), terminal, gutter)
    bar = terminal.paint("|", _BLUE)
    number = terminal.paint(f"{span.line:>{gutter}}", _BLUE)
    under = terminal.paint(f"{mark * length} {terminal.safe(text)}".rstrip(), style)
    return [f"  {number} {bar} {shown}".rstrip(), f"  {'':{gutter}} {bar} {'':{start}}{under}"]


def _window(line: str, first: int, last: int, terminal: Terminal, gutter: int) -> tuple[str, int, int]:
    """As much of ``line`` as fits, around characters ``first`` to ``last``; the marks' column and length."""
    shown, starts = terminal.cells(line)
    room = terminal.width - gutter - 5
    if starts[-1] <= room:
        return "".join(shown), starts[first], max(1, starts[last] - starts[first])
    dots = 3
    left = max(0, min(starts[first] - room // 3, starts[-1] + 1 - (room - dots)))
    begin = next(i for i, start in enumerate(starts) if start >= left)
    head = "." * dots if begin else ""
    end = len(shown)
    if len(head) + starts[end] - starts[begin] > room:
        end = max(i for i, start in enumerate(starts) if len(head) + start - starts[begin] <= room - dots)
    text = head + "".join(shown[begin:end]) + ("..." if end < len(shown) else "")
    start = len(head) + starts[first] - starts[begin]
    return text, start, max(1, starts[min(last, max(end, first))] - starts[first])


class DiagnosticPrinter:
    """Diagnostics on standard error as they come, at most :data:`MAX_SHOWN` of them, and their count at the end."""

    def __init__(self) -> None:
        self.terminal = Terminal.of(sys.stderr)
        self.errors = 0
        self.warnings = 0

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
        """The line with the counts, if anything was found, and with a verdict, if there is one."""
        from archspec.display import counted  # `--help` does not need the compiler

        total = self.errors + self.warnings
        kinds = ((self.errors, "error"), (self.warnings, "warning"))
        counts = ", ".join(counted(number, word) for number, word in kinds if number)
        cut = f"the first {MAX_SHOWN} are shown" if total > MAX_SHOWN else ""
        parts = [part for part in (counts, cut, verdict) if part]
        if parts:
            say(("\n" if total else "") + "; ".join(parts))


# -- plain text ------------------------------------------------------------------------------------------------------


def write(text: str, stream: IO[str] | None) -> None:
    """Write and flush, so that the two streams keep their order; a stream that is closed swallows what it is given."""
    raw = getattr(stream, "buffer", None)
    if stream is None:
        return
    if not isinstance(raw, io.RawIOBase):
        stream.write(text)
        stream.flush()
        return
    # Under PYTHONUNBUFFERED Python drops, without a word, what a disk that fills up or a pipe does not take at once.
    encoding, errors = getattr(stream, "encoding", "utf-8"), getattr(stream, "errors", "strict")
    left = memoryview(text.replace("\n", os.linesep).encode(encoding, errors))
    while left:
        left = left[raw.write(left) or 0 :]


def put(text: str, *, end: str = "\n") -> None:
    """A line of data, for standard output."""
    write(f"{text}{end}", sys.stdout)


def put_json(value: object) -> None:
    """Data as JSON in ASCII, for standard output."""
    put(json.dumps(value, indent=2))


def say(text: str) -> None:
    """A line for people, on standard error. If it cannot be written, nobody reads it, and the work goes on."""
    try:
        write(f"{text}\n", sys.stderr)
    except OSError:
        discard(sys.stderr)


def discard(stream: IO[str]) -> None:
    """Let a stream that cannot be written take everything from now on, also what Python flushes when it ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def short(number: int | None) -> str:
    """A large number with a unit, three digits of it: ``4.09 G``."""
    if number is None:
        return "unavailable"
    value, units = float(number), ["", "k", "M", "G", "T", "P", "E"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        units.pop(0)
    if not units[0]:
        return str(number)
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {units[0]}"
