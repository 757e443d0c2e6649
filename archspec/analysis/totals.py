"""What a whole network costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archspec.analysis.indexed import IndexedGraph, index_graph
from archspec.analysis.parts import Costs, Parts
from archspec.graph.graph import Graph


@dataclass(frozen=True, slots=True)
class Totals:
    """The costs of a whole network.

    ``layers`` is the paper's count: convolution and linear layers on the longest way, shortcuts and gates aside.
    ``params_by_operation`` has the parameters of each kind of operation; ``intensity`` is FLOPs for each byte that is
    read or written: weights, and every operation's inputs and outputs.
    """

    costs: Costs
    layers: int
    nodes: int
    params_by_operation: Mapping[str, int]
    intensity: float | None


def measure_totals(graph: Graph) -> Totals:
    """The totals of a network alone, in float32 and with nothing frozen."""
    network = index_graph(graph)
    return sum_up(network, Parts(network, (True,) * len(graph.nodes)), 4)


def sum_up(network: IndexedGraph, parts: Parts, item: int) -> Totals:
    """The totals of a network, at ``item`` bytes an element."""
    kinds: dict[str, int] = {}
    for operation, facts, count in network.kinds:
        if facts.params:
            kinds[operation.name] = kinds.get(operation.name, 0) + count * facts.params
    costs = parts.costs(0, len(network.nodes))
    moved = item * (costs.params + sum([count * (facts.elements + facts.read) for _, facts, count in network.kinds]))
    intensity = None if costs.flops is None else costs.flops / max(moved, 1)
    return Totals(costs, weighted_layers(network), len(network.nodes), kinds, intensity)


def weighted_layers(network: IndexedGraph) -> int:
    """The weighted layers in a paper's count: convolution and linear layers on the longest way through the network.

    Shortcuts are the shorter way and so are not counted; gates of squeeze-and-excitation scale a value and are no way.
    ResNet-50 has 50 (He et al. 2015, table 1), DenseNet-121 has 121.
    """
    longest = [0] * (len(network.nodes) + 1)
    for position, (facts, ways) in enumerate(zip(network.facts, network.ways, strict=True)):
        before = longest[ways[0]] if len(ways) == 1 else max([longest[way] for way in ways])
        longest[position] = before + facts.weighted
    return max([longest[position] for position in network.outputs.values()])
