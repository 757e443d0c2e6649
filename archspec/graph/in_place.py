"""Which nodes may write their result over an input, as ``relu(inplace=True)`` and ``x.add_(y)`` do."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from archspec.graph.storage import SOURCE, channels_last, storages
from archspec.operations.base import Operation
from archspec.operations.effects import Alias

if TYPE_CHECKING:
    from archspec.graph.graph import Graph

MIXED = -2
"""The place of a storage whose values cross the boundary of a stage or a block."""


def writable(graph: Graph) -> dict[str, int]:
    """For each node that may write over an input, the input's position. :attr:`Graph.in_place` computes it once.

    This must not change any result. So the input cannot be a view, because autograd would round its gradients in
    another way. No value in the input's storage may be read later, returned by the model, or given to the model. None
    may be saved for the backward pass, by the node that made it or by one that reads it. All nodes that make or read
    such a value must be in the same block, so that a hook on a block or a stage sees what went in and came out. Of a
    merge, only the first two branches may be written over, because sums of more would be rounded in another order; of a
    subtraction only the first.
    """
    nodes = graph.nodes
    if not any(node.operation.may_write_in_place() for node in nodes):
        return {}
    sources = _sources(graph)
    places = _places(graph)
    aliases, trained = _aliases(graph, training=False), _aliases(graph, training=True)
    modes = [_Storages(graph, sources, places, aliases)]
    if trained != aliases:
        modes.append(_Storages(graph, sources, places, trained))
    order = _Layouts(graph, sources)
    found: dict[str, int] = {}
    for position, node in enumerate(nodes):
        if not node.operation.may_write_in_place():
            continue
        # In a mode in which it returns its input, as a dropout does in eval mode, it writes nothing.
        writes = [mode for mode in modes if not mode.aliases[position]]
        for which in (1, 0) if len(node.inputs) > 1 and not node.operation.ordered else (0,):
            free = bool(writes) and all(mode.is_free(position, sources[position][which], found) for mode in writes)
            if free and graph.shape(node.inputs[which]) == node.shape and (not which or order.same(position)):
                found[node.name] = which
                break
    return found


def _sources(graph: Graph) -> list[tuple[int, ...]]:
    """The positions of each node's inputs."""
    positions = {node.name: position for position, node in enumerate(graph.nodes)}
    return [tuple([positions.get(name, SOURCE) for name in node.inputs]) for node in graph.nodes]


def _places(graph: Graph) -> list[int]:
    """For each node, the number of the innermost stage or block that it is in."""
    places = [SOURCE] * len(graph.nodes)
    for number, region in enumerate(graph.regions):  # a stage comes before its blocks
        places[region.first : region.last] = [number] * (region.last - region.first)
    return places


def _aliases(graph: Graph, *, training: bool) -> list[Alias]:
    """How each node's output shares the storage of its first input."""
    return [
        ""
        if type(operation).alias is Operation.alias
        else operation.alias(graph.input_shapes(node), training=training and node.name not in graph.frozen)
        for node in graph.nodes
        for operation in (node.operation,)
    ]


class _Storages:
    """Who makes, reads and saves the values of each storage, in training or in eval mode."""

    def __init__(self, graph: Graph, sources: list[tuple[int, ...]], places: list[int], aliases: list[Alias]) -> None:
        self.graph, self.sources, self.aliases = graph, sources, aliases
        self.roots = storages(sources, aliases)
        self.viewed = [False] * len(self.roots)
        self.readers: list[list[int]] = [[] for _ in self.roots]
        """The positions of those who read a value of each storage, in order; the model's outputs are read last."""
        self.places = [*places, MIXED]
        for position, (read, alias) in enumerate(zip(sources, aliases, strict=True)):
            self.viewed[position] = alias == "view" or (alias == "itself" and self.viewed[read[0]])
            for source in read:
                root = self.roots[source]
                self.readers[root].append(position)
                if self.places[root] != places[position]:
                    self.places[root] = MIXED
        position_of = {node.name: position for position, node in enumerate(graph.nodes)}
        for name in graph.outputs.values():
            self.readers[self.roots[position_of.get(name, SOURCE)]].append(len(sources))

    def is_free(self, position: int, value: int, found: Mapping[str, int]) -> bool:
        """Whether the node at ``position`` may write over ``value``; ``found`` has the nodes before it that do so."""
        root = self.roots[value]
        before = self.readers[root][:-1]
        if position in before or self.places[root] == MIXED or self.viewed[value]:
            return False
        made_by = self.graph.nodes[root]
        saves = made_by.operation.saves_output_in_place if made_by.name in found else made_by.operation.saves_output
        view = made_by.operation.gives_view(self.graph.input_shapes(made_by))
        return not saves and not view and not any(self._saves(reader, root) for reader in before)

    def _saves(self, reader: int, root: int) -> bool:
        """Whether a node saves a value of a storage that it reads."""
        node, read = self.graph.nodes[reader], self.sources[reader]
        rule = node.operation.saved(self.graph.input_shapes(node), True, (True,) * len(read))
        return rule is None or any(self.roots[read[index]] == root for index in rule.inputs)


class _Layouts:
    """Where the channels of values are in memory, computed on first use."""

    def __init__(self, graph: Graph, sources: list[tuple[int, ...]]) -> None:
        self.graph, self.sources = graph, sources

    def same(self, position: int) -> bool:
        """Whether the first two inputs of a merge have the same layout, so that either can hold the result."""
        first, second = self.sources[position][:2]
        return self._last[first] == self._last[second] or self._gates(position)

    @cached_property
    def _last(self) -> list[bool]:
        nodes = self.graph.nodes
        shapes = [self.graph.input_shapes(node) for node in nodes]
        layouts = [node.operation.layout(read) for node, read in zip(nodes, shapes, strict=True)]
        if "last" not in layouts:
            return [False] * (len(nodes) + 1)
        return channels_last(self.sources, layouts, shapes, [node.shape for node in nodes])

    def _gates(self, position: int) -> bool:
        """Whether the first is smaller than the result, and so does not decide the layout of the result."""
        node = self.graph.nodes[position]
        return self.graph.shape(node.inputs[0]) != node.shape
