"""Drawing a :class:`Plot` with matplotlib: SVG and PNG, with equal bytes for equal plots."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter

from archspec.lab.results.number import Number
from archspec.lab.results.plot import Curve, Plot, PlotPanel

# Okabe and Ito's colors, which differ for color-blind readers, in an order whose grays alternate; the markers and
# dashes tell the curves apart without any color.
_COLORS = ("#0072b2", "#d55e00", "#1b1b1b", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f6000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_PAPER, _INK, _GRID = "#fdfdfb", "#1b1b1b", "#d9d9d4"
_STYLE: Any = {
    "svg.hashsalt": "archspec",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.edgecolor": _INK,
    "axes.facecolor": _PAPER,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.8,
    "figure.facecolor": _PAPER,
    "savefig.facecolor": _PAPER,
    "legend.facecolor": _PAPER,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.85,
    "legend.fontsize": 9,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
}
_WIDTH, _HEIGHT, _ROW, _DOTS, _LETTERS = 4.6, 3.5, 0.24, 150, 60
"""The size of a panel and of a row of the legend in inches, the dots an inch of the PNG, and letters below a panel."""


def drawn(plot: Plot) -> dict[str, bytes]:
    """The files of a plot, by suffix.

    >>> from archspec.lab.results.plot import Curve, Plot, PlotPanel
    >>> panel = PlotPanel("a panel", "epoch", "loss", (Curve("net", (1.0, 2.0), (0.5, 0.25)),))
    >>> plot = Plot("loss", "Loss", (panel,), "the loss falls")
    >>> drawn(plot)[".png"][:4], drawn(plot) == drawn(plot)
    (b'\\x89PNG', True)
    """
    with rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH * len(plot.panels), _HEIGHT), layout="constrained")
        FigureCanvasAgg(figure)
        for axes, panel in zip(figure.subplots(1, len(plot.panels), squeeze=False)[0], plot.panels, strict=True):
            _draw(axes, panel)
        rows = _legend(figure, figure.axes)
        figure.set_figheight(_HEIGHT + _ROW * rows)
        figure.suptitle(plot.title, fontsize=12, fontweight="bold")
        return {".svg": _saved(figure, "svg", Date=None), ".png": _saved(figure, "png", Software=None)}


def _saved(figure: Figure, form: str, **metadata: None) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format=form, dpi=_DOTS, metadata=metadata)
    return stream.getvalue()


def _draw(axes: Axes, panel: PlotPanel) -> None:
    bars = [curve for curve in panel.curves if curve.marks == "bars"]
    points = [curve for curve in panel.curves if curve.marks == "points"]
    for curve in panel.curves:
        if curve.marks == "bars":
            _bars(axes, curve, bars.index(curve), len(bars))
        elif curve.marks == "points":
            _points(axes, curve, points.index(curve), len(points) if panel.categories else 1)
        else:
            _line(axes, curve, named=not (panel.dashed and curve.dashed))
    if panel.dashed:
        axes.plot([], [], linestyle="--", color=_INK, label=panel.dashed)
    if panel.level:
        height, what = panel.level
        axes.axhline(height, color=_INK, linewidth=1, linestyle=(0, (1, 2)), label=what)
    _scale(axes, panel)
    axes.set(title=panel.title, xlabel=panel.x_label, ylabel=panel.y_label)


def _scale(axes: Axes, panel: PlotPanel) -> None:
    places = sorted({x for curve in panel.curves for x in curve.x})
    if panel.log_y:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        if high < 10 * low:  # no power of ten to write
            axes.yaxis.set_minor_formatter(lambda y, _: f"{y:g}")
    if panel.log_x:
        axes.set_xscale("log")
    elif all(place == round(place) for place in places):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if panel.log_x and len(places) <= 8:
        axes.xaxis.set_major_locator(FixedLocator(places))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    if panel.categories:
        slanted = sum(map(len, panel.categories)) > 36
        how: dict[str, Any] = {"rotation": 20, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
        axes.set_xticks(range(len(panel.categories)), panel.categories, **how)
        axes.set_xlim(-0.5, len(panel.categories) - 0.5)
        axes.grid(False, axis="x")
    axes.set_ylim(bottom=panel.bottom, top=panel.top)


def _legend(figure: Figure, axes: Iterable[Axes]) -> int:
    """Name the entries of all panels once, below them; or in each panel, where a name means two colors.

    Returns the rows below the panels.
    """
    axes = [*axes]
    entries = [pair for each in axes for pair in zip(*each.get_legend_handles_labels(), strict=True)]
    found: dict[str, Any] = {}
    for handle, label in entries:
        found.setdefault(label, handle)
    if len(found) < 2:
        return 0
    if any(_color(handle) != _color(found[label]) for handle, label in entries):
        for each in axes:
            each.legend()
        return 0
    room = _LETTERS * len(figure.axes)
    columns = max(1, min(len(found), room // (max(map(len, found)) + 6)))
    figure.legend([*found.values()], [*found], loc="outside lower center", ncols=columns)
    return -(-len(found) // columns)


def _color(handle: Any) -> object:
    """The color of an entry of a legend."""
    return handle.get_color() if hasattr(handle, "get_color") else handle[0].get_facecolor()


def _line(axes: Axes, curve: Curve, *, named: bool) -> None:
    """A curve. Its color and its marker follow from its number in the palette: they are the same in all panels."""
    known = [(x, y) for x, y in zip(curve.x, map(_mean, curve.y), strict=True) if y is not None]
    how: dict[str, Any] = {"color": _COLORS[curve.color % len(_COLORS)], "label": curve.label if named else None}
    how["marker"] = _MARKERS[curve.color % len(_MARKERS)] if len(known) <= 30 else None
    how["linestyle"] = "--" if curve.dashed else "-"
    if curve.dashed:
        how["markerfacecolor"] = _PAPER
    axes.plot([x for x, _ in known], [y for _, y in known], **how)
    spread = [(x, *_band(y)) for x, y in zip(curve.x, curve.y, strict=True) if isinstance(y, Number) and y.n > 1]
    if spread:
        x, low, high = zip(*spread, strict=True)
        axes.fill_between(x, low, high, color=how["color"], alpha=0.15, linewidth=0)


def _points(axes: Axes, curve: Curve, number: int, of: int) -> None:
    """The mean as a large mark, and each seed as a small one beside it."""
    color, marker = _COLORS[curve.color % len(_COLORS)], _MARKERS[number % len(_MARKERS)]
    shift = 0.6 * ((number + 0.5) / of - 0.5)
    known = [(x + shift, y, mean) for x, y in zip(curve.x, curve.y, strict=True) if (mean := _mean(y)) is not None]
    how: dict[str, Any] = {"linestyle": "none", "color": color, "marker": marker}
    axes.plot([x for x, _, _ in known], [mean for _, _, mean in known], markersize=8, label=curve.label, **how)
    for x, y, _ in known:
        if isinstance(y, Number) and y.n > 1:
            axes.plot([x + 0.12 / of] * y.n, y.known, markersize=3.5, markerfacecolor=_PAPER, **how)


def _bars(axes: Axes, curve: Curve, number: int, of: int) -> None:
    width = 0.8 / of
    places = [x - 0.4 + width * (number + 0.5) for x in curve.x]
    heights = [_mean(y) or 0.0 for y in curve.y]
    color, hatch = _COLORS[curve.color % len(_COLORS)], ("", "//", "..", "xx")[number % 4]
    axes.bar(places, heights, width * 0.92, color=color, label=curve.label, hatch=hatch, edgecolor=_PAPER)
    for place, y in zip(places, curve.y, strict=True):
        if isinstance(y, Number) and y.n > 1:
            axes.plot([place] * y.n, y.known, "o", color=_INK, markerfacecolor=_PAPER, markersize=4, linestyle="none")


def _mean(y: float | Number | None) -> float | None:
    return y.mean if isinstance(y, Number) else y


def _band(y: Number) -> tuple[float, float]:
    """From the least to the greatest value over seeds."""
    return min(y.known), max(y.known)
