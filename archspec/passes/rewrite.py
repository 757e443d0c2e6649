"""What passes share: a graph with fewer or other nodes, its regions and outputs moved along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from archspec.graph.graph import INPUT, Graph, Node, Region


def with_nodes(graph: Graph, nodes: Sequence[Node], instead: Mapping[str, str] | None = None) -> Graph:
    """The graph with only ``nodes``, whose names are among those of its own and in the same order.

    A region without any of these nodes, or whose result is not one of them, is removed too. A region whose source is
    gone begins at the first value that its nodes read.

    Args:
        graph: the graph before.
        nodes: those that are left, perhaps with other operations.
        instead: for a value that is gone and still read, the value that is read in its place.
    """
    instead = instead or {}
    left = {node.name: place for place, node in enumerate(nodes)}
    known = {INPUT, *left}
    before = list(accumulate((node.name in left for node in graph.nodes), initial=0))

    def moved(regions: Sequence[Region]) -> tuple[Region, ...]:
        found = []
        for region in regions:
            first, last = before[region.first], before[region.last]
            source, result = (instead.get(name, name) for name in (region.source, region.result))
            given = {key: instead.get(name, name) for key, name in region.inputs.items()}
            inputs = {key: name for key, name in given.items() if name in known}
            if source not in known:  # nothing that is left in the region reads it
                read = [instead.get(name, name) for node in nodes[first:last] for name in node.inputs]
                source = next((name for name in read if left.get(name, -1) < first), INPUT)
            if first <= left.get(result, -1) < last:
                found.append(replace(region, first=first, last=last, source=source, result=result, inputs=inputs))
        return tuple(found)

    return replace(
        graph,
        nodes=tuple(node._replace(inputs=tuple([instead.get(name, name) for name in node.inputs])) for node in nodes),
        outputs={label: instead.get(name, name) for label, name in graph.outputs.items()},
        regions=moved(graph.regions),
        named=moved(graph.named),
        kept={found: kept for name, kept in graph.kept.items() if (found := instead.get(name, name)) in left},
        frozen=graph.frozen & left.keys(),
        shared={name: state for name, state in graph.shared.items() if name in left},
        heads={name: before[place] for name, place in graph.heads.items()},
    )


def with_inserted(graph: Graph, inserted: Mapping[str, Sequence[Node]]) -> Graph:
    """The graph with more nodes: some before each node that ``inserted`` names, and in the same regions as it."""
    nodes: list[Node] = []
    places = [0]
    for node in graph.nodes:
        nodes += (*inserted.get(node.name, ()), node)
        places.append(len(nodes))

    def moved(regions: Sequence[Region]) -> tuple[Region, ...]:
        return tuple([replace(region, first=places[region.first], last=places[region.last]) for region in regions])

    return replace(
        graph,
        nodes=tuple(nodes),
        regions=moved(graph.regions),
        named=moved(graph.named),
        heads={name: places[place] for name, place in graph.heads.items()},
    )
