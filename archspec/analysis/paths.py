"""The paths through a network: how many there are, and how long (Veit et al. 2016).

Counted on the graph alone, by dynamic programming with exact integers; nothing is enumerated. A choice is given by

- an addition: each of its inputs is a way, wherever it stands;
- a concatenation one of whose inputs the others are made of (a dense layer: what came, beside what is new): likewise;
- any other concatenation sets branches side by side, all of which are taken: it is one way, its richest branch;
- a multiplication is one way; the edges of a gate are left out, unless they are asked for.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from archspec.analysis.network import SOURCE, Network


@dataclass(frozen=True, slots=True)
class Lengths:
    """The distribution of path lengths. ``counts[k]`` paths have the length ``k``; None where it was not asked for."""

    least: int
    most: int
    mean: float
    std: float
    counts: tuple[int, ...] | None

    def share(self, low: int, high: int) -> float:
        """The share of the paths whose length is from ``low`` to ``high``, both included.

        Raises:
            ValueError: the distribution was not computed.
        """
        if self.counts is None:
            raise ValueError("the distribution was not computed: ask for `lengths`")
        return sum(self.counts[max(low, 0) : high + 1]) / sum(self.counts)

    def middle(self, share: float = 0.98) -> tuple[int, int]:
        """The narrowest range, symmetric about the mean, through which at least ``share`` of the paths go."""
        reach = 0
        low, high = math.floor(self.mean), math.ceil(self.mean)
        while self.share(low - reach, high + reach) < share:
            reach += 1
        return max(low - reach, 0), high + reach


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths from the input to one output.

    ``residual_blocks`` are the choices: merges that give more than one way. ``skip_paths`` are the paths that these
    choices make; ``graph_paths`` all paths of the graph, through every branch of a concatenation. A length
    ``in_blocks`` counts the residual branches that a path takes, ``in_layers`` its convolutions and linear layers.
    """

    residual_blocks: int
    skip_paths: int
    graph_paths: int
    in_blocks: Lengths
    in_layers: Lengths
    gates_counted: bool

    @property
    def log2_skip_paths(self) -> float:
        """The number of skip paths as a power of two."""
        return math.log2(self.skip_paths)

    def surviving(self, deleted: int, length: int | None = None) -> float:
        """The share of the paths that are left when ``deleted`` of the residual branches are removed.

        Every block keeps its shortcut, and each choice of ``deleted`` blocks is equally likely. For the paths of one
        ``length`` in blocks it is C(n - deleted, length) / C(n, length), for n blocks in a row.

        Raises:
            ValueError: there are fewer blocks, or no such length.
        """
        blocks = self.residual_blocks
        if not 0 <= deleted <= blocks or not (length is None or 0 <= length <= blocks):
            raise ValueError(f"the network has {blocks} residual blocks")
        if length is None:
            return 2.0**-deleted
        return math.comb(blocks - deleted, length) / math.comb(blocks, length)


def count_paths(network: Network, output: int, *, lengths: bool = True, gates: bool = False) -> Paths:
    """The paths from the input to the node at position ``output``.

    Args:
        lengths: whether the exact distributions are computed, whose size is quadratic in the number of blocks.
        gates: whether the edges of gates count.
    """
    ways = find_ways(network, output, gates)
    paths = _count(ways, ways.taken)
    return Paths(
        residual_blocks=sum(len(ways.taken[position]) - 1 for position in ways.shortcut),
        skip_paths=paths,
        graph_paths=_count(ways, ways.all),
        in_blocks=_lengths(_block_steps(ways), paths, lengths),
        in_layers=_lengths(_layer_steps(network, ways), paths, lengths),
        gates_counted=gates,
    )


# -- which inputs are ways ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ways:
    """Through which inputs of each node paths come.

    ``walk`` are the positions of the nodes on a way to the output, in order. ``all`` has, for each, every input but
    those of gates, ``taken`` those that a skip path may take. ``shortcut`` has the merges that give a choice, and which
    of their ways is the shortcut: the one with the fewest layers, the first of several.
    """

    walk: list[int]
    all: dict[int, tuple[int, ...]]
    taken: dict[int, tuple[int, ...]]
    shortcut: dict[int, int]


def find_ways(network: Network, output: int, gates: bool = False) -> Ways:
    """The ways to the node at position ``output``."""
    inputs = (lambda position: network.sources[position]) if gates else network.ways
    walk = _on_the_way(inputs, output)
    found = Ways(walk, {position: inputs(position) for position in walk}, {}, {})
    least, most, richest = {SOURCE: 0}, {SOURCE: 0}, {SOURCE: 1}
    for position in walk:
        operation = network.nodes[position].operation
        ways = found.all[position]
        if len(ways) > 1:
            gated = bool(network.facts[position].gates)
            if operation.sums or gated or _has_identity(inputs, ways):
                found.shortcut[position] = min(range(len(ways)), key=lambda i: least[ways[i]])
            else:
                ways = (max(ways, key=lambda way: (richest[way], most[way])),)
        found.taken[position] = ways
        least[position] = min([least[way] for way in ways]) + operation.weighted
        most[position] = max([most[way] for way in ways]) + operation.weighted
        # How rich a branch is compares branches of one concatenation only; exact counts may be very long numbers.
        richest[position] = richest[ways[0]] if len(ways) == 1 else sum([richest[way] for way in ways])
    return found


_Inputs = Callable[[int], tuple[int, ...]]


def _on_the_way(inputs: _Inputs, output: int) -> list[int]:
    wanted = {output}
    for position in range(output, SOURCE, -1):
        if position in wanted:
            wanted.update(inputs(position))
    return sorted(wanted - {SOURCE})


def _has_identity(inputs: _Inputs, ways: tuple[int, ...]) -> bool:
    """Whether one of a concatenation's inputs is what the others are made of."""
    first = min(ways)
    return all(way == first or _comes_from(inputs, way, first) for way in ways)


def _comes_from(inputs: _Inputs, position: int, origin: int) -> bool:
    """Whether a way leads from ``origin`` to ``position``."""
    seen = {position}
    waiting = [position]
    while waiting:
        for source in inputs(waiting.pop()):
            if source == origin:
                return True
            if source > origin and source not in seen:
                seen.add(source)
                waiting.append(source)
    return False


# -- counting ----------------------------------------------------------------------------------------------------------

_Steps = dict[int, tuple[tuple[int, int], ...]]
"""For each node, the inputs through which a path comes, and by how much each makes it longer."""

T = TypeVar("T")


def _block_steps(ways: Ways) -> _Steps:
    """A path is longer by one for each choice in which it does not take the shortcut."""
    found: _Steps = {}
    for position, taken in ways.taken.items():
        skip = ways.shortcut.get(position, 0)
        found[position] = tuple([(way, int(i != skip)) for i, way in enumerate(taken)])
    return _merges(ways.walk, found)


def _layer_steps(network: Network, ways: Ways) -> _Steps:
    """A path is longer by one for each convolution and linear layer on it."""
    nodes = network.nodes
    taken = ways.taken.items()
    found = {at: tuple([(way, int(nodes[at].operation.weighted)) for way in inputs]) for at, inputs in taken}
    return _merges(ways.walk, found)


def _merges(walk: list[int], steps: _Steps) -> _Steps:
    """The steps from merge to merge, and to the end of the walk: chains of nodes with one way become one step."""
    reached: dict[int, tuple[int, int]] = {SOURCE: (SOURCE, 0)}
    found: _Steps = {}
    for position in walk:
        ways = [(reached[way][0], reached[way][1] + length) for way, length in steps[position]]
        if len(ways) == 1 and position != walk[-1]:
            reached[position] = ways[0]
        else:
            found[position] = tuple(ways)
            reached[position] = (position, 0)
    return found


def _count(ways: Ways, inputs: dict[int, tuple[int, ...]]) -> int:
    steps = _merges(ways.walk, {at: tuple([(way, 0) for way in inputs[at]]) for at in ways.walk})
    return _walk(steps, 1, lambda paths, _: paths, sum)


def _walk(steps: _Steps, start: T, longer: Callable[[T, int], T], join: Callable[[list[T]], T]) -> T:
    """What is known of the paths to the last node, where ``start`` is known of the empty path to the input.

    ``longer`` makes paths longer, ``join`` puts those of several ways together. A value is kept until its last use
    only: of very deep networks, it is large.
    """
    last = {way: position for position, ways in steps.items() for way, _ in ways}
    values: dict[int, T] = {SOURCE: start}
    found = start
    for position, ways in steps.items():
        several = [longer(values[way], length) if length else values[way] for way, length in ways]
        found = values[position] = several[0] if len(several) == 1 else join(several)
        for way, _ in ways:
            if last[way] == position:
                values.pop(way, None)
    return found


def _lengths(steps: _Steps, paths: int, distribution: bool) -> Lengths:
    """The distribution of the lengths of the paths, of which there are ``paths``."""
    least = _walk(steps, 0, operator.add, min)
    most = _walk(steps, 0, operator.add, max)
    count, total, squares = _walk(steps, (1, 0, 0), _longer_moments, _joined_moments)
    std = math.sqrt((count * squares - total * total) / (count * count))
    return Lengths(least, most, total / count, std, _distribution(steps, paths, most) if distribution else None)


_Moments = tuple[int, int, int]
"""How many paths there are, and the sums of their lengths and of the squares of these."""


def _longer_moments(moments: _Moments, length: int) -> _Moments:
    count, total, squares = moments
    return count, total + length * count, squares + 2 * length * total + length * length * count


def _joined_moments(values: list[_Moments]) -> _Moments:
    counts, totals, squares = zip(*values, strict=True)
    return sum(counts), sum(totals), sum(squares)


def _distribution(steps: _Steps, paths: int, most: int) -> tuple[int, ...]:
    """How many paths there are of each length.

    The counts by length are the coefficients of a polynomial, and a path that gets longer is a product with x. The
    polynomial is one integer, each coefficient in a slot of bytes that is wide enough for all paths (Kronecker
    substitution): sums and products are then sums and shifts of integers, which Python does fast.
    """
    slot = paths.bit_length() // 8 + 1
    packed = _walk(steps, 1, lambda value, length: value << (8 * slot * length), sum)
    data = packed.to_bytes(slot * (most + 1), "little")
    return tuple(int.from_bytes(data[i : i + slot], "little") for i in range(0, len(data), slot))
