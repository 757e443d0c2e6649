"""Resampling: each position of the output is a weighted mean of positions of its input, channel by channel."""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import NamedTuple

from archspec.operations.effects import Everywhere, Reach
from archspec.operations.profiles import Profile
from archspec.operations.shapes import Shape
from archspec.operations.signal import Back, Gradient, Law, Signal, Usage
from archspec.operations.traits import KeepsFormat, Lean

Row = tuple[tuple[int, float], ...]
"""The positions along one axis that one position of the output reads, each with its weight; the weights sum to 1."""

Rows = tuple[Row, ...]
"""Those of every position of the output along one axis."""


class Gains(NamedTuple):
    """What weights make of the energy of independent numbers, along one axis or along all.

    ``out``: the mean of the summed squares of the weights that a position of the output reads. ``back``: the same of
    the weights with which a position of the input is read; ``level``: the mean square of their sum.
    """

    out: float
    back: float
    level: float


class Resampled(Lean, KeepsFormat):
    """Each position of the output is a weighted mean of positions of its input, channel by channel."""

    def rows(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Rows, ...]:
        """What each position reads, for every spatial axis."""
        raise NotImplementedError

    def spread(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[float, ...]:
        reach: tuple[Reach, ...] | Everywhere | None = self.reach(inputs, output)
        if reach is None or isinstance(reach, Everywhere):
            return ()
        return tuple([_spread(rows) for rows in self.rows(inputs, output)])

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        axes = usage.once(_axes, self)
        gain = math.prod([_gains(*axis).out for axis in axes])
        if all(_copies(rows) for rows, _ in axes):
            return tuple([law._replace(profile=_taken(law.profile, axes)) for law in values[0]])
        found = []
        for law in values[0]:
            level, mean = law.level * law.root**2, law.mean * law.root
            found.append(Law(law.channels, mean, (law.power - level) * gain, level - mean * mean))
        return tuple(found)

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        before, after = usage.positions
        gains = [_gains(*axis) for axis in usage.once(_axes, self)]
        own, level = math.prod([each.back for each in gains]), math.prod([each.level for each in gains])
        found = []
        for each in back:
            energy = own * each.energy + (level - own) * each.shared
            total = after * (each.energy + (after - 1) * each.shared)
            found.append(Back(energy, (total - before * energy) / (before * (before - 1)) if before > 1 else energy))
        return (tuple(found),)


def _axes(operation: Resampled, usage: Usage) -> list[tuple[Rows, int]]:
    """What is read along each axis, and how long the input is."""
    return list(zip(operation.rows(usage.inputs, usage.output), usage.inputs[0][1:], strict=True))


@functools.lru_cache(1024)
def _gains(rows: Rows, size: int) -> Gains:
    weights = [0.0] * size
    squares = 0.0
    for row in rows:
        for position, weight in row:
            weights[position] += weight
            squares += weight * weight
    return Gains(squares / len(rows), squares / size, sum([weight * weight for weight in weights]) / size)


@functools.lru_cache(1024)
def _spread(rows: Rows) -> float:
    """The mean variance of the places that a position reads."""
    total = 0.0
    for row in rows:
        mean = sum([weight * position for position, weight in row])
        total += sum([weight * (position - mean) ** 2 for position, weight in row])
    return max(total / len(rows), 0.0)


def _copies(rows: Rows) -> bool:
    return all(len(row) == 1 for row in rows)


def _taken(profile: Profile, axes: list[tuple[Rows, int]]) -> Profile:
    """The profile of a map whose positions are copies of positions of another."""
    found = []
    for axis, (rows, _) in zip(profile, axes, strict=False):
        energies = [axis[row[0][0]] for row in rows] if axis else []
        mean = sum(energies) / len(energies) if energies else 1.0
        found.append(tuple([energy / mean for energy in energies]) if mean else ())
    return tuple(found)


@functools.lru_cache(1024)
def nearest(size: int, count: int) -> Rows:
    """Nearest neighbors, as torch takes them: of positions as long as they are, the one in which a new one starts.

    >>> nearest(2, 4)
    (((0, 1.0),), ((0, 1.0),), ((1, 1.0),), ((1, 1.0),))
    """
    return tuple([((position * size // count, 1.0),) for position in range(count)])


@functools.lru_cache(1024)
def interpolated(size: int, count: int, *, cubic: bool, align_corners: bool) -> Rows:
    """Linear interpolation, or the cubic one of Keys 1981 with the parameter -0.75, as torch has it.

    >>> interpolated(2, 4, cubic=False, align_corners=False)[1]
    ((0, 0.75), (1, 0.25))
    """
    stride, shift = start(size, count, align_corners=align_corners)
    found = []
    for position in range(count):
        place = position * stride - shift
        if not cubic:
            place = max(place, Fraction(0))
        first = math.floor(place)
        apart = float(place - first)
        taps = ((-1, 1 + apart), (0, apart), (1, 1 - apart), (2, 2 - apart)) if cubic else ((0, apart), (1, 1 - apart))
        row: dict[int, float] = {}
        for step, distance in taps:
            at = min(max(first + step, 0), size - 1)
            row[at] = row.get(at, 0.0) + (_keys(distance) if cubic else 1 - distance)
        found.append(tuple([(at, weight) for at, weight in row.items() if weight]))
    return tuple(found)


def start(size: int, count: int, *, align_corners: bool) -> tuple[Fraction, Fraction]:
    """How far apart new positions are in the input, and how far before its first the first of them is.

    >>> start(4, 8, align_corners=False)
    (Fraction(1, 2), Fraction(1, 4))
    """
    if align_corners:
        return (Fraction(size - 1, count - 1) if count > 1 else Fraction(0)), Fraction(0)
    stride = Fraction(size, count)
    return stride, (1 - stride) / 2


def _keys(distance: float, a: float = -0.75) -> float:
    """The weight of a position at this distance, at most 2 (Keys 1981, equation 4)."""
    if distance <= 1:
        return ((a + 2) * distance - (a + 3)) * distance * distance + 1
    return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
