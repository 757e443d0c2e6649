"""How a signal and its gradient pass through pools at initialization."""

from __future__ import annotations

import functools
import math

from archspec.operations.following import Following
from archspec.operations.mixtures import CHANNELS, before_largest, largest
from archspec.operations.signal import Back, Gradient, Law, Piece, Signal, affine, joined, regrouped


def greatest(value: Signal, count: float) -> Signal:
    """The largest of ``count`` elements."""
    return joined([largest(law, count) for law in value])


def before_greatest(value: Signal, count: float, result: Signal, back: Gradient, windows: float) -> Gradient:
    """The gradient with respect to elements of which the largest is taken; ``windows`` read each."""
    arrived = regrouped(result, back, tuple([largest(law, count) for law in value]))
    pairs = zip(value, arrived, strict=True)
    return tuple([before_largest(law, count, each, windows) for law, each in pairs])


def mean_of(law: Law, size: float, scale: float) -> Law:
    """The mean of ``size`` elements, multiplied by ``scale``."""
    level = law.level * law.root**2
    mean = law.mean * law.root
    within = (law.power - level) / size
    return affine(Law(law.channels, mean, within, level - mean * mean), scale)


def averaged(back: Back, divisor: float, size: float, before: int, after: int) -> Back:
    """The gradient of an average of ``size`` elements, as a sum divided by ``divisor``."""
    windows = size * after / before
    energy = windows * (back.energy + max(windows - 1, 0.0) * back.shared) / divisor**2
    total = after * (back.energy + (after - 1) * back.shared) * (size / divisor) ** 2
    shared = (total - before * energy) / (before * (before - 1)) if before > 1 else energy
    return Back(energy, shared)


def before_mean(law: Law, back: Back, divisor: float, size: float, before: int, after: int) -> Back:
    """The same with the part that follows elements of this law: an average is near the mean of its channel."""
    found = averaged(back, divisor, size, before, after)
    if not back.following:
        return found
    constant, slope = back.following
    share = after / before
    near = share * law.level / law.power if law.power else 0.0
    return found._replace(following=Following(share * constant, near * slope))


# -- the root of a sum of powers ---------------------------------------------------------------------------------------


def root_of_powers(law: Law, power: float, size: float) -> Law:
    """The root of the sum of ``size`` elements to a power, whose sum counts as distributed by a gamma law."""
    if power == 1:
        return mean_of(law, size, size)
    mean, square = _roots(law.mixture, power, size, 1), _roots(law.mixture, power, size, 2)
    between = 0.0
    if law.between > 1e-9 * law.within:
        deviation = math.sqrt(law.between)
        first = second = 0.0
        for point, weight in CHANNELS:
            moved = tuple([(w, m + point * deviation, max(v - law.between, 0.0)) for w, m, v in law.mixture])
            found = _roots(moved, power, size, 1)
            first += weight * found
            second += weight * found * found
        between = max(second - first * first, 0.0)
    return Law(law.channels, mean, max(square - mean * mean - between, 0.0), between)


def before_root(law: Law, power: float, size: float, back: Back, windows: float) -> Back:
    """The gradient with respect to the elements; ``windows`` read each."""
    if power == 1:
        steep = slope = 1.0
    else:
        exponent = power - 1
        steep = _moment(law.mixture, 2 * exponent) / max(_roots(law.mixture, power, size, 2 * exponent), 1e-30)
        slope = _moment(law.mixture, exponent, signed=True) / max(_roots(law.mixture, power, size, exponent), 1e-30)
    energy = windows * steep * (back.energy + max(windows - 1, 0.0) * back.shared)
    return Back(energy, windows * windows * slope * slope * back.shared)


@functools.lru_cache(4096)
def _roots(mixture: tuple[Piece, ...], power: float, size: float, order: float) -> float:
    """The mean of the root's ``order``-th power."""
    mean = size * _moment(mixture, power)
    variance = size * (_moment(mixture, 2 * power) - (mean / size) ** 2)
    if variance <= 1e-9 * mean * mean:
        return float(mean ** (order / power))
    shape, scale = mean * mean / variance, variance / mean
    return math.exp(math.lgamma(shape + order / power) - math.lgamma(shape) + order / power * math.log(scale))


_POINTS = tuple([place / 8 for place in range(-48, 49)])
_HEIGHTS = tuple([math.exp(-0.5 * z * z) / 8 / math.sqrt(2 * math.pi) for z in _POINTS])


@functools.lru_cache(4096)
def _moment(mixture: tuple[Piece, ...], power: float, *, signed: bool = False) -> float:
    """The mean of the elements' sizes to a power; ``signed``: with their signs."""
    total = 0.0
    for weight, mean, variance in mixture:
        deviation = math.sqrt(variance)
        for point, height in zip(_POINTS, _HEIGHTS, strict=True) if deviation else ((0.0, 1.0),):
            value = mean + deviation * point
            size = abs(value) ** power
            total += weight * height * (math.copysign(size, value) if signed else size)
    return total
