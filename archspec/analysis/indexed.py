"""A graph as the analyses walk it: by position, what each operation costs looked up once for each size of input."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from archspec.graph.graph import INPUT, Graph, Node
from archspec.operations.base import Operation, Shape
from archspec.operations.effects import HERE, Bytes, Everywhere, Layout, Reach, Saved

SOURCE = -1
"""The position of the network's input. A list with one place more than there are nodes has it last."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What one operation costs for one example, at one size of inputs. None: the operation has no rule for it.

    All are elements: ``elements`` those of the output, ``read`` those of its inputs, ``buffers`` those of the state
    dict that are not trained, ``counters`` those of them that are int64. ``weighted``: it is a layer in a paper's
    count. ``saved``: what is kept for the backward pass where its weights and inputs all need gradients. ``folded``:
    torch works its inputs off one after the other. ``views`` and ``views_trained``: its output is its input's storage,
    in eval and in training mode. ``local``: its reach is one position for one.
    """

    elements: int
    read: int
    params: int
    buffers: int
    counters: int
    macs: int | None
    activations: int
    elementwise: int | None
    weighted: bool
    scratch: Bytes | None
    saved: Saved | None
    layout: Layout
    reads: Literal["", "first", "last"]
    folded: bool
    views: bool
    views_trained: bool
    reach: tuple[Reach, ...] | Everywhere | None
    local: bool
    gates: frozenset[int]


class Kind(NamedTuple):
    """An operation at one size of inputs: its facts, and how many nodes are of this kind."""

    operation: Operation
    facts: Facts
    nodes: int


@dataclass(frozen=True, slots=True)
class IndexedGraph:
    """A graph, and by position what the analyses ask of each of its nodes.

    ``sources`` are the positions of a node's inputs and ``shapes`` their shapes; ``ways`` those of the inputs through
    which a path goes, all but gates. ``outputs`` are positions by label; ``kinds`` are in order of their first nodes.
    """

    graph: Graph
    sources: tuple[tuple[int, ...], ...]
    shapes: tuple[tuple[Shape, ...], ...]
    ways: tuple[tuple[int, ...], ...]
    facts: tuple[Facts, ...]
    outputs: dict[str, int]
    kinds: tuple[Kind, ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self.graph.nodes

    def without_rule(self, what: str) -> tuple[str, ...]:
        """The operations that have no rule for ``what``, by name."""
        silent = [kind.operation.name for kind in self.kinds if getattr(kind.facts, what) is None]
        return tuple(dict.fromkeys(silent))


def index_graph(graph: Graph) -> IndexedGraph:
    """The network of a graph. Operations and shapes repeat, so each pair of them is asked only once."""
    index = {INPUT: SOURCE}
    output = {INPUT: graph.input}
    sources: list[tuple[int, ...]] = []
    shapes: list[tuple[Shape, ...]] = []
    ways: list[tuple[int, ...]] = []
    found: list[Facts] = []
    known: dict[tuple[int, tuple[Shape, ...]], Facts] = {}
    kinds: dict[int, tuple[Operation, Facts]] = {}
    counts: dict[int, int] = {}
    for position, (name, operation, names, shape, _, _) in enumerate(graph.nodes):
        if len(names) == 1:
            inputs: tuple[int, ...] = (index[names[0]],)
            read: tuple[Shape, ...] = (output[names[0]],)
        else:
            inputs = tuple([index[each] for each in names])
            read = tuple([output[each] for each in names])
        key = (id(operation), read)
        facts = known.get(key)
        if facts is None:
            facts = known[key] = _facts(operation, read, shape)
            kinds.setdefault(id(facts), (operation, facts))  # equal operations share one object of facts
            counts.setdefault(id(facts), 0)
        counts[id(facts)] += 1
        sources.append(inputs)
        shapes.append(read)
        ways.append(_without(facts.gates, inputs) if facts.gates else inputs)
        found.append(facts)
        index[name] = position
        output[name] = shape
    outputs = {label: index[name] for label, name in graph.outputs.items()}
    every = tuple([Kind(operation, facts, counts[key]) for key, (operation, facts) in kinds.items()])
    return IndexedGraph(graph, tuple(sources), tuple(shapes), tuple(ways), tuple(found), outputs, every)


def _without(gates: frozenset[int], inputs: tuple[int, ...]) -> tuple[int, ...]:
    return tuple([source for i, source in enumerate(inputs) if i not in gates])


NO_GATES: frozenset[int] = frozenset()

MEMORY = 4096
"""How many facts a process remembers: variants of a network have most of their operations in common."""


@functools.lru_cache(MEMORY)
def _facts(operation: Operation, inputs: tuple[Shape, ...], output: Shape) -> Facts:
    buffers = [(math.prod(shape), dtype) for shape, _, dtype in operation.buffers(inputs).values()]
    params = sum([math.prod(weight.shape) for weight in operation.weights(inputs).values()])
    elements = math.prod(output)
    several = len(inputs) > 1
    reach = operation.reach(inputs, output)
    ruled = not operation.weighted or type(operation).macs is not Operation.macs
    return Facts(
        elements=elements,
        read=sum([math.prod(shape) for shape in inputs]) if several else math.prod(inputs[0]),
        params=params,
        buffers=sum([size for size, _ in buffers]),
        counters=sum([size for size, dtype in buffers if dtype == "int64"]),
        macs=operation.macs(inputs, output) if ruled else None,
        activations=elements if operation.activation else 0,
        elementwise=operation.elementwise(inputs, output),
        weighted=operation.weighted,
        scratch=operation.scratch(inputs, output),
        saved=operation.saved(inputs, params > 0, (True,) * len(inputs)),
        layout=operation.layout(inputs),
        reads=operation.reads(inputs),
        folded=len(inputs) > 2 and type(operation).torch is not Operation.torch and operation.torch(inputs).fold,
        views=operation.views_input(training=False),
        views_trained=operation.views_input(training=True),
        reach=reach,
        local=bool(reach) and reach == HERE * (len(output) - 1),
        gates=operation.gates(inputs) if several else NO_GATES,
    )


def total(values: Iterable[int | None]) -> int | None:
    """A sum; None where a part of it is not known."""
    found = 0
    for value in values:
        if value is None:
            return None
        found += value
    return found
