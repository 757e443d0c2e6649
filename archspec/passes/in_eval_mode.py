"""A network as it is in eval mode: without the outputs that it returns in training only."""

from __future__ import annotations

from dataclasses import replace

from archspec import arguments
from archspec.graph.graph import Graph
from archspec.passes.prune import prune


def in_eval_mode(graph: Graph) -> Graph:
    """The graph of what runs in eval mode; the graph itself if it returns the same in both modes.

    Of a tuple from which one value is left, that value is the only output.

    >>> import archspec
    >>> outputs = {"outputs": ["head", {"training": "layer3"}], "returns": "tuple"}
    >>> graph = archspec.compile("resnet18", overrides=outputs)
    >>> list(graph.outputs), list(in_eval_mode(graph).outputs), in_eval_mode(graph).single
    (['head', 'layer3'], ['head'], True)
    """
    arguments.instance(graph, "graph", Graph, "a Graph, which `archspec.compile` gives")
    if not graph.training:
        return graph
    left = {label: name for label, name in graph.outputs.items() if label not in graph.training}
    single = graph.returns == "tuple" and len(left) == 1
    return prune(replace(graph, outputs=left, training=frozenset(), single=single))
