"""What passes share: a graph with fewer or other nodes, its regions and outputs moved along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from archspec.graph.graph import Graph, Node, Region


def with_nodes(graph: Graph, nodes: Sequence[Node], instead: Mapping[str, str] | None = None) -> Graph:
    """The graph with only ``nodes``, whose names are among those of its own and in the same order.

    A region without any of these nodes, or without its result, is removed too.

    Args:
        graph: the graph before.
        nodes: those that are left, perhaps with other operations.
        instead: for a value that is gone and still read, the value that is read in its place.
    """
    instead = instead or {}
    left = {node.name for node in nodes}
    before = list(accumulate((node.name in left for node in graph.nodes), initial=0))

    def moved(regions: Sequence[Region]) -> tuple[Region, ...]:
        found = []
        for region in regions:
            first, last = before[region.first], before[region.last]
            source, result = (instead.get(name, name) for name in (region.source, region.result))
            if first < last and result in left:
                found.append(replace(region, first=first, last=last, source=source, result=result))
        return tuple(found)

    return replace(
        graph,
        nodes=tuple(node._replace(inputs=tuple([instead.get(name, name) for name in node.inputs])) for node in nodes),
        outputs={label: instead.get(name, name) for label, name in graph.outputs.items()},
        regions=moved(graph.regions),
        named=moved(graph.named),
        head_at=None if graph.head_at is None else before[graph.head_at],
    )
