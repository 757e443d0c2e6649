"""What a network costs: parameters, MACs and weighted layers, in total and by stage.

MACs count convolution and linear layers, one multiply-add as one, without biases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from archspec.graph.graph import INPUT, Graph, Node
from archspec.operations.base import Shape


@dataclass(frozen=True, slots=True)
class StageCosts:
    """The costs of one stage: its blocks, without what stands before or after them."""

    scope: str
    block: str
    count: int
    output: Shape
    params: int
    macs: int


@dataclass(frozen=True, slots=True)
class Costs:
    """The costs of a network for one example. ``params`` are elements, ``macs`` multiply-adds; see :func:`layers`."""

    params: int
    macs: int
    layers: int
    nodes: int
    stages: tuple[StageCosts, ...]


def summarize(graph: Graph) -> Costs:
    """Parameters, MACs and layers of a network, and of each of its stages."""
    params = [node_params(graph, node) for node in graph.nodes]
    macs = [node.operation.macs(graph.input_shapes(node), node.shape) for node in graph.nodes]
    stages = []
    for stage in graph.stages:
        inside = slice(stage.first, stage.last)
        count = len(graph.blocks(stage))
        shape = graph.shape(stage.result)
        stages.append(StageCosts(stage.scope, stage.name, count, shape, sum(params[inside]), sum(macs[inside])))
    return Costs(sum(params), sum(macs), layers(graph), len(graph.nodes), tuple(stages))


def node_params(graph: Graph, node: Node) -> int:
    """The number of elements in a node's parameters."""
    return sum(math.prod(weight.shape) for weight in node.operation.weights(graph.input_shapes(node)).values())


def layers(graph: Graph) -> int:
    """The weighted layers in a paper's count: convolution and linear layers on the longest way through the network.

    Shortcuts are the shorter way and so are not counted; gates of squeeze-and-excitation scale a value and are no way.
    ResNet-50 has 50 (He et al. 2015, table 1), DenseNet-121 has 121.
    """
    longest = {INPUT: 0}
    for node in graph.nodes:
        gates = node.operation.gates(graph.input_shapes(node)) if len(node.inputs) > 1 else ()
        ways = [longest[name] for position, name in enumerate(node.inputs) if position not in gates]
        longest[node.name] = max(ways, default=0) + node.operation.weighted
    return max((longest[name] for name in graph.outputs.values()), default=0)
