"""A number that was measured once for each seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from archspec.wording import Brief

# Two-sided 95 % quantiles of Student's t, by degrees of freedom from 1 (any textbook has this table).
_STUDENT = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131),
    *(2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
NORMAL = 1.960


def student(n: int) -> float:
    """How many standard errors the 95 % interval of the mean of ``n`` values reaches; infinite for fewer than two.

    >>> student(3), student(1)
    (4.303, inf)
    """
    return math.inf if n < 2 else _STUDENT[n - 2] if n - 2 < len(_STUDENT) else NORMAL + 2.4 / (n - 1)


@dataclass(frozen=True, slots=True, repr=False)
class Number(Brief):
    """One value for each seed, in the order of the seeds; None where a seed has none.

    >>> accuracy = Number((0.9, None, 0.8))
    >>> f"{accuracy.mean:.3f} {accuracy.deviation:.3f} {accuracy.n}", str(accuracy)
    ('0.850 0.071 2', '0.850 ± 0.071')
    """

    values: tuple[float | None, ...]

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Number:
        """The number with these values. One that is not finite is None: JSON has no word for it."""
        return cls(tuple([None if value is None or not math.isfinite(value) else float(value) for value in values]))

    @property
    def known(self) -> tuple[float, ...]:
        """The values that there are."""
        return tuple([value for value in self.values if value is not None])

    @property
    def n(self) -> int:
        return len(self.known)

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.known) if self.n else None

    @property
    def deviation(self) -> float | None:
        """The sample's standard deviation; None for fewer than two values."""
        return statistics.stdev(self.known) if self.n > 1 else None

    @property
    def margin(self) -> float:
        """Half of the 95 % interval of the mean over seeds (Student's t); infinite for fewer than two values."""
        return math.inf if self.deviation is None else student(self.n) * self.deviation / math.sqrt(self.n)

    def minus(self, other: Number) -> Number:
        """The paired difference, seed by seed.

        >>> Number((3.0, 5.0)).minus(Number((1.0, None)))
        Number(values=(2.0, None))
        """
        pairs = zip(self.values, other.values, strict=True)
        return Number(tuple([None if a is None or b is None else a - b for a, b in pairs]))

    def text(self, form: str = ".3f") -> str:
        """The mean and the deviation, for a person; nothing if no seed has a value."""
        if self.mean is None:
            return ""
        return f"{self.mean:{form}}" + ("" if self.deviation is None else f" ± {self.deviation:{form}}")

    def __str__(self) -> str:
        return self.text()

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {"mean": self.mean, "deviation": self.deviation, "n": self.n, "values": list(self.values)}
