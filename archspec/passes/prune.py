"""Removes the nodes that no output needs."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from operator import attrgetter

from archspec import arguments
from archspec.graph.graph import INPUT, Graph
from archspec.graph.state import tensors_of
from archspec.passes.rewrite import with_nodes


def prune(graph: Graph) -> Graph:
    """The graph with only the nodes that its outputs need: a backbone has no head.

    >>> import archspec
    >>> from dataclasses import replace
    >>> graph = archspec.compile("resnet18")
    >>> backbone = prune(replace(graph, outputs={"layer4": "layer4.1.relu2"}, origin=None))  # not what its spec says
    >>> [node.name for node in graph.nodes if node.name not in backbone.by_name]
    ['avgpool', 'flatten', 'fc']
    """
    arguments.instance(graph, "graph", Graph, "a Graph, which `archspec.compile` gives")
    wanted = set(graph.outputs.values())
    read = chain.from_iterable(map(attrgetter("inputs"), graph.nodes))
    if len({INPUT, *wanted, *read}) == len(graph.nodes) + 1:
        return graph  # every node is read, and readers come later, so that each leads to an output
    for node in reversed(graph.nodes):
        if node.name in wanted:
            wanted.update(node.inputs)
    left = [node for node in graph.nodes if node.name in wanted]
    if len(left) == len(graph.nodes):
        return graph
    trimmed = {*tensors_of(graph, (node for node in graph.nodes if node.name not in wanted))}
    trimmed -= tensors_of(graph, left).keys()  # those that a node which is left shares
    return with_nodes(replace(graph, trimmed=graph.trimmed.union(trimmed)), left)
