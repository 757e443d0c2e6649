"""Figures as a spec writes them: exact, rounded, powers and bounds, and the values that each allows."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from archspec.analysis.numbers import shown
from archspec.diagnostics import cut

if TYPE_CHECKING:
    from archspec.analysis.signal import SignalReport

UNITS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}


class BadExpectation(ValueError):
    """A value under ``expect`` that is not an expectation. The text says which values are."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a measured figure must be: from ``low`` to ``high``, None for no bound; ``strict``: without the bounds.

    ``text`` is how it is written.
    """

    low: Fraction | None
    high: Fraction | None
    text: str
    strict: bool = False

    def holds(self, value: int | Fraction) -> bool:
        """Whether ``value`` is within the bounds."""
        if self.strict and value in (self.low, self.high):
            return False
        return (self.low is None or self.low <= value) and (self.high is None or value <= self.high)


REAL = ("gradient_span", "effective_receptive_field")
"""The figures that are no whole numbers, and may be written with decimals."""

COMPARISON = re.compile(r"\s*(<=|>=|<|>)\s*(\S.*?)\s*")


def is_bound(value: object) -> bool:
    """Whether an expectation is a bound, and not a figure."""
    return isinstance(value, dict) or (isinstance(value, str) and COMPARISON.fullmatch(value) is not None)


def compared(sign: str, number: Fraction, text: str) -> Expectation:
    """What ``<=26M`` allows, where ``text`` is the figure."""
    return {
        "<=": Expectation(None, number, f"at most {text}"),
        ">=": Expectation(number, None, f"at least {text}"),
        "<": Expectation(None, number, f"less than {text}", strict=True),
        ">": Expectation(number, None, f"more than {text}", strict=True),
    }[sign]


def read_expectation(value: object, *, real: bool = False) -> Expectation:
    """An expectation as a spec writes it: exact, rounded (``25.6M``), a power (``2^16``), or a bound.

    A bound is ``{min: ..., max: ...}`` or a comparison such as ``<=2``. A rounded figure holds for every number that
    rounds to it: ``25.6M`` from 25.55 to 25.65 million, both included; so does any figure that is ``real``.

    Raises:
        BadExpectation: the value has another form.
    """
    if isinstance(value, dict):
        given = {key: value[key] for key in ("min", "max") if value.get(key) is not None}
        if not given:
            raise BadExpectation("a bound has `min`, `max` or both")
        bounds = {key: read_figure(number, real=real)[0] for key, number in given.items()}
        words = {"min": "at least", "max": "at most"}
        text = " and ".join(f"{words[key]} {_written(number)}" for key, number in given.items())
        return Expectation(bounds.get("min"), bounds.get("max"), text)
    if isinstance(value, str) and (comparison := COMPARISON.fullmatch(value)):
        return compared(comparison[1], read_figure(comparison[2], real=real)[0], comparison[2])
    number, half = read_figure(value, real=real)
    return Expectation(number - half, number + half, _written(value))


def _written(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


_FIGURE = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,12}))?\s*([kKMGBT]?)", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,12})?", re.ASCII)
_POWER = re.compile(r"2\^([0-9]{1,6})", re.ASCII)


def read_figure(value: object, *, real: bool = False) -> tuple[Fraction, Fraction]:
    """A figure, and half of the last place in which it is written; zero for an exact one."""
    if real and not isinstance(value, bool) and _DECIMAL.fullmatch(str(value)):
        return Fraction(str(value)), Fraction(1, 2 * 10 ** len(str(value).partition(".")[2]))
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value), Fraction(0)
    text = str(value).replace("_", "").replace(",", "")
    if power := _POWER.fullmatch(text):
        return Fraction(2 ** int(power[1])), Fraction(0)
    if isinstance(value, float) and value.is_integer():
        return Fraction(int(value)), Fraction(0)
    figure = _FIGURE.fullmatch(text)
    if figure is None or (figure[2] and not figure[3]):
        told = "a whole number, a rounded figure like `25.6M`, or a power like `2^16`"
        raise BadExpectation(f"`{cut(value)}` is not a figure; write {told}")
    unit = UNITS[figure[3]]
    places = len(figure[2] or "")
    number = Fraction(int(figure[1] + (figure[2] or "")), 10**places) * unit
    return number, Fraction(unit, 10**places * 2) if unit > 1 else Fraction(0)


def shown_figure(figure: int | Fraction) -> str:
    return f"{float(figure):g}" if isinstance(figure, Fraction) else shown(figure)


def excess(found: int | Fraction, bound: Fraction) -> str:
    """By how much a figure is beyond a bound: ``5,557,032 too many, 27.8%``."""
    beyond = abs(found - bound)
    if not beyond or beyond >= 10**15:  # as large as that, only counts of paths are, whose powers say it all
        return ""
    if isinstance(found, Fraction):
        return f"{shown_figure(beyond)} too {'large' if found > bound else 'small'}"
    amount = f"{shown(math.ceil(beyond))} too {'many' if found > bound else 'few'}"
    share = float(beyond / bound) if bound else 0.0
    return f"{amount}, {share:.1%}" if 0.0005 <= share < 10 else amount


def of_signal(report: SignalReport, key: str) -> Fraction | None:
    """A figure of the predicted signal, to two decimals, the largest where axes differ; None without one."""
    field = report.effective_receptive_field
    found = report.gradient_span if key == "gradient_span" else field and field.size
    if found is None:
        return None
    return Fraction(f"{max(found) if isinstance(found, tuple) else found:.2f}")
