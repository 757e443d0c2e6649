"""What activations that read several channels do to a signal: softmax and the gated linear unit."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

from archspec.operations.functions import FUNCTIONS
from archspec.operations.mixtures import CHANNELS, before, behind, met
from archspec.operations.signal import (
    Back,
    Gradient,
    Law,
    Signal,
    aligned,
    cut,
    joined,
    mixed,
    regrouped,
)

_SIGMOID = FUNCTIONS["sigmoid"]
_STEP = 0.5
_POINTS = tuple([_STEP * place for place in range(-9, 10)])
"""Where a Gaussian is read, in its deviations."""
_WEIGHTS = tuple([math.exp(-0.5 * point * point) * _STEP / math.sqrt(2 * math.pi) for point in _POINTS])


class _Chosen(NamedTuple):
    """Of the elements ``p`` of a softmax: the means of ``p`` and its square, and the variance of the means of channels.

    ``kept`` is the share of the energy of independent gradients that comes back to the input.
    """

    mean: float
    power: float
    between: float
    kept: float


def softmax(signal: Signal, count: int) -> Signal:
    """The law of a softmax of ``count`` elements that are alike and independent."""
    if count == 1:
        return (Law(sum([law.channels for law in signal]), 1.0, 0.0),)
    whole = mixed(signal)
    found = []
    for law in signal:
        mean, power, between, _ = _chosen(law, whole, count)
        found.append(Law(law.channels, mean, max(power - mean * mean - between, 0.0), between))
    return joined(found)


def before_softmax(signal: Signal, count: int, result: Signal, back: Gradient) -> Gradient:
    """The gradient with respect to the input of a softmax of ``count`` elements."""
    if count == 1:
        return (Back(0.0, 0.0),) * len(signal)
    whole = mixed(signal)
    found = []
    for law, each in zip(signal, regrouped(result, back, signal), strict=True):
        mean, power, _, kept = _chosen(law, whole, count)
        slope = mean - power
        found.append(Back(each.energy * kept, each.shared * slope * slope * count / (count - 1), (), each.profile))
    return tuple(found)


@functools.lru_cache(256)
def _chosen(law: Law, whole: Law, count: int) -> _Chosen:
    """The moments of a softmax, of an element of ``law`` and others of the law ``whole``.

    ``1 / s**k`` is the integral of ``t**(k - 1) * exp(-t * s) / (k - 1)!`` over ``t``, so a moment of independent
    elements is one integral of products of means over single elements. This goes over the logarithm of ``t``.
    """
    deviation = math.sqrt(whole.variance + law.variance + (law.mean - whole.mean) ** 2)
    first, last = -whole.mean - 5 * deviation - math.log(count) - 5, -whole.mean + 5 * deviation + 4
    step = max(0.4, (last - first) / 300)
    mean = square = cube = fourth = both = level = 0.0
    for place in range(int((last - first) / step) + 1):
        log = first + place * step
        others = _damped(whole.mean, whole.variance, log)
        if not others[0]:
            continue
        own = others if law is whole else _damped(law.mean, law.variance, log)
        rest = step * math.exp((count - 1) * math.log(min(others[0], 1.0)))
        mean += rest * own[1]
        square += rest * own[2]
        cube += rest * own[3] / 2
        fourth += rest * own[4] / 6
        both += rest * own[2] * others[2] / others[0] / 6
    if law.between > 1e-9 * law.within:
        level = _between(law, whole, count, first, last, step) * count / (count - 1)
    kept = max(square - 2 * cube + fourth + (count - 1) * both, 0.0)
    return _Chosen(mean, max(square, mean * mean), min(level, max(square - mean * mean, 0.0)), kept)


def _between(law: Law, whole: Law, count: int, first: float, last: float, step: float) -> float:
    """The variance of the mean of an element over the means of its channel."""
    deviation = math.sqrt(law.between)
    mean = power = 0.0
    for point, weight in CHANNELS:
        found = 0.0
        for place in range(int((last - first) / step) + 1):
            log = first + place * step
            damped = _damped(whole.mean, whole.variance, log)[0]
            if damped:
                rest = step * math.exp((count - 1) * math.log(min(damped, 1.0)))
                found += rest * _damped(law.mean + point * deviation, law.within, log)[1]
        mean += weight * found
        power += weight * found * found
    return max(power - mean * mean, 0.0)


@functools.lru_cache(4096)
def _damped(mean: float, variance: float, log: float) -> tuple[float, float, float, float, float]:
    """For k from 0 to 4, the mean of ``y**k * exp(-y)``, where ``y`` is the exponential of a Gaussian plus ``log``."""
    deviation = math.sqrt(variance)
    zeroth = first = second = third = fourth = 0.0
    for point, weight in zip(_POINTS, _WEIGHTS, strict=True):
        at = mean + deviation * point + log
        if at > 6:
            break  # all that follow are damped to nothing
        y = math.exp(at)
        damped = weight * math.exp(-y)
        zeroth += damped
        first += damped * y
        second += damped * y * y
        third += damped * y * y * y
        fourth += damped * y * y * y * y
    return zeroth, first, second, third, fourth


# -- the gated linear unit ---------------------------------------------------------------------------------------------


def gated(signal: Signal) -> Signal:
    """The first half of the channels, each element times the sigmoid of one of the second half."""
    values, gates = _halves(signal)
    return joined([_product(*laws) for laws in aligned((values, _sigmoids(gates)))])


def before_gated(signal: Signal, result: Signal, back: Gradient) -> Gradient:
    """The gradient with respect to the input of a gated linear unit."""
    values, gates = _halves(signal)
    opened = _sigmoids(gates)
    ranges = aligned((values, opened))
    arrived = regrouped(result, back, tuple([_product(*laws) for laws in ranges]))
    pairs = list(zip(ranges, arrived, strict=True))
    at_values = tuple([_factor(gate, each, value) for (value, gate), each in pairs])
    at_gates = tuple([_factor(value, each, None) for (value, _), each in pairs])
    first = regrouped(tuple([value for value, _ in ranges]), at_values, values)
    second = regrouped(tuple([gate for _, gate in ranges]), at_gates, opened)
    found = tuple([before(met(*_SIGMOID, law), law, each) for law, each in zip(gates, second, strict=True)])
    return regrouped((*values, *gates), (*first, *found), signal)


def _halves(signal: Signal) -> tuple[Signal, Signal]:
    channels = sum([law.channels for law in signal])
    return cut(signal, 0, channels // 2), cut(signal, channels // 2, channels)


def _sigmoids(signal: Signal) -> Signal:
    return tuple([behind(*_SIGMOID, law, met(*_SIGMOID, law)) for law in signal])


def _product(value: Law, gate: Law) -> Law:
    """The law of a product of independent values; its pieces are those of the first."""
    mean, power, level = value.mean * gate.mean, value.power * gate.power, value.level * gate.level
    square = gate.power - gate.mean * gate.mean
    pieces = tuple([(w, m * gate.mean, v * gate.power + m * m * square) for w, m, v in value.pieces])
    return Law(value.channels, mean, power - level, max(level - mean * mean, 0.0), pieces, value.profile)


def _factor(other: Law, back: Back, known: Law | None) -> Back:
    """The gradient with respect to a factor of a product, given the other; ``known`` has the product's pieces."""
    pieces = tuple([other.power * piece for piece in back.pieces]) if known and known.pieces else ()
    return Back(back.energy * other.power, back.shared * other.level, pieces, back.profile)
