"""How many ways lead through a chain of merges, and how long they are.

A walk is cut at every merge that all paths go through. The paths are then the product of those of the sections, and a
path's length is the sum of its lengths in them: counts multiply, means and variances add, and the distribution of sums
is a product of polynomials. A deep network has few different sections, so each is counted once.
"""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, TypeVar

from archspec import arguments
from archspec.analysis.numbers import exact

Steps = dict[int, tuple[tuple[int, int], ...]]
"""For each node, in order, the inputs through which paths come, and by how much each makes a path longer."""

Section = tuple[tuple[tuple[int, int], ...], ...]
"""The steps of a section, its nodes numbered from 0 and its beginning -1."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lengths:
    """The distribution of path lengths. ``counts[k]`` paths have the length ``k``; None where it was not asked for."""

    least: int
    most: int
    mean: float
    std: float
    counts: tuple[int, ...] | None = field(repr=False)

    def share(self, low: int, high: int) -> float:
        """The share of the paths whose length is from ``low`` to ``high``, both included.

        Raises:
            ValueError: the distribution was not computed.
        """
        low, high = arguments.whole(low, "low"), arguments.whole(high, "high")
        if self.counts is None:
            raise ValueError("the distribution was not computed: ask for `lengths`")
        return sum(self.counts[max(low, 0) : max(high + 1, 0)]) / sum(self.counts)

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON; ``counts`` begin at length 0, and are None where they were not computed."""
        counts = None if self.counts is None else [exact(count) for count in self.counts]
        return {"min": self.least, "max": self.most, "mean": self.mean, "std": self.std, "counts": counts}

    def middle(self, share: float = 0.98) -> tuple[int, int]:
        """The narrowest range, symmetric about the mean, in which at least ``share`` of the lengths lie.

        Raises:
            ValueError: the share is not from 0 to 1, or the distribution was not computed.
        """
        share = arguments.number(share, "share")
        if not 0 <= share <= 1:
            raise ValueError(f"`share` takes a number from 0 to 1, got {share}")
        reach = 0
        low, high = math.floor(self.mean), math.ceil(self.mean)
        while self.share(low - reach, high + reach) < share and (low - reach > self.least or high + reach < self.most):
            reach += 1
        return max(low - reach, self.least), min(high + reach, self.most)


def sections(steps: Steps, start: int) -> Counter[Section]:
    """The sections of a walk from ``start`` to its last node, and how often each occurs."""
    nodes = [start, *steps]
    place = {node: number for number, node in enumerate(nodes)}
    furthest = [0] * len(nodes)
    for node, ways in steps.items():
        for way, _ in ways:
            furthest[place[way]] = place[node]  # nodes are in order, so the last reader stays
    found: Counter[Section] = Counter()
    begin = reach = 0
    for number in range(len(nodes) - 1):
        reach = max(reach, furthest[number])
        if reach == number + 1:  # nothing leads past the next node
            inside = nodes[begin + 1 : number + 2]
            found[tuple([tuple([(place[way] - begin - 1, length) for way, length in steps[n]]) for n in inside])] += 1
            begin = number + 1
    return found


def count(found: Counter[Section]) -> int:
    """How many paths lead through all sections."""
    return math.prod(_walk(section, 1, lambda paths, _: paths, sum) ** times for section, times in found.items())


def measure_lengths(found: Counter[Section], distribution: bool) -> Lengths:
    """How long the paths through all sections are."""
    least = sum([times * _walk(section, 0, operator.add, min) for section, times in found.items()])
    most = sum([times * _walk(section, 0, operator.add, max) for section, times in found.items()])
    moments = [(times, *_walk(section, (1, 0, 0), _longer, _joined)) for section, times in found.items()]
    common = math.lcm(*[paths for _, paths, _, _ in moments])  # all is exact until the last division
    mean = sum([times * total * (common // paths) for times, paths, total, _ in moments])
    variance = sum(
        [times * (squares * paths - total**2) * (common // paths) ** 2 for times, paths, total, squares in moments]
    )
    counts = tuple(_distribution(found, most)) if distribution else None
    return Lengths(least, most, mean / common, math.sqrt(variance / common**2), counts)


def _walk(section: Section, start: T, longer: Callable[[T, int], T], join: Callable[[list[T]], T]) -> T:
    """A figure of the paths to the end of a section, from the figure ``start`` of the empty path at its beginning.

    ``longer`` gives the figure of longer paths, ``join`` the figure of the paths of several ways together.
    """
    values = {-1: start}
    found = start
    for number, ways in enumerate(section):
        several = [longer(values[way], length) if length else values[way] for way, length in ways]
        found = values[number] = several[0] if len(several) == 1 else join(several)
    return found


_Moments = tuple[int, int, int]
"""How many paths there are, and the sums of their lengths and of the squares of these."""


def _longer(moments: _Moments, length: int) -> _Moments:
    paths, total, squares = moments
    return paths, total + length * paths, squares + 2 * length * total + length * length * paths


def _joined(values: list[_Moments]) -> _Moments:
    paths, totals, squares = zip(*values, strict=True)
    return sum(paths), sum(totals), sum(squares)


# -- polynomials -------------------------------------------------------------------------------------------------------

_Polynomial = list[int]
"""How many paths there are of each length, from 0."""


def _distribution(found: Counter[Section], most: int) -> _Polynomial:
    """How many paths there are of each length: the product of the sections' polynomials.

    A path that gets longer is a product with x, and ways that come together are a sum.
    """
    factors = []
    for section, times in found.items():
        polynomial = _walk(section, [1], lambda value, length: [0] * length + value, _added)
        factors.append(_power(polynomial, times))
    return (product := _product(factors)) + [0] * (most + 1 - len(product))


def _added(values: list[_Polynomial]) -> _Polynomial:
    return [sum(column) for column in zip_longest(*values, fillvalue=0)]


def _power(polynomial: _Polynomial, times: int) -> _Polynomial:
    """A polynomial to the power of ``times``, coefficient by coefficient: Euler's recurrence (Knuth, The Art of
    Computer Programming, volume 2, section 4.7). Of two terms, as a residual block has, it is the binomial theorem.
    """
    first = _least(polynomial)
    constant = polynomial[first]
    terms = [(n, paths) for n, paths in enumerate(polynomial[first + 1 :], 1) if paths]
    found = [constant**times]
    for n in range(1, (len(polynomial) - 1 - first) * times + 1):
        total = sum([(i * (times + 1) - n) * paths * found[n - i] for i, paths in terms if i <= n])
        found.append(total // (n * constant))
    return [0] * (first * times) + found


def _product(factors: list[_Polynomial]) -> _Polynomial:
    """The product of polynomials, by that of integers: each coefficient has a slot of bytes that is wide enough
    for the sum of all (Kronecker substitution).
    """
    if len(factors) == 1:
        return factors[0]
    least = list(map(_least, factors))
    steps = [n - first for each, first in zip(factors, least, strict=True) for n, paths in enumerate(each) if paths]
    step = math.gcd(*steps) or 1
    slot = sum([sum(each).bit_length() for each in factors]) // 8 + 1
    packed = []
    for each, first in zip(factors, least, strict=True):
        kept = [paths.to_bytes(slot, "little") for paths in each[first::step]]
        packed.append(int.from_bytes(b"".join(kept), "little"))
    length = sum([(len(each) - 1 - first) // step for each, first in zip(factors, least, strict=True)])
    data = math.prod(sorted(packed)).to_bytes(slot * (length + 1), "little")
    offset = sum(least)
    found = [0] * (offset + length * step + 1)
    found[offset::step] = [int.from_bytes(data[i : i + slot], "little") for i in range(0, len(data), slot)]
    return found


def _least(polynomial: _Polynomial) -> int:
    """The length of the shortest path."""
    return next(length for length, paths in enumerate(polynomial) if paths)
