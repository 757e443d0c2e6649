"""A graph as networkx has it, with all that is known of each node, so that any algorithm of networkx can ask for it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import networkx

from archspec.graph.text import described
from archspec.operations.facts import applied
from archspec.operations.shapes import show_shape

if TYPE_CHECKING:
    from archspec.graph.graph import Graph, Region

BYTES = 4
"""The bytes of an element in float32."""

NOTHING: dict[str, Any] = {
    "operation": None,
    **dict.fromkeys(("params", "macs", "activations", "elementwise"), 0),
    **dict.fromkeys(("adds", "layer"), False),
    **dict.fromkeys(("stage", "block", "file", "line")),
}
"""What the network's input has but for its shape."""


def networkx_form(graph: Graph, name_of_input: str, *, plain: bool = False) -> networkx.MultiDiGraph:
    """The graph for networkx; :meth:`archspec.graph.graph.Graph.to_networkx` says what its nodes and edges carry."""
    outputs = dict(sorted(graph.outputs.items(), key=lambda each: each[0] in graph.training))  # the main one first
    found = networkx.MultiDiGraph(name=graph.name, outputs=outputs)
    shapes = {name_of_input: graph.input}
    found.add_node(name_of_input, **NOTHING, shape=graph.input, bytes=BYTES * math.prod(graph.input))
    stages = _around([region for region in graph.regions if region.kind == "stage"], len(graph.nodes))
    blocks = _around([region for region in graph.regions if region.kind == "block"], len(graph.nodes))
    for node, stage, block in zip(graph.nodes, stages, blocks, strict=True):
        inputs = tuple([shapes[name] for name in node.inputs])
        facts, measured = applied(node.operation, inputs).facts, node.operation.measured(inputs)
        shapes[node.name] = node.shape
        span = node.span
        found.add_node(
            node.name,
            operation=node.operation,
            shape=node.shape,
            params=facts.params,
            macs=facts.macs,
            activations=facts.activations,
            elementwise=facts.elementwise,
            bytes=BYTES * facts.elements,
            adds=node.operation.sums,
            layer=facts.weighted,
            stage=stage,
            block=block,
            file=span.source.name if span else None,
            line=span.line if span else None,
        )
        for position, name in enumerate(node.inputs):
            gate, only_size = position in facts.gates, position in measured
            found.add_edge(name, node.name, position=position, gate=gate, measured=only_size)
    return _plain(found) if plain else found


def _plain(graph: networkx.MultiDiGraph) -> networkx.MultiDiGraph:
    """The same graph with numbers, texts and truth values alone, which is all that GraphML, GML and GEXF can hold."""
    graph.graph["outputs"] = ", ".join(f"{label}: {name}" for label, name in graph.graph["outputs"].items())
    for _, data in graph.nodes(data=True):
        data["shape"] = show_shape(data["shape"])
        if data["operation"] is not None:
            data["operation"] = described(data["operation"])
        for name in [name for name, value in data.items() if value is None]:
            del data[name]
    return graph


def _around(regions: Sequence[Region], nodes: int) -> list[str | None]:
    """Of each node, the region around it: its scope, numbered if several regions share it, as the stages of VGG do."""
    found: list[str | None] = [None] * nodes
    several = Counter([region.scope for region in regions])
    seen: Counter[str] = Counter()
    for region in regions:
        seen[region.scope] += 1
        label = f"{region.scope} ({seen[region.scope]})" if several[region.scope] > 1 else region.scope
        found[region.first : region.last] = [label] * (region.last - region.first)
    return found
