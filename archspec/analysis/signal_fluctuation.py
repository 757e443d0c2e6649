"""How much networks of finite width differ from the prediction of the signal, by chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archspec.analysis.indexed import IndexedGraph
from archspec.analysis.signal_walk import Backward, Signals
from archspec.graph.graph import Graph
from archspec.graph.residual import ResidualBlock, ancestors


def passing_factors(graph: Graph, residuals: Sequence[ResidualBlock], shares: Mapping[str, float]) -> list[float]:
    """For each node, how much of its fluctuation the gradient has: the square of the share that passes it."""
    nodes, factors = graph.nodes, [1.0] * len(graph.nodes)
    places = {node.name: position for position, node in enumerate(nodes)}
    for block in residuals:
        share = shares[block.merge]
        inside = nodes[places.get(block.source, -1) + 1 : places[block.merge] + 1]
        for node in ancestors(inside, block.residuals, {block.fork}):
            factors[places[node.name]] *= share * share
        for node in ancestors(inside, {block.shortcut}, {block.fork}) if block.shortcut != block.fork else ():
            factors[places[node.name]] *= (1 - share) * (1 - share)
    return factors


def total_fluctuation(graph: Graph, factors: Sequence[float]) -> float:
    """The sum of one over the channels of the layers in blocks, each with its factor; without blocks, of all layers."""
    nodes = graph.nodes
    spans = [range(region.first, region.last) for region in graph.regions if region.kind == "block"]
    found = 0.0
    for span in spans or [range(len(nodes))]:
        for position in span:
            if nodes[position].operation.weighted:
                found += factors[position] / nodes[position].shape[0]
    return found


def scatter_of_gradients(
    network: IndexedGraph, ahead: Signals, behind: Backward, factors: Sequence[float]
) -> list[float]:
    """For each node, the variance of the logarithm of the gradient's energy that the layers up to it bring.

    A layer of n channels brings 1 / n, times the correlation between positions and examples, over which others average
    (Hanin and Nica 2018, where all of them are 1). After a norm it is 0.
    """
    found, total = [], 0.0
    for position, (node, factor) in enumerate(zip(network.nodes, factors, strict=True)):
        back = behind.gradients[position]
        if node.operation.weighted and back and back[0].following:
            law = ahead.signals[position][0]
            total += factor * law.level / law.power / node.shape[0] if law.power else 0.0
        found.append(total)
    return found
