"""A graph as the analyses walk it: by position, what each operation costs looked up once for each size of input."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from archspec.graph.graph import INPUT, Graph, Node
from archspec.graph.in_place import in_place
from archspec.operations.base import Operation, Shape
from archspec.operations.effects import Bytes, Everywhere, Layout, Reach

SOURCE = -1
"""The position of the network's input."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What one operation costs for one example, at one size of inputs. None: the operation has no rule for it.

    All are elements: ``elements`` those of the output, ``read`` those of its inputs, ``buffers`` those of the state
    dict that are not trained, ``counters`` those of them that are int64. ``folded``: torch works its inputs off one
    after the other.
    """

    elements: int
    read: int
    params: int
    buffers: int
    counters: int
    macs: int | None
    activations: int
    elementwise: int | None
    scratch: Bytes | None
    layout: Layout
    reads: Literal["", "first", "last"]
    folded: bool
    reach: tuple[Reach, ...] | Everywhere | None
    gates: frozenset[int]


@dataclass(frozen=True, slots=True)
class Network:
    """A graph, and for each of its nodes the positions of its inputs and its facts.

    ``outputs`` are positions by label; ``in_place`` has the nodes that write over an input, and which.
    """

    graph: Graph
    sources: tuple[tuple[int, ...], ...]
    facts: tuple[Facts, ...]
    outputs: dict[str, int]
    in_place: dict[str, int]

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self.graph.nodes

    def shapes(self, position: int) -> tuple[Shape, ...]:
        """The shapes of a node's inputs."""
        nodes, source = self.graph.nodes, self.graph.input
        return tuple([source if i == SOURCE else nodes[i].shape for i in self.sources[position]])

    def ways(self, position: int) -> tuple[int, ...]:
        """The positions of the inputs through which a path goes: all but those of gates."""
        gates, sources = self.facts[position].gates, self.sources[position]
        return tuple(s for i, s in enumerate(sources) if i not in gates) if gates else sources

    def without_rule(self, what: str) -> tuple[str, ...]:
        """The operations that have no rule for ``what``, by name."""
        pairs = zip(self.graph.nodes, self.facts, strict=True)
        return tuple(dict.fromkeys(n.operation.name for n, facts in pairs if getattr(facts, what) is None))


def read_network(graph: Graph) -> Network:
    """The network of a graph. Operations and shapes repeat, so each pair of them is asked only once."""
    index = {INPUT: SOURCE}
    sources: list[tuple[int, ...]] = []
    found: list[Facts] = []
    known: dict[tuple[int, tuple[Shape, ...]], Facts] = {}
    shapes = {SOURCE: graph.input}
    for position, node in enumerate(graph.nodes):
        inputs = tuple([index[name] for name in node.inputs])
        key = (id(node.operation), tuple([shapes[i] for i in inputs]))
        facts = known.get(key)
        if facts is None:
            facts = known[key] = _facts(node.operation, key[1], node.shape)
        sources.append(inputs)
        found.append(facts)
        index[node.name] = position
        shapes[position] = node.shape
    outputs = {label: index[name] for label, name in graph.outputs.items()}
    return Network(graph, tuple(sources), tuple(found), outputs, in_place(graph))


def _facts(operation: Operation, inputs: tuple[Shape, ...], output: Shape) -> Facts:
    buffers = operation.buffers(inputs).values()
    elements = math.prod(output)
    ruled = not operation.weighted or type(operation).macs is not Operation.macs
    return Facts(
        elements=elements,
        read=sum([math.prod(shape) for shape in inputs]),
        params=sum(math.prod(weight.shape) for weight in operation.weights(inputs).values()),
        buffers=sum(math.prod(buffer.shape) for buffer in buffers),
        counters=sum(math.prod(buffer.shape) for buffer in buffers if buffer.dtype == "int64"),
        macs=operation.macs(inputs, output) if ruled else None,
        activations=elements if operation.activation else 0,
        elementwise=operation.elementwise(inputs, output),
        scratch=operation.scratch(inputs, output),
        layout=operation.layout(inputs),
        reads=operation.reads(inputs),
        folded=len(inputs) > 2 and type(operation).torch is not Operation.torch and operation.torch(inputs).fold,
        reach=operation.reach(inputs, output),
        gates=operation.gates(inputs) if len(inputs) > 1 else frozenset(),
    )


def total(values: Iterable[int | None]) -> int | None:
    """A sum; None where a part of it is not known."""
    found = 0
    for value in values:
        if value is None:
            return None
        found += value
    return found
