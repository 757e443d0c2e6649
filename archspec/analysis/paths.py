"""The paths through a network: how many there are, and how long (Veit et al. 2016).

Paths are counted on the graph alone, by dynamic programming with exact integers. They are not enumerated. A skip path
leads from the input to the output, and takes one way through each merge on it. The ways through a merge are:

- an addition: each input, in a block or in a user's own code; ``add: [[], []]`` has two ways;
- a concatenation with an identity, an input from which all others are computed: each input. A dense layer is an
  example: its input passes by, and is also computed with;
- any other concatenation: one branch, because a value goes through all of them side by side. Examples are an Inception
  block and the halves of ShuffleNet. It is the branch with the most skip paths, then the most layers, then the first;
- a maximum or minimum: as a concatenation;
- a multiplication: the first input of full size. The others are gates, and are ways only if gates are counted;
- an upsampling to the size of another value: the first input. Nothing goes from the other one into the map.

One way of a merge is its shortcut: the identity; or else the way with the fewest layers since the network's input, such
as a projection; or else the first. Each other way is a residual branch. So n blocks in a row give 2^n paths, and so
does a dense block of n layers. A merge of three gives three paths. A block in the residual of another gives three too,
because a path that takes the outer shortcut has no choice inside.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any

from archspec import arguments
from archspec.analysis.indexed import IndexedGraph
from archspec.analysis.lengths import Lengths, Steps, find_cuts, leading_to, walks_to
from archspec.analysis.numbers import decimal, exact
from archspec.graph.storage import SOURCE
from archspec.wording import LONGEST_REPR, bounded


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths from the input to one output.

    ``residual_blocks`` counts the skip connections: n - 1 at a merge of n ways, and so 1 in a block with a shortcut.
    ``skip_paths`` counts the paths that these make. ``graph_paths`` counts all paths of the graph, through
    every branch of every concatenation. A length ``in_blocks`` is the number of residual branches that a skip path
    takes, ``in_layers`` the number of convolutions and linear layers that it crosses.
    """

    residual_blocks: int
    skip_paths: int
    graph_paths: int
    in_blocks: Lengths
    in_layers: Lengths
    gates_counted: bool

    def __repr__(self) -> str:
        # Python refuses to print integers of very many digits.
        found = map(exact, (self.skip_paths, self.graph_paths))
        skip, whole = (bounded(decimal(each) if isinstance(each, int) else each, 40) for each in found)
        counts = f"skip_paths={skip}, graph_paths={whole}"
        # The rest comes after the counts, and is cut first.
        lengths = f"in_blocks={self.in_blocks}, in_layers={self.in_layers}, gates_counted={self.gates_counted}"
        return bounded(f"Paths(residual_blocks={self.residual_blocks}, {counts}, {lengths})", LONGEST_REPR)

    @property
    def log2_skip_paths(self) -> float:
        """The number of skip paths as a power of two."""
        return math.log2(self.skip_paths)

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON. Counts are exact, or products of powers where they are very long."""
        power = self.log2_skip_paths
        return {
            "residual_blocks": self.residual_blocks,
            "skip_paths": exact(self.skip_paths),
            "log2_skip_paths": int(power) if power.is_integer() else power,
            "graph_paths": exact(self.graph_paths),
            "gates_counted": self.gates_counted,
            "length_in_blocks": self.in_blocks.as_data(),
            "length_in_layers": self.in_layers.as_data(),
        }

    def surviving(self, deleted: int, length: int | None = None) -> float:
        """The share of the paths that is left, on average, when ``deleted`` of the residual branches are removed.

        Each choice of branches is equally likely; shortcuts stay. A path of ``length`` in blocks survives if all of its
        own branches do: C(n - deleted, length) / C(n, length) for n branches. Without a ``length`` the result is the
        share of all paths, 2^-deleted for n blocks in a row.

        Raises:
            ValueError: there are fewer blocks, no such length, or the distribution is needed and was not computed.
        """
        blocks, deleted = self.residual_blocks, arguments.whole(deleted, "deleted")
        length = None if length is None else arguments.whole(length, "length")
        if not 0 <= deleted <= blocks or not (length is None or 0 <= length <= blocks):
            raise ValueError(f"the network has {blocks} skip connections")
        if length is not None:
            return math.comb(blocks - deleted, length) / math.comb(blocks, length)
        if self.skip_paths == 2**blocks:  # every merge doubles the paths, so that the lengths are binomial
            return 2.0**-deleted
        if self.in_blocks.counts is None:
            raise ValueError("the distribution was not computed: ask for `lengths`")
        whole = math.comb(blocks, deleted)
        left = sum(n * math.comb(blocks - length, deleted) for length, n in enumerate(self.in_blocks.counts))
        return left / (whole * self.skip_paths)


MANY_BLOCKS = 2000
"""With more residual blocks than this, distributions of path lengths are computed only on request."""


def count_paths(network: IndexedGraph, output: int, *, lengths: bool = True, gates: bool = False) -> Paths:
    """The paths from the input to the node at position ``output``.

    Args:
        lengths: whether to compute the exact distributions. Their size is quadratic in the number of blocks.
        gates: whether gates count as ways.
    """
    return count_paths_to(network, (output,), lengths=lengths, gates=gates)[output]


def count_paths_to(
    network: IndexedGraph, outputs: Iterable[int], *, lengths: bool | None = None, gates: bool = False
) -> dict[int, Paths]:
    """The paths from the input to each of the nodes at the positions ``outputs``.

    Args:
        lengths: as in :func:`count_paths`; by default up to :data:`MANY_BLOCKS` blocks on the ways to all outputs.
        gates: as in :func:`count_paths`.
    """
    inputs = _with_gates(network) if gates else network.ways
    merges = [position for position, read in enumerate(inputs) if len(read) > 1]
    choices = {i for i in merges if network.facts[i].gates or network.nodes[i].operation.sums}
    wiring = Wiring(inputs, [node.operation.weighted for node in network.nodes], choices)
    return paths_of(wiring, outputs, lengths=lengths, gates=gates)


@dataclass(frozen=True, slots=True)
class Wiring:
    """All that counting reads of a graph, by position: every node comes after those that it reads.

    ``inputs`` are the positions that a node reads, in order, without those of gates unless these are counted; the
    input of the network is :data:`SOURCE`. ``layers`` says which nodes are convolutions and linear layers, and
    ``choices`` which of those with several inputs have a choice whatever they read: additions, and products whose gates
    are counted.
    """

    inputs: Sequence[tuple[int, ...]]
    layers: Sequence[bool]
    choices: Set[int]


def _with_gates(network: IndexedGraph) -> list[tuple[int, ...]]:
    """The inputs of each node, without those of which only the size is read: no value goes from these into a map."""
    found = []
    for node, shapes, sources in zip(network.nodes, network.shapes, network.sources, strict=True):
        measured = node.operation.measured(shapes)
        found.append(tuple([source for i, source in enumerate(sources) if i not in measured]))
    return found


def paths_of(wiring: Wiring, outputs: Iterable[int], *, lengths: bool | None, gates: bool) -> dict[int, Paths]:
    """The paths from the input of the network to each of the nodes at the positions ``outputs``.

    Args:
        lengths, gates: as in :func:`count_paths_to`; whether there are gates among the inputs is for the result only.
    """
    ends = dict.fromkeys(outputs)
    ways = _find_ways(wiring, ends)
    by_blocks, by_layers = walks_to(_block_steps(ways), SOURCE, ends), walks_to(ways.taken, SOURCE, ends)
    every = by_layers if ways.all == ways.taken else walks_to(ways.all, SOURCE, ends)
    if lengths is None:
        lengths = sum([walk.choices for walk in by_layers.values()]) <= MANY_BLOCKS
    return {
        end: Paths(
            residual_blocks=by_layers[end].choices,
            skip_paths=by_blocks[end].paths,
            graph_paths=every[end].paths,
            in_blocks=by_blocks[end].lengths(lengths),
            in_layers=by_layers[end].lengths(lengths),
            gates_counted=gates,
        )
        for end in ends
    }


# -- which inputs are ways ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ways:
    """The steps from merge to merge, and to the outputs; nodes with one way are passed over.

    A step's length is in layers: the convolutions and linear layers on it, the node that it leads to included. ``all``
    has the merges from which a way leads to the output, each with its inputs but for those of gates; ``taken`` has
    those that a skip path may come to and take. ``shortcut`` says of each merge with a choice which of its steps is the
    shortcut.
    """

    all: Steps
    taken: Steps
    shortcut: dict[int, int]


def _find_ways(wiring: Wiring, ends: Collection[int]) -> _Ways:
    """The ways to the nodes at the positions ``ends``."""
    inputs = wiring.inputs
    every = _merges(wiring, ends)
    cuts = find_cuts(every, SOURCE)
    taken: dict[int, tuple[tuple[int, int], ...]] = {}
    shortcut: dict[int, int] = {}
    least, most, richest = {SOURCE: 0}, {SOURCE: 0}, {SOURCE: 1}
    for position, steps in every.items():
        if len(steps) > 1:
            ways = inputs[position]
            identity = _identity(inputs, ways)
            if not (position in wiring.choices or identity is not None):
                steps = (max(steps, key=lambda step: (richest[step[0]], most[step[0]] + step[1])),)
            elif identity is not None:
                shortcut[position] = ways.index(identity)
            else:
                shortcut[position] = min(range(len(steps)), key=lambda i: least[steps[i][0]] + steps[i][1])
        taken[position] = steps
        least[position] = min([least[start] + length for start, length in steps])
        most[position] = max([most[start] + length for start, length in steps])
        # How rich a branch is compares branches of one concatenation only; exact counts may be very long numbers.
        # All paths to a later node go through a cut, so they are counted from there.
        richest[position] = 1 if position in cuts else sum([richest[start] for start, _ in steps])
    return _Ways(leading_to(ends, every), leading_to(ends, taken), shortcut)


_Inputs = Sequence[tuple[int, ...]]


def _merges(wiring: Wiring, ends: Collection[int]) -> Steps:
    """The steps from merge to merge, and to the outputs: chains of nodes with one way become one step."""
    reached = [(SOURCE, 0)] * (len(wiring.inputs) + 1)
    found: dict[int, tuple[tuple[int, int], ...]] = {}
    for position, (ways, layer) in enumerate(zip(wiring.inputs[: max(ends) + 1], wiring.layers, strict=False)):
        length = int(layer)
        if len(ways) == 1 and position not in ends:
            start, before = came = reached[ways[0]]
            reached[position] = (start, before + length) if length else came
        else:
            found[position] = tuple([(start, before + length) for start, before in [reached[way] for way in ways]])
            reached[position] = (position, 0)
    return found


def _identity(inputs: _Inputs, ways: tuple[int, ...]) -> int | None:
    """The input of a merge from which the others are computed."""
    first = min(ways)
    return first if all(way == first or _comes_from(inputs, way, first) for way in ways) else None


def _comes_from(inputs: _Inputs, position: int, origin: int) -> bool:
    """Whether a way leads from ``origin`` to ``position``."""
    seen = {position}
    waiting = [position]
    while waiting:
        for source in inputs[waiting.pop()]:
            if source == origin:
                return True
            if source > origin and source not in seen:
                seen.add(source)
                waiting.append(source)
    return False


def _block_steps(ways: _Ways) -> Steps:
    """A path is longer by one for each choice in which it does not take the shortcut."""
    found: dict[int, tuple[tuple[int, int], ...]] = {}
    for position, steps in ways.taken.items():
        skip = ways.shortcut.get(position, 0)
        found[position] = tuple([(start, int(i != skip)) for i, (start, _) in enumerate(steps)])
    return found
