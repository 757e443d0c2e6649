"""How many ways lead through a chain of merges, and how long they are.

A walk is cut at every merge that all paths go through. The paths are then the product of those of the sections, and a
path's length is the sum of its lengths in them: counts multiply, means and variances add, and the distribution of sums
is a product of polynomials. A deep network has few different sections, so each is counted once.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from archspec import arguments
from archspec.analysis.numbers import exact
from archspec.analysis.polynomials import Polynomial, power, product
from archspec.wording import Brief

Steps = Mapping[int, tuple[tuple[int, int], ...]]
"""For each node, in order, the inputs through which paths come, and by how much each makes a path longer."""

Section = tuple[tuple[tuple[int, int], ...], ...]
"""The steps of a section, its nodes numbered from 0 and its beginning -1."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class Lengths(Brief):
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
        self.share(low, high)  # for the fault of a distribution that was not computed
        counts = self.counts or ()
        every, inside = sum(counts), sum(counts[max(low, 0) : high + 1])
        while inside / every < share and (low - reach > self.least or high + reach < self.most):
            reach += 1
            inside += sum([counts[end] for end in (low - reach, high + reach) if 0 <= end < len(counts)])
        return max(low - reach, self.least), min(high + reach, self.most)


class _Figures(NamedTuple):
    """The paths through one section: choices, lengths, and the sums of the lengths and of their squares."""

    choices: int
    least: int
    most: int
    paths: int
    total: int
    squares: int


@dataclass(slots=True)
class Walk:
    """The paths through sections in a row. All is exact: means are sums over ``common``, variances over its square."""

    sections: Counter[Section] = field(default_factory=Counter)
    paths: int = 1
    choices: int = 0
    least: int = 0
    most: int = 0
    common: int = 1
    total: int = 0
    variance: int = 0

    def copy(self) -> Walk:
        return replace(self, sections=Counter(self.sections))

    def add(self, section: Section, times: int, figures: _Figures) -> None:
        """Go through one more section, or through as many equal ones."""
        self.sections[section] += times
        self.paths *= figures.paths**times
        self.choices += times * figures.choices
        self.least += times * figures.least
        self.most += times * figures.most
        common = math.lcm(self.common, figures.paths)
        before, here = common // self.common, common // figures.paths
        spread = figures.squares * figures.paths - figures.total**2
        self.total = self.total * before + times * figures.total * here
        self.variance = self.variance * before**2 + times * spread * here**2
        self.common = common

    def lengths(self, distribution: bool) -> Lengths:
        """How long the paths are."""
        counts = tuple(_distribution(self.sections, self.most)) if distribution else None
        deviation = math.sqrt(self.variance / self.common**2)
        return Lengths(self.least, self.most, self.total / self.common, deviation, counts)


def walks_to(steps: Steps, start: int, ends: Iterable[int]) -> dict[int, Walk]:
    """The paths from ``start`` to each of some nodes. What is before a cut is walked once for all ends behind it."""
    wanted = set(ends)
    steps = leading_to(wanted, steps)
    found = {start: Walk()} if start in wanted else {}  # a network without nodes returns its input
    known: dict[Section, _Figures] = {}
    whole, since = Walk(), Counter[Section]()
    begin, inside = start, list[int]()
    cuts = find_cuts(steps, start)
    for node in steps:
        inside.append(node)
        if node not in cuts:
            continue
        aside = [each for each in inside[:-1] if each in wanted]
        if aside or node in wanted:
            _go(whole, since, known)
            since.clear()
        for end in aside:
            found[end] = whole.copy()
            _go(found[end], walks_to(_between(begin, end, steps), begin, (end,))[end].sections, known)
        section = _section(sorted(_between(begin, node, steps)) if aside else inside, begin, steps)
        since[section] += 1
        if node in wanted:
            _go(whole, since, known)
            since.clear()
            found[node] = whole.copy()
        begin, inside = node, []
    return found


def _go(walk: Walk, sections: Mapping[Section, int], known: dict[Section, _Figures]) -> None:
    for section, times in sections.items():
        if section not in known:
            known[section] = _figures(section)
        walk.add(section, times, known[section])


def find_cuts(steps: Steps, start: int) -> set[int]:
    """The nodes that all paths to a later node go through."""
    nodes = [start, *steps]
    place = {node: number for number, node in enumerate(nodes)}
    furthest = [0] * len(nodes)
    for node, ways in steps.items():
        for way, _ in ways:
            furthest[place[way]] = place[node]  # nodes are in order, so the last reader stays
    reach = itertools.accumulate(furthest[:-1], max)
    return {nodes[number] for number, last in enumerate(reach, 1) if last == number}  # nothing leads past the node


def leading_to(ends: Iterable[int], steps: Steps) -> Steps:
    """The steps from which a way leads to one of ``ends``, in order."""
    wanted = set(ends)
    for position in reversed(list(steps)):
        if position in wanted:
            wanted.update([start for start, _ in steps[position]])
    return {position: found for position, found in steps.items() if position in wanted}


def _between(begin: int, end: int, steps: Steps) -> Steps:
    """The steps of the ways from the cut ``begin`` to ``end``, in order."""
    seen, waiting = {end}, [end]
    while waiting:
        for way, _ in steps[waiting.pop()]:
            if way != begin and way not in seen:
                seen.add(way)
                waiting.append(way)
    return {node: steps[node] for node in sorted(seen)}


def _section(inside: Sequence[int], begin: int, steps: Steps) -> Section:
    place = {node: number for number, node in enumerate((begin, *inside), -1)}
    return tuple([tuple([(place[way], length) for way, length in steps[node]]) for node in inside])


def _figures(section: Section) -> _Figures:
    choices = sum([len(ways) - 1 for ways in section])
    least, most = _walk(section, 0, operator.add, min), _walk(section, 0, operator.add, max)
    return _Figures(choices, least, most, *_walk(section, (1, 0, 0), _longer, _joined))


def _walk(section: Section, start: T, longer: Callable[[T, int], T], join: Callable[[list[T]], T]) -> T:
    """A figure of the paths to the end of a section, from the figure ``start`` of the empty path at its beginning.

    ``longer`` gives the figure of longer paths, ``join`` the figure of the paths of several ways together. A figure
    may be large, so it is kept until its last reader only.
    """
    last = {way: number for number, ways in enumerate(section) for way, _ in ways}
    values = {-1: start}
    found = start
    for number, ways in enumerate(section):
        several = [longer(values[way], length) if length else values[way] for way, length in ways]
        found = values[number] = several[0] if len(several) == 1 else join(several)
        for read in {way for way, _ in ways}:
            if last[read] == number:
                del values[read]
    return found


_Moments = tuple[int, int, int]
"""How many paths there are, and the sums of their lengths and of the squares of these."""


def _longer(moments: _Moments, length: int) -> _Moments:
    paths, total, squares = moments
    return paths, total + length * paths, squares + 2 * length * total + length * length * paths


def _joined(values: list[_Moments]) -> _Moments:
    paths, totals, squares = zip(*values, strict=True)
    return sum(paths), sum(totals), sum(squares)


def _distribution(found: Counter[Section], most: int) -> Polynomial:
    """How many paths there are of each length: the product of the sections' polynomials."""
    factors = [power(_polynomial(section), times) for section, times in found.items()]
    return (whole := product(factors)) + [0] * (most + 1 - len(whole))


def _polynomial(section: Section) -> Polynomial:
    """How many paths there are through a section, of each length.

    A path that gets longer is a product with x, and ways that come together are a sum. The polynomials are integers
    whose coefficients each have a slot of bytes that is wide enough for all paths.
    """
    _, _, most, paths, _, _ = _figures(section)
    slot = paths.bit_length() // 8 + 1
    packed = _walk(section, 1, lambda value, length: value << (8 * slot * length), sum)
    data = packed.to_bytes(slot * (most + 1), "little")
    return [int.from_bytes(data[i : i + slot], "little") for i in range(0, len(data), slot)]
