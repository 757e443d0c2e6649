"""The part of a gradient that follows the value that it belongs to: ``constant + slope * value``, element by element.

A layer's weights are known in one direction once its output is: that of its input. So the gradient that comes back
through it has a part along its input, and where nothing is normalized, this part is not lost: the product of value and
gradient is the same at every layer of a network that is homogeneous (Euler's theorem). It begins by chance, with one
over the number of channels of the energy. Behind a norm there is none, since a norm takes it away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from archspec.operations.functions import Function

if TYPE_CHECKING:
    from archspec.operations.mixtures import Bins
    from archspec.operations.signal import Back, Law, Signal


class Following(NamedTuple):
    """The part of a gradient that follows its value: one of both signs, of which the size is known."""

    constant: float
    slope: float

    def scaled(self, by: float) -> Following:
        """That of the gradient times ``by``."""
        return Following(by * self.constant, by * self.slope)


def by_chance(law: Law, energy: float, elements: int) -> Following:
    """That of noise: in as many dimensions as there are elements, one over their number of the energy."""
    return Following(0.0, math.sqrt(energy / (elements * law.power)) if law.power else 0.0)


def energy(following: Following, law: Law) -> float:
    """Its mean square."""
    constant, slope = following
    return constant * constant + 2 * constant * slope * law.mean + slope * slope * law.power


def joined_ways(law: Law, first: Following, other: Following) -> tuple[Following, float]:
    """What two ways bring together, and twice the mean product of both, which their energies lack."""
    (a, b), (c, d) = first, other
    product = a * c + (a * d + b * c) * law.mean + b * d * law.power
    return Following(a + c, b + d), 2 * product


def averaged_following(parts: Sequence[tuple[float, Following | None]]) -> Following | None:
    """That of channels together, each part with its share of them; None if it is not known of all."""
    known = [(share, each) for share, each in parts if each]
    if not known or len(known) < len(parts):
        return None
    return Following(sum([share * each[0] for share, each in known]), sum([share * each[1] for share, each in known]))


def before_layer(
    following: Following, law: Law, back: Back, positions: int, given: float, bias: float
) -> tuple[Following, float]:
    """That of the input of a layer, and the sum of squares by which the gradient there differs from noise.

    Args:
        following: that of its output.
        law: the layer's output.
        back: the gradient there.
        positions: at how many positions.
        given: the sum of the squares of the input's elements.
        bias: the variance of the layer's bias: of the output, it is the part that does not come from the input.
    """
    if not given or law.power <= bias:
        return Following(0.0, 0.0), 0.0
    constant, slope = following
    elements = law.channels * positions
    product = elements * (constant * law.mean + slope * law.power)
    together = back.shared + (back.energy - back.shared) / positions
    noise = elements * ((law.level - bias) * positions * together + law.within * back.energy)
    product *= math.sqrt(1 - bias / law.power)
    return Following(0.0, product / given), (product * product - noise) / given


def layered(found: Back, value: Signal, before: int, law: Law, back: Back, after: int, bias: float) -> Back:
    """What a layer gives back to all channels of its input ``value``, with the part that follows the value.

    Args:
        found: what it gives back without that part.
        value: its input, at ``before`` positions.
        before: how many positions the input has.
        law: its output, at ``after`` positions.
        back: the gradient there.
        after: how many positions the output has.
        bias: the variance of its bias, which is in the output's.
    """
    if not back.following:
        return found
    channels = sum([each.channels for each in value])
    power = sum([each.channels * each.power for each in value]) / channels
    following, more = before_layer(back.following, law, back, after, channels * before * power, bias)
    left = max(found.energy + more / (channels * before), 0.5 * found.energy)
    return found._replace(energy=left, following=following)


def before_sum(following: Following, others: float, sign: float) -> Following:
    """That of one branch of a sum; ``others`` is the mean of the other branches, and the branch has this sign."""
    constant, slope = following
    return Following(sign * (constant + slope * others), slope)


class Moments(NamedTuple):
    """Of an activation function: the lines that are nearest to its slope, and to its slope times its value.

    Each line has a constant and a slope. ``squares`` are the mean squares of the slope times 1 and itself, times the
    value, and times its square.
    """

    plain: tuple[float, float]
    valued: tuple[float, float]
    squares: tuple[float, float, float]


def moments(function: Function, bins: Bins) -> Moments:
    """Those of a mixture that is cut into intervals."""
    mean = power = slope = sloped = value = valued = 0.0
    none = one = two = 0.0
    for weight, middle, variance in zip(*bins[:3], strict=True):
        deviation = math.sqrt(variance)
        for x in (middle - deviation, middle + deviation):
            y, rate = function(x)
            half = weight / 2
            mean += half * x
            power += half * x * x
            slope += half * rate
            sloped += half * rate * x
            value += half * rate * y
            valued += half * rate * y * x
            none += half * rate * rate
            one += half * rate * rate * y
            two += half * rate * rate * y * y
    variance = power - mean * mean
    lines = []
    for level, product in ((slope, sloped), (value, valued)):
        rise = (product - level * mean) / variance if variance > 0 else 0.0
        lines.append((level - rise * mean, rise))
    return Moments(lines[0], lines[1], (none, one, two))


def before_act(following: Following, found: Moments) -> tuple[Following, float]:
    """That of an activation function's input, and the energy of the part there."""
    constant, slope = following
    (a, b), (c, d), (none, one, two) = found
    here = constant * constant * none + 2 * constant * slope * one + slope * slope * two
    return Following(constant * a + slope * c, constant * b + slope * d), here
