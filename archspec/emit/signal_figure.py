"""The figure of predicted signals: activations, gradients and path lengths of networks beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from archspec.emit.figures.metrics import shorten
from archspec.emit.figures.shapes import Canvas, Lettering, Rect, Stroke
from archspec.emit.figures.sheet import Sheet
from archspec.emit.figures.svg import svg

if TYPE_CHECKING:
    from archspec.analysis.signal import SignalReport

STYLES = ("projection", "gate", "flow")
"""Those of the lines of the networks, in turn."""

_MARGIN, _WIDTH, _HEIGHT, _NAMES, _GAP, _AXIS = 24, 520, 130, 190, 46, 56


def signal_sheet(reports: Sequence[SignalReport]) -> Sheet:
    """The figure laid out. Reports without blocks are left out."""
    canvas = Canvas()
    known = [report for report in reports if report.blocks]
    title = "The signal at initialization, predicted"
    named = [(report.name, STYLES[number % len(STYLES)]) for number, report in enumerate(known)]
    canvas.labels.append(Lettering(_MARGIN, _MARGIN + 8, title, 15, "ink", "start", bold=True))
    panels = [
        ("gradient norm, relative to the last block", [_logs([b.gradient_norm for b in r.blocks]) for r in known]),
        ("variance of activations", [_logs([b.activation_variance for b in r.blocks]) for r in known]),
    ]
    top = _MARGIN + 44.0
    for name, lines in panels:
        _panel(canvas, top, name, lines, named, ("first block", "last block"))
        top += _HEIGHT + _GAP
    shares = [_cut(report.path_length.counts) for report in known if report.path_length]
    if shares:
        longest = max(map(len, shares))
        padded = [[*each, *[0.0] * (longest - len(each))] for each in shares]
        names = [each for each, report in zip(named, known, strict=True) if report.path_length]
        ends = ("0", f"{longest - 1} residuals taken")
        _panel(canvas, top, "share of the gradient by path length", padded, names, ends, decades=False)
        top += _HEIGHT + _GAP
    return Sheet(_MARGIN * 2 + _AXIS + _WIDTH + _NAMES, top, canvas)


def signal_svg(reports: Sequence[SignalReport]) -> str:
    """The text of a file with the figure.

    >>> import archspec
    >>> signal_svg([archspec.signal("resnet20_cifar")])[:4]
    '<svg'
    """
    names = ", ".join([report.name for report in reports])
    return svg(signal_sheet(reports), f"The signal of {names}", "Gradient, activations and path lengths by block")


def signal_png(reports: Sequence[SignalReport]) -> bytes:
    """The bytes of a file with the figure."""
    from archspec.emit.figures.cairo import png  # it imports cairosvg, which only the extra `figure` has

    return png(signal_svg(reports), signal_sheet(reports))


def _panel(
    canvas: Canvas,
    top: float,
    name: str,
    lines: Sequence[Sequence[float]],
    names: Sequence[tuple[str, str]],
    ends: tuple[str, str],
    *,
    decades: bool = True,
) -> None:
    """One diagram: a line for each network, over its blocks or lengths."""
    left, bottom = _MARGIN + _AXIS, top + _HEIGHT
    low, high = min(map(min, lines)), max(map(max, lines))
    if decades:
        low, high = math.floor(low), max(math.ceil(high), math.floor(low) + 1)
    canvas.behind.append(Rect(left, top, _WIDTH, _HEIGHT, "band", 0))
    canvas.labels.append(Lettering(left, top - 8, name, 12, "ink", "start", bold=True))
    for value, y in ((high, top + 10), (low, bottom)):
        label = f"1e{value:g}" if decades else f"{value:.2g}"
        canvas.labels.append(Lettering(left - 6, y, label, 10, "dim", "end"))
    canvas.labels.append(Lettering(left, bottom + 14, ends[0], 10, "dim", "start"))
    canvas.labels.append(Lettering(left + _WIDTH, bottom + 14, ends[1], 10, "dim", "end"))
    used: list[float] = []
    for line, (label, style) in zip(lines, names, strict=True):
        scale = _HEIGHT / ((high - low) or 1)
        step = _WIDTH / max(len(line) - 1, 1)
        points = tuple([(left + i * step, bottom - (value - low) * scale) for i, value in enumerate(line)])
        canvas.lines.append(Stroke(points if len(points) > 1 else points * 2, style, arrow=False))
        y = points[-1][1] + 4
        while any(abs(y - other) < 12 for other in used):
            y -= 12
        used.append(y)
        beside = left + _WIDTH + 8
        canvas.lines.append(Stroke(((beside, y - 4), (beside + 18, y - 4)), style, arrow=False))
        canvas.labels.append(Lettering(beside + 24, y, shorten(label, _NAMES - 60, 11), 11, "ink", "start"))


def _logs(values: Sequence[float]) -> list[float]:
    least = min([value for value in values if value > 0], default=1.0)
    return [math.log10(max(value, least)) for value in values]


def _cut(counts: Sequence[float]) -> list[float]:
    """The shares up to the last that is not negligible."""
    last = max([length for length, count in enumerate(counts) if count > 1e-3], default=0)
    return list(counts[: last + 1])
