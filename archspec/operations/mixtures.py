"""Mixtures of Gaussians through functions of one number: activation functions and maxima."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from operator import mul
from typing import NamedTuple

from archspec.operations.following import Moments, before_act, energy, moments
from archspec.operations.functions import Function
from archspec.operations.signal import Back, Law, Piece

_SQRT2, _SQRT2PI = math.sqrt(2), math.sqrt(2 * math.pi)
_EDGES = (-2.6, -1.7, -1.0, -0.5, 0.0, 0.5, 1.0, 1.7, 2.6, 4.0)
_CURVED = (-3.0, -1.5, -0.6, 0.6, 1.5, 3.0)
"""Where smooth functions such as tanh change their slope."""
_BENDS = (0.3, 0.7, 1.2, 1.8, 2.6, 3.6)
RANKS = (-1.5, -0.8, -0.3, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.3, 2.6, 3.0, 3.5, 4.2)
CHANNELS = ((-2.856970, 0.011257), (-1.355626, 0.222076), (0.0, 0.533333), (1.355626, 0.222076), (2.856970, 0.011257))
"""Gauss and Hermite's five points and weights, for the means of channels."""


class Bins(NamedTuple):
    """A mixture cut into intervals: of each its probability, the mean and the variance of what falls into it.

    ``chances`` have, for each piece of the mixture, the probabilities of the intervals.
    """

    weights: tuple[float, ...]
    means: tuple[float, ...]
    variances: tuple[float, ...]
    chances: tuple[tuple[float, ...], ...]


def binned(mixture: Sequence[Piece], edges: Sequence[float]) -> Bins:
    """The mixture between these edges, which ascend, and outside them."""
    count = len(edges) + 1
    weights, firsts, seconds = [0.0] * count, [0.0] * count, [0.0] * count
    chances = []
    for weight, mean, variance in mixture:
        if variance <= 1e-12 * (1e-12 + mean * mean):
            place = sum([edge <= mean for edge in edges]) if mean else sum([edge < 0 for edge in edges])
            row = tuple([float(i == place) for i in range(count)])
            weights[place] += weight
            firsts[place] += weight * mean
            seconds[place] += weight * mean * mean
            chances.append(row)
            continue
        deviation = math.sqrt(variance)
        below, density, slope = 0.0, 0.0, 0.0
        found = []
        for i in range(count):
            if i < count - 1:
                z = (edges[i] - mean) / deviation
                above = 0.5 * math.erfc(-z / _SQRT2)
                height = math.exp(-0.5 * z * z) / _SQRT2PI
                tilt = z * height
            else:
                above, height, tilt = 1.0, 0.0, 0.0
            chance = above - below
            first = mean * chance + deviation * (density - height)
            weights[i] += weight * chance
            firsts[i] += weight * first
            seconds[i] += weight * (mean * (2 * first - mean * chance) + variance * (chance + slope - tilt))
            found.append(chance)
            below, density, slope = above, height, tilt
        chances.append(tuple(found))
    means = [first / weight if weight > 1e-15 else 0.0 for first, weight in zip(firsts, weights, strict=True)]
    spread = [
        max(second / weight - mean * mean, 0.0) if weight > 1e-15 else 0.0
        for second, weight, mean in zip(seconds, weights, means, strict=True)
    ]
    return Bins(tuple(weights), tuple(means), tuple(spread), tuple(chances))


class Passed(NamedTuple):
    """A mixture behind a function: its mean, mean square and pieces, and the function's mean slope.

    ``slopes`` have, for each piece of the input, the chance that an element falls into each piece of the output, times
    the mean square of the slope there; ``gains`` are the sums of each.
    """

    mean: float
    power: float
    pieces: tuple[Piece, ...]
    slope: float
    slopes: tuple[tuple[float, ...], ...]
    gains: tuple[float, ...]


@functools.lru_cache(4096)
def passed(function: Function, kinks: tuple[float, ...], mixture: tuple[Piece, ...]) -> Passed:
    """A mixture behind ``function``, whose slope jumps at ``kinks``."""
    bins = binned(mixture, _edges(function, mixture, kinks))
    pieces, squares, kept = [], [], []
    mean = power = slope = 0.0
    for place, (weight, middle, variance) in enumerate(zip(*bins[:3], strict=True)):
        if weight < 1e-9:
            continue
        deviation = math.sqrt(variance)
        (low, low_slope), (high, high_slope) = function(middle - deviation), function(middle + deviation)
        value, half = (low + high) / 2, (high - low) / 2
        pieces.append((weight, value, half * half))
        squares.append((low_slope * low_slope + high_slope * high_slope) / 2)
        kept.append(place)
        mean += weight * value
        power += weight * (value * value + half * half)
        slope += weight * (low_slope + high_slope) / 2
    slopes = [tuple([row[place] * square for place, square in zip(kept, squares, strict=True)]) for row in bins.chances]
    return Passed(mean, power, tuple(pieces), slope, tuple(slopes), tuple(map(sum, slopes)))


def _edges(function: Function, mixture: Sequence[Piece], kinks: Sequence[float]) -> list[float]:
    """Where a mixture is cut: where the function has kinks, and finely where it is not flat."""
    mean = sum([weight * m for weight, m, _ in mixture])
    power = sum([weight * (m * m + v) for weight, m, v in mixture])
    if len(kinks) == 1 and not function(kinks[0] - 1)[1] and power:  # a ReLU: all below is one number
        deviation = math.sqrt(power)
        return [kinks[0], *[kinks[0] + deviation * each for each in _BENDS]]
    deviation = math.sqrt(max(power - mean * mean, 0.0))
    return sorted({*kinks, *_CURVED, *[mean + deviation * each for each in _EDGES]})


def of_channels(function: Function, kinks: tuple[float, ...], law: Law) -> float:
    """The variance, over channels, of the mean of ``function``."""
    if law.between <= 1e-9 * law.within:
        return 0.0
    deviation = math.sqrt(law.between)
    mean = power = 0.0
    for point, weight in CHANNELS:
        moved = tuple([(w, m + point * deviation, max(v - law.between, 0.0)) for w, m, v in law.mixture])
        found = passed(function, kinks, moved).mean
        mean += weight * found
        power += weight * found * found
    return max(power - mean * mean, 0.0)


def _rounded(mixture: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """One Gaussian with five digits: that behind a norm is the same in every block, but for the norm's ``eps``."""
    if len(mixture) > 1:
        return mixture
    ((weight, mean, variance),) = mixture
    return ((weight, float(f"{mean:.5g}"), float(f"{variance:.5g}")),)


def met(function: Function, kinks: tuple[float, ...], law: Law) -> Passed:
    """What an activation function makes of the mixture of a law."""
    return passed(function, kinks, _rounded(law.mixture))


def behind(function: Function, kinks: tuple[float, ...], law: Law, found: Passed) -> Law:
    """The law of an activation function's output."""
    between = of_channels(function, kinks, law)
    within = max(found.power - found.mean * found.mean - between, 0.0)
    linear = found.slope * found.slope
    share = law.fixed / law.within if law.within else 0.0
    fixed = max(linear * law.fixed + (within - linear * law.within) * share * share, 0.0)
    return Law(law.channels, found.mean, within, between, found.pieces, law.profile, fixed)


def before(found: Passed, law: Law, back: Back) -> Back:
    """The gradient with respect to an activation function's input of this law, given that of its output."""
    if back.pieces:
        pieces = tuple([sum(map(mul, row, back.pieces)) for row in found.slopes])
    else:
        if not law.pieces:
            energy = back.energy * found.gains[0]
            return Back(energy, back.shared * found.slope * found.slope, (), back.profile)
        pieces = tuple([back.energy * gain for gain in found.gains])
    energy = sum([piece[0] * each for piece, each in zip(law.mixture, pieces, strict=True)])
    return Back(energy, back.shared * found.slope**2, pieces if law.pieces else (), back.profile)


@functools.lru_cache(1024)
def _moments(function: Function, kinks: tuple[float, ...], mixture: tuple[Piece, ...]) -> Moments:
    return moments(function, binned(mixture, _edges(function, mixture, kinks)))


def followed(function: Function, kinks: tuple[float, ...], law: Law, result: Law, back: Back, found: Back) -> Back:
    """The gradient ``found`` at an activation function's input, with the part that follows the value."""
    if not back.following or not back.energy or not found.energy:
        return found._replace(following=None)
    following, here = before_act(back.following, _moments(function, kinks, _rounded(law.mixture)))
    more = here - energy(back.following, result) * found.energy / back.energy
    more = max(more, -0.5 * found.energy)
    pieces = tuple([piece * (1 + more / found.energy) for piece in found.pieces])
    return Back(found.energy + more, found.shared, pieces, found.profile, following)


def largest(law: Law, count: float) -> Law:
    """The law of the largest of ``count`` elements at different positions of a channel."""
    if count <= 1:
        return law
    bins, chances = _ranked(law, count)
    pieces = [
        (chance, m, v) for chance, m, v in zip(chances, bins.means, bins.variances, strict=True) if chance > 1e-12
    ]
    mean = sum([w * m for w, m, _ in pieces])
    within = sum([w * (m * m + v) for w, m, v in pieces]) - mean * mean
    pieces = [(w, m, v + law.between) for w, m, v in pieces]
    fixed = law.fixed * within / law.within if law.within else 0.0
    return Law(law.channels, mean, within, law.between, tuple(pieces), (), fixed)


def before_largest(law: Law, count: float, back: Back, windows: float) -> Back:
    """The gradient with respect to the elements of which a window takes the largest of ``count``.

    ``windows`` are how many windows there are for each element.
    """
    if count <= 1:
        return back
    bins, chances = _ranked(law, count)
    energies = iter(back.pieces)
    arriving = [
        (next(energies) if back.pieces else back.energy) * chance / weight if chance > 1e-12 else 0.0
        for chance, weight in zip(chances, bins.weights, strict=True)
    ]
    pieces = tuple([windows * sum(map(mul, row, arriving)) for row in bins.chances])
    energy = sum([piece[0] * each for piece, each in zip(law.mixture, pieces, strict=True)])
    return Back(energy, back.shared * windows * windows, pieces if law.pieces else ())


@functools.lru_cache(1024)
def _ranked(law: Law, count: float) -> tuple[Bins, tuple[float, ...]]:
    """The elements of a channel in intervals, and for each interval the chance that the largest is in it."""
    mixture = tuple([(w, m, max(v - law.between, 0.0)) for w, m, v in law.mixture])
    mean, deviation = law.mean, math.sqrt(law.within)
    atoms = {m for _, m, v in mixture if not v}
    edges = {mean + deviation * each for each in RANKS} | atoms | {math.nextafter(m, math.inf) for m in atoms}
    bins = binned(mixture, sorted(edges))
    below, chances, reached = 0.0, [], 0.0
    for weight in bins.weights:
        below = min(below + weight, 1.0)
        chances.append(max(below**count - reached, 0.0))
        reached = below**count
    return bins, tuple(chances)
