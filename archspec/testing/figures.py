"""Figures as a spec writes them: exact, rounded, powers and bounds, and the values that each allows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from archspec.diagnostics import cut

UNITS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}


class BadExpectation(ValueError):
    """A value under ``expect`` that is not an expectation. The text says which values are."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a measured integer must be: from ``low`` to ``high``, None for no bound; ``strict``: without the bounds.

    ``text`` is how it is written.
    """

    low: Fraction | None
    high: Fraction | None
    text: str
    strict: bool = False

    def holds(self, value: int) -> bool:
        """Whether ``value`` is within the bounds."""
        if self.strict and value in (self.low, self.high):
            return False
        return (self.low is None or self.low <= value) and (self.high is None or value <= self.high)


def read_expectation(value: object) -> Expectation:
    """An expectation as a spec writes it: exact, rounded (``25.6M``), a power (``2^16``), or ``{min: ..., max: ...}``.

    A rounded figure holds for every number that rounds to it: ``25.6M`` from 25.55 to 25.65 million, both included.

    Raises:
        BadExpectation: the value has another form.
    """
    if isinstance(value, dict):
        given = {key: value[key] for key in ("min", "max") if value.get(key) is not None}
        if not given:
            raise BadExpectation("a bound has `min`, `max` or both")
        bounds = {key: read_figure(number)[0] for key, number in given.items()}
        words = {"min": "at least", "max": "at most"}
        text = " and ".join(f"{words[key]} {_written(number)}" for key, number in given.items())
        return Expectation(bounds.get("min"), bounds.get("max"), text)
    number, half = read_figure(value)
    return Expectation(number - half, number + half, _written(value))


def _written(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


_FIGURE = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,12}))?\s*([kKMGBT]?)", re.ASCII)
_POWER = re.compile(r"2\^([0-9]{1,6})", re.ASCII)


def read_figure(value: object) -> tuple[Fraction, Fraction]:
    """A figure, and half of the last place in which it is written; zero for an exact one."""
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
