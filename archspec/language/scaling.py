"""What ``scaled`` does in one spec, in its parameters as in its steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from archspec.diagnostics import Diagnostic, Faults, Span
from archspec.language.expressions.values import LIMIT, ExpressionFault, Number, make_divisible


@dataclass(frozen=True, slots=True)
class CompoundScaling:
    """Compound scaling (Tan and Le 2019): channels times ``width`` rounded to ``divisor``, counts times ``depth``.

    ``asked``: the spec writes the divisor itself, so that it knows that widths are rounded.
    """

    width: float
    depth: float
    divisor: int
    asked: bool
    span: Span


@dataclass(slots=True)
class Scaling:
    """Widths by the ``scale`` of a spec. ``rounded`` has the exact widths that were rounded, and to what."""

    scale: CompoundScaling | None
    rounded: dict[float, int] = field(default_factory=dict)

    def width(self, value: Number) -> int:
        """A width by ``scale``, rounded to its divisor; without a ``scale``, the nearest whole number.

        Raises:
            ExpressionFault: E501, the width is less than 1; E405, the result is too large.
        """
        if value < 1:
            raise ExpressionFault("E501", f"a width must be at least 1, not {value}")
        if self.scale is None:
            return round(value)
        exact = value * self.scale.width
        if exact <= LIMIT and (width := make_divisible(exact, self.scale.divisor)) <= LIMIT:
            if not math.isclose(width, exact):
                self.rounded[exact] = width
            return width
        raise ExpressionFault("E405", f"the width {value} times {self.scale.width:g}, by `scale`, is larger than 10^15")

    def warn(self, faults: Faults) -> None:
        """Warn of rounded widths, unless the spec asked for it with a ``divisor``."""
        if self.rounded and self.scale and not self.scale.asked:
            told = ", ".join(f"{exact:g} to {width}" for exact, width in list(self.rounded.items())[:6])
            faults.add(Diagnostic("W502", f"widths were rounded: {told}", self.scale.span))


def unknown_scale(value: Number) -> int:
    """What ``scaled`` does inside ``scale``, whose values are not known yet. Raises ExpressionFault, E402."""
    raise ExpressionFault("E402", "`scaled` cannot be used in `scale`, which says what `scaled` does")
