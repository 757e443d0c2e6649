"""A graph as the analyses walk it: by position, what each operation costs looked up once for each size of input."""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from typing import NamedTuple

from archspec.graph.graph import INPUT, Graph, Node
from archspec.graph.storage import SOURCE
from archspec.operations.base import Operation
from archspec.operations.effects import Alias
from archspec.operations.facts import Applied, Facts, applied
from archspec.operations.shapes import Shape
from archspec.passes.in_eval_mode import in_eval_mode
from archspec.wording import Brief, brief


class Kind(NamedTuple):
    """An operation at one size of inputs: its facts, and how many nodes are of this kind."""

    operation: Operation
    facts: Facts
    nodes: int

    def __repr__(self) -> str:
        return brief(self)


@dataclass(frozen=True, repr=False)
class IndexedGraph(Brief):
    """A graph, and by position what the analyses ask of each of its nodes.

    ``sources`` are the positions of a node's inputs and ``shapes`` their shapes; ``ways`` those of the inputs through
    which a path goes, all but gates. ``outputs`` are positions by label, the main one first;
    ``kinds`` are in order of their first nodes; ``idle`` names the nodes that run in training only.
    """

    graph: Graph
    sources: tuple[tuple[int, ...], ...]
    shapes: tuple[tuple[Shape, ...], ...]
    ways: tuple[tuple[int, ...], ...]
    facts: tuple[Facts, ...]
    outputs: dict[str, int]
    kinds: tuple[Kind, ...]
    idle: Set[str] = frozenset()

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self.graph.nodes

    @functools.cached_property
    def frozen(self) -> tuple[bool, ...]:
        """Of each node, whether it does not train."""
        return tuple([node.name in self.graph.frozen for node in self.nodes])

    def aliases(self, *, training: bool) -> list[Alias]:
        """How the output of each node shares the storage of its first input."""
        return [
            facts.alias_trained if training and not frozen else facts.alias
            for facts, frozen in zip(self.facts, self.frozen, strict=True)
        ]

    def inside(self, scope: str) -> list[int]:
        """The positions of the nodes in a scope, such as ``layer1``, in the order of their names."""
        names, positions = self._sorted
        return positions[bisect_left(names, f"{scope}.") : bisect_left(names, f"{scope}/")]  # `/` comes after `.`

    @functools.cached_property
    def _sorted(self) -> tuple[list[str], list[int]]:
        """The names of the nodes in alphabetic order, and their positions."""
        positions = sorted(range(len(self.nodes)), key=lambda position: self.nodes[position].name)
        return [self.nodes[position].name for position in positions], positions

    def without_rule(self, what: str) -> tuple[str, ...]:
        """The operations that have no rule for ``what``, as a sentence calls them."""
        silent = [kind.operation.called for kind in self.kinds if getattr(kind.facts, what) is None]
        return tuple(dict.fromkeys(silent))


def index_graph(graph: Graph) -> IndexedGraph:
    """The network of a graph."""
    made: dict[str, tuple[tuple[int], tuple[Shape]]] = {INPUT: ((SOURCE,), (graph.input,))}
    sources: list[tuple[int, ...]] = []
    shapes: list[tuple[Shape, ...]] = []
    inputs: tuple[int, ...]
    read: tuple[Shape, ...]
    for position, (name, _, names, shape, _) in enumerate(graph.nodes):
        if len(names) == 1:
            inputs, read = made[names[0]]
        else:
            inputs = tuple([made[source][0][0] for source in names])
            read = tuple([made[source][1][0] for source in names])
        sources.append(inputs)
        shapes.append(read)
        made[name] = (position,), (shape,)
    met: dict[tuple[int, tuple[Shape, ...]], Applied] = {}  # by identity: equal operations are mostly one object
    pairs = []
    for (name, operation, *_), read in zip(graph.nodes, shapes, strict=True):
        found = met.get((id(operation), read))
        if found is None:
            found = met[id(operation), read] = applied(operation, read)
        pairs.append((found, name in graph.borrowing))
    known = {pair: _facts(*pair) for pair in set(pairs)}
    facts = tuple([known[pair] for pair in pairs])
    kinds = tuple([Kind(pair[0].operation, known[pair], count) for pair, count in Counter(pairs).items()])
    idle = graph.by_name.keys() - in_eval_mode(graph).by_name.keys() if graph.training else frozenset[str]()
    if idle:
        facts = tuple([_idle(each) if n.name in idle else each for n, each in zip(graph.nodes, facts, strict=True)])
        counted = zip([node.operation for node in graph.nodes], facts, strict=True)
        kinds = tuple([Kind(operation, each, 1) for operation, each in counted])
    ways = sources
    if any(kind.facts.gates for kind in kinds):
        ways = [_without(each.gates, inputs) for each, inputs in zip(facts, sources, strict=True)]
    order = sorted(graph.outputs, key=lambda label: label in graph.training)  # the first is the main one
    outputs = {label: made[graph.outputs[label]][0][0] for label in order}
    return IndexedGraph(graph, tuple(sources), tuple(shapes), tuple(ways), facts, outputs, kinds, idle)


def _facts(found: Applied, borrowing: bool) -> Facts:
    """What an operation costs; its weights and buffers, if it has an earlier node's, cost nothing more."""
    return replace(found.facts, params=0, buffers=0, counters=0) if borrowing else found.facts


def _without(gates: frozenset[int], inputs: tuple[int, ...]) -> tuple[int, ...]:
    return tuple([source for i, source in enumerate(inputs) if i not in gates]) if gates else inputs


def total(values: Iterable[int | None]) -> int | None:
    """A sum; None where a part of it is not known."""
    found = 0
    for value in values:
        if value is None:
            return None
        found += value
    return found


def _idle(facts: Facts) -> Facts:
    """An operation that runs in training only: inference does not compute it."""
    return replace(facts, macs=0, activations=0, elementwise=0, weighted=False)
