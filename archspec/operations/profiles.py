"""How the energy of a signal, or of a gradient, is spread over the positions of a map.

Zeros in the padding take energy away from the borders, layer by layer, so that a deep network has most of it in the
middle of its maps. A profile has, for each spatial axis, the energy at each position relative to the mean. The energy
at a position of a map counts as the product of those along its axes.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

Windows = tuple[tuple[int, ...], ...]
"""The kernel, the stride, the padding before an axis and the dilation, each along every spatial axis; and more.

The padding after an axis follows from the number of windows.
"""

Axis = tuple[float, ...]
"""The relative energy at each position along one axis; empty: the same everywhere."""

Profile = tuple[Axis, ...]
"""That along each axis; empty: the same everywhere."""

LONGEST = 64
"""Along an axis of more positions, the energy counts as the same everywhere: borders matter little there."""


CLOSE = 0.01
"""Profiles count as equal whose energies at the border differ by less."""


class Seen(NamedTuple):
    """What windows see of a profile: ``gain`` is the mean energy of a window's element, relative to that of the map.

    ``level`` is the mean square, over the taps of a window, of the mean root of the energy that a tap sees.
    """

    gain: float
    level: float
    profile: Profile


def seen(profile: Profile, size: tuple[int, ...], count: tuple[int, ...], windows: Windows) -> Seen:
    """What ``count`` windows see of a map of this size."""
    gain = level = 1.0
    axes, last = [], ()
    each = square = 1.0
    axis: Axis = ()
    for i, window in enumerate(zip(size, count, *windows[:4], strict=True)):
        if not i or window != last or (profile and profile[i] is not profile[0]):
            each, square, axis = _seen(profile[i] if profile else (), *window)
        last = window
        gain, level = gain * each, level * square
        axes.append(axis)
    return Seen(gain, level, tuple(axes) if any(axes) else ())


def reached(profile: Profile, size: tuple[int, ...], count: tuple[int, ...], windows: Windows) -> tuple[float, Profile]:
    """How the energy of ``count`` windows comes back to a map of this size.

    The first number is the mean, over the elements of the map, of the number of windows that see an element, each with
    its energy, divided by the size of a window.
    """
    gain = 1.0
    axes, last = [], ()
    each = 1.0
    axis: Axis = ()
    for i, window in enumerate(zip(size, count, *windows[:4], strict=True)):
        if not i or window != last or (profile and profile[i] is not profile[0]):
            each, axis = _reached(profile[i] if profile else (), *window)
        last = window
        gain *= each
        axes.append(axis)
    return gain, tuple(axes) if any(axes) else ()


def along(profile: Profile, size: tuple[int, ...], count: tuple[int, ...], windows: Windows) -> float:
    """The ``level`` of :class:`Seen` of a transposed convolution: ``count`` windows that reach a map of this size."""
    level = 1.0
    for i, window in enumerate(zip(size, count, *windows[:4], strict=True)):
        level *= _along(profile[i] if profile else (), *window)
    return level


def root(profile: Profile) -> float:
    """The mean, over positions, of the root of the energy."""
    if len(profile) == 2 and profile[0] is profile[1]:
        along = _root(profile[0])
        return along * along
    return math.prod([_root(axis) for axis in profile])


def blended(first: Profile, other: Profile, share: float) -> Profile:
    """A mean of two profiles, in which the first has this share."""
    if first is other or share >= 1:
        return first
    if share <= 0:
        return other
    if first and other:
        for a, b in zip(first, other, strict=True):
            if not a or not b or abs(a[0] - b[0]) >= CLOSE:
                break
        else:
            return first if share >= 0.5 else other
    first, other = first or ((),) * len(other), other or ((),) * len(first)
    if first.count(first[0]) == len(first) and other.count(other[0]) == len(other):  # the axes are alike
        return (_blended(first[0], other[0], share),) * len(first)
    return tuple([_blended(a, b, share) for a, b in zip(first, other, strict=True)])


def centered(profile: Profile, level: float, whole: float) -> Profile:
    """The profile of deviations from a mean: ``level`` is the share of that mean's square in the energy.

    ``whole`` is the root of the profile.

    The mean at a position grows with the root of the energy there, so that positions at the border deviate from it.
    """
    if not level or not any(profile):
        return profile
    whole *= whole
    if len(profile) == 2 and profile[0] is profile[1]:
        own = math.sqrt(math.sqrt(whole))
        return (_centered(profile[0], own, level * own * own),) * 2
    axes: list[Axis] = []
    for axis in profile:
        if axes and axis is profile[0]:
            axes.append(axes[0])
            continue
        own = _root(axis)
        others = whole / (own * own)
        axes.append(_centered(axis, own, level * others) if axis else ())
    return tuple(axes)


def _centered(axis: Axis, own: float, level: float) -> Axis:
    scale, sqrt = 1 / (1 - level * own * own), math.sqrt
    linear, constant = -2 * scale * level * own, scale * level * own * own
    return tuple([scale * each + linear * sqrt(each) + constant for each in axis])


@functools.lru_cache(4096)
def _root(axis: Axis) -> float:
    return sum(map(math.sqrt, axis)) / len(axis) if axis else 1.0


def _blended(first: Axis, other: Axis, share: float) -> Axis:
    if not first and not other:
        return ()
    first, other = first or (1.0,) * len(other), other or (1.0,) * len(first)
    rest = 1 - share
    return tuple([share * a + rest * b for a, b in zip(first, other, strict=True)])


@functools.lru_cache(4096)
def _seen(
    axis: Axis, size: int, count: int, kernel: int, stride: int, padding: int, dilation: int
) -> tuple[float, float, Axis]:
    if kernel == stride == 1 and not padding and count == size:
        return 1.0, _root(axis) ** 2, axis
    if size > LONGEST:
        return (*inside(size, count, kernel, stride, padding, dilation), ())
    behind = max(0, (count - 1) * stride + (kernel - 1) * dilation + 1 - padding - size)
    zeros = (0.0,) * padding
    padded = (*zeros, *(axis or (1.0,) * size), *(0.0,) * behind)
    taps = [padded[tap * dilation :: stride][:count] for tap in range(kernel)]
    found = list(map(sum, zip(*taps, strict=True)))
    total = sum(found)
    level = sum([(sum(map(math.sqrt, tap)) / count) ** 2 for tap in taps]) / kernel
    if not total:
        return 0.0, 0.0, ()
    scale = count / total
    return total / (count * kernel), level, tuple([each * scale for each in found])


@functools.lru_cache(4096)
def _reached(
    axis: Axis, size: int, count: int, kernel: int, stride: int, padding: int, dilation: int
) -> tuple[float, Axis]:
    if kernel == stride == 1 and not padding and count == size:
        return 1.0, axis
    if size > LONGEST:
        return inside(size, count, kernel, stride, padding, dilation)[0] * count / size, ()
    energies = axis or (1.0,) * count
    found = [0.0] * (padding + max(size, (count - 1) * stride + (kernel - 1) * dilation + 1))
    for tap in range(kernel):
        start = tap * dilation
        for place, energy in zip(range(start, start + count * stride, stride), energies, strict=True):
            found[place] += energy
    found = found[padding : padding + size]
    total = sum(found)
    if not total:
        return 0.0, ()
    scale = size / total
    return total / (size * kernel), tuple([each * scale for each in found])


@functools.lru_cache(4096)
def _along(axis: Axis, size: int, count: int, kernel: int, stride: int, padding: int, dilation: int) -> float:
    roots = list(map(math.sqrt, axis)) or [1.0] * count
    total = 0.0
    for tap in range(kernel):
        before = padding - tap * dilation  # the window at `p` reaches here the position p * stride - before
        first, last = max(0, -(-before // stride)), min(count - 1, (size - 1 + before) // stride)
        total += (sum(roots[first : last + 1]) / size) ** 2
    return total / kernel


@functools.lru_cache(4096)
def inside(size: int, count: int, kernel: int, stride: int, padding: int, dilation: int) -> tuple[float, float]:
    """Of windows along one axis, the mean share of a window that is inside, and the mean square of a tap's share.

    A tap's share is that of the windows in which this tap is not in the padding.

    >>> inside(4, 4, 3, 1, 1, 1) == (10 / 12, (1 + 2 * (3 / 4) ** 2) / 3)
    True
    """
    shares = []
    for tap in range(kernel):
        before = padding - tap * dilation  # the window at `p` reads here the position p * stride - before
        first = max(0, -(-before // stride))
        last = min(count - 1, (size - 1 + before) // stride)
        shares.append(max(0, last - first + 1) / count)
    return sum(shares) / kernel, sum([share * share for share in shares]) / kernel
