"""A figure as data: panels with curves, points or bars. ``drawing.py`` draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from archspec.lab.results.number import Number
from archspec.wording import Brief

Marks = Literal["line", "points", "bars"]


@dataclass(frozen=True, slots=True, repr=False)
class Curve(Brief):
    """One entry of a legend: heights ``y`` at the places ``x``, each a number, or one with its spread.

    ``color`` is a number in the palette. Curves of one color differ by ``dashed``, so that kin look alike.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float | Number | None, ...]
    color: int = 0
    dashed: bool = False
    marks: Marks = "line"


@dataclass(frozen=True, slots=True, repr=False)
class PlotPanel(Brief):
    """A pair of axes. With ``categories``, their names stand below the places 0, 1, 2, ..."""

    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    log_x: bool = False
    log_y: bool = False
    categories: tuple[str, ...] = ()
    bottom: float | None = None
    top: float | None = None
    level: tuple[float, str] | None = None
    """A height to compare with, and what it is, such as chance."""
    dashed: str = ""
    """What all dashed curves are. The legend then has one entry for them, and one for the solid curve of each color."""


@dataclass(frozen=True, slots=True, repr=False)
class Plot(Brief):
    """A figure: the name of its files, a title, its panels, and what to look for in it."""

    name: str
    title: str
    panels: tuple[PlotPanel, ...]
    look: str
