"""The learning rate of each step, as a function of the step alone."""

from __future__ import annotations

import math

from archspec.lab.training.settings import Settings

RISE = 0.3
FIRST, LAST = 1 / 25, 1 / 250_000
"""The first and the last rate of ``one-cycle`` over its largest, as torch's ``OneCycleLR`` has them."""


def rate(settings: Settings, step: int, steps: int, per_epoch: int) -> float:
    """The learning rate.

    Args:
        settings: how to train.
        step: the step, from 0.
        steps: the steps of the whole training.
        per_epoch: the steps of an epoch.

    >>> rate(Settings(schedule="steps", lr=0.1, milestones=[0.5]), 50, 100, 10)
    0.01
    """
    if settings.schedule == "one-cycle":
        return settings.lr * _one_cycle(step, steps)
    warm = settings.warmup * per_epoch
    if step < warm:
        return settings.lr * (step + 1) / (warm + 1)
    passed = sum(step >= share * steps for share in settings.milestones) if settings.schedule == "steps" else 0
    return float(settings.lr / 10**passed)


def _one_cycle(step: int, steps: int) -> float:
    top = RISE * steps - 1
    if step <= top:
        return _between(FIRST, 1.0, step / top if top > 0 else 1.0)
    length = steps - 1 - top
    return _between(1.0, LAST, (step - top) / length if length > 0 else 1.0)


def _between(start: float, end: float, share: float) -> float:
    """Along half a cosine from ``start`` to ``end``."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
