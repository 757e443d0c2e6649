"""A diagnostic as text, with the lines of the source that it points to. ``str(error)`` and the command line show this.

Nothing here prints, and nothing imports what draws on a terminal.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.display import counted, display_width
from archspec.screen import MAX_LISTED, Screen, and_more
from archspec.wording import tagged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archspec.diagnostics import Diagnostic
    from archspec.spans import Span

PACKAGE = Path(__file__).parent

MAX_SHOWN = 50
"""The most diagnostics that one call prints. The rest is only counted."""

MAX_LINE = 1000
"""How many characters of a line are looked at, before and after the marks, to show as much of it as fits."""

IN_PYTHON = Screen()
"""What ``str`` writes for: no colors, and no terminal whose width is known."""

_RED, _YELLOW, _BLUE, _CYAN, _BOLD = "31;1", "33;1", "34", "36", "1"


def render(diagnostic: Diagnostic, screen: Screen) -> str:
    """A diagnostic as text, without a line break at the end."""
    safe = screen.safe
    style = _RED if diagnostic.severity == "error" else _YELLOW
    span = diagnostic.span
    place = f"{safe(str(span))}: " if span else ""
    title = screen.paint(f"{diagnostic.severity}[{diagnostic.code}]", style)
    message, listed = _without_list(diagnostic, screen)
    lines = [f"{screen.paint(place, _BOLD)}{title}: {screen.paint(message, _BOLD)}", *listed]
    spans = [*([span] if span else []), *(label.span for label in diagnostic.labels)]
    gutter = max((len(str(each.line)) for each in spans), default=1)
    if span:
        lines += _excerpt(span, "^", diagnostic.hint, style, gutter, screen)
    elif diagnostic.hint:
        lines.append(f"  {screen.paint(safe(diagnostic.hint), style)}")
    for label in diagnostic.labels:
        if span is None or label.span.source is not span.source:
            lines.append(f"  at {safe(str(label.span))}")
        lines += _excerpt(label.span, "-", label.text, _BLUE, gutter, screen)
    lines += [f"  {safe(note)}" for note in diagnostic.notes]
    if diagnostic.help:
        lines.append(f"  {screen.paint('help:', _CYAN)} {safe(diagnostic.help)}")
    return "\n".join(lines)


def _without_list(diagnostic: Diagnostic, screen: Screen) -> tuple[str, list[str]]:
    """The message, and lines with the first items of its list if the list is too long for the message's line."""
    message, items = screen.safe(diagnostic.message), [screen.safe(item) for item in diagnostic.items]
    if len(items) <= MAX_LISTED and (len(items) < 4 or display_width(message) <= screen.width):
        return message, []
    more = [f"  {and_more(len(items) - MAX_LISTED, screen.rest)}"] if len(items) > MAX_LISTED else []
    return f"{message.partition(f': {items[0]}')[0]}:", [*(f"  {item}" for item in items[:MAX_LISTED]), *more]


def render_all(diagnostics: Sequence[Diagnostic]) -> str:
    """Diagnostics as text, with an empty line between them; at most :data:`MAX_SHOWN` are shown."""
    shown = [render(diagnostic, IN_PYTHON) for diagnostic in diagnostics[:MAX_SHOWN]]
    more = len(diagnostics) - MAX_SHOWN
    return "\n\n".join([*shown, *([f"and {counted(more, 'more diagnostic')}"] if more > 0 else [])])


class Refusal(Exception):
    """An error that is shown as its diagnostics, with excerpts of what they point to."""

    def __init__(self, shown: Sequence[Diagnostic]) -> None:
        super().__init__(shown)
        self._shown = shown

    def __str__(self) -> str:
        return render_all(self._shown)

    def __repr__(self) -> str:
        return tagged(self, "; ".join(map(str, self._shown[:3])))

    def _render_traceback_(self) -> list[str]:
        """What IPython and notebooks show: the frames of the user's own functions, if there are any, and the text."""
        frames = [each for each in traceback.extract_tb(self.__traceback__) if not _is_inside(each.filename)]
        above = traceback.format_list(frames) if len(frames) > 1 else []
        return [*(line.rstrip("\n") for line in above), f"{type(self).__name__}: {self}"]


def _is_inside(file: str) -> bool:
    """Whether this file belongs to archspec or to IPython."""
    return Path(file).is_relative_to(PACKAGE) or "IPython" in Path(file).parts


def _excerpt(span: Span, mark: str, text: str, style: str, gutter: int, screen: Screen) -> list[str]:
    """The first line of ``span``, and marks below it."""
    line = span.source.line(span.line)
    first = min(span.column - 1, len(line))
    last = span.end_column - 1 if span.end_line == span.line else len(line.rstrip())
    shown, start, length = _window(line, first, min(max(last, first), len(line)), screen, gutter)
    bar = screen.paint("|", _BLUE)
    number = screen.paint(f"{span.line:>{gutter}}", _BLUE)
    under = screen.paint(f"{mark * length} {screen.safe(text)}".rstrip(), style)
    return [f"  {number} {bar} {shown}".rstrip(), f"  {'':{gutter}} {bar} {'':{start}}{under}"]


def _window(line: str, first: int, last: int, screen: Screen, gutter: int) -> tuple[str, int, int]:
    """As much of ``line`` as fits around the characters ``first`` to ``last``; the column and length of the marks."""
    # A spec in one line may be very long, and each of many excerpts shows a small part of it.
    reach = max(MAX_LINE, 4 * screen.width)
    before = max(0, first - reach)
    line, first = line[before : first + reach], first - before
    last = min(last - before, len(line))
    shown, starts = screen.cells(line)
    room = screen.width - gutter - 5
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
