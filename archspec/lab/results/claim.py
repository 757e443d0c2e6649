"""A claim of the literature, and what an experiment says about it, by one rule for all claims."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from archspec.lab.results.number import NORMAL, Number
from archspec.wording import Brief

Answer = Literal["agrees", "disagrees", "cannot be resolved with this data"]

AGREES: Answer = "agrees"
DISAGREES: Answer = "disagrees"
UNRESOLVED: Answer = "cannot be resolved with this data"

RULE = (
    "Each claim has an effect, a number that is measured once for each seed and is positive if the claim holds. Its "
    "mean over seeds is compared with a margin, which is how far the mean may be from 0 by chance: half of the 95 % "
    "confidence interval of the mean (Student's t). For accuracies on test images, the sampling error of the images is "
    "added in quadrature. The verdict is `agrees` if the mean effect is above the margin, `disagrees` if it is below "
    "minus the margin, and `cannot be resolved with this data` in between, or if fewer than two seeds have the effect."
)


@dataclass(frozen=True, slots=True, repr=False)
class LiteratureClaim(Brief):
    """What a paper says, the effect that would show it here, and the verdict by :data:`RULE`.

    ``effect`` is positive where the claim holds, and ``measure`` says what it is, with its unit. ``sampling`` is the
    standard error that comes from the number of test images, 0 where none are sampled.

    >>> LiteratureClaim("deeper is better", "a paper", "accuracy", Number((0.3, 0.2, 0.3))).verdict
    'agrees'
    >>> LiteratureClaim("deeper is better", "a paper", "accuracy", Number((0.3, -0.2, 0.1))).verdict
    'cannot be resolved with this data'
    """

    statement: str
    source: str
    measure: str
    effect: Number
    sampling: float = 0.0
    remark: str = ""

    @property
    def margin(self) -> float:
        """How far from zero the mean effect must be to decide the claim."""
        return math.hypot(self.effect.margin, NORMAL * self.sampling)

    @property
    def verdict(self) -> Answer:
        mean = self.effect.mean
        if mean is None or abs(mean) <= self.margin:
            return UNRESOLVED
        return AGREES if mean > 0 else DISAGREES

    @property
    def signs(self) -> str:
        """In how many seeds the effect has the claim's sign, in words."""
        return f"{sum(value > 0 for value in self.effect.known)} of {self.effect.n} seeds"

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "statement": self.statement,
            "source": self.source,
            "verdict": self.verdict,
            "measure": self.measure,
            "effect": self.effect.as_data(),
            "margin": self.margin if math.isfinite(self.margin) else None,
            "sampling": self.sampling,
            "remark": self.remark,
        }


def sampling(*accuracies: Number, images: int) -> float:
    """The standard error of a difference (or of one) of accuracies that comes from ``images`` test images.

    The images are taken as drawn at random and the networks' errors on them as independent, which is cautious.

    >>> f"{sampling(Number((0.98,)), images=450):.4f}"
    '0.0066'
    """
    means = [number.mean for number in accuracies if number.mean is not None]
    return math.sqrt(sum(mean * (1 - mean) for mean in means) / images)
