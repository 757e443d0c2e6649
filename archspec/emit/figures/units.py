"""Which regions of a graph can be drawn as one part."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.graph.graph import INPUT, Graph, Node, Region
from archspec.graph.reduction import Reads


def outermost(regions: Sequence[Region]) -> list[Region]:
    """The regions that are inside no other region, in order of their nodes."""
    found: list[Region] = []
    for region in sorted(regions, key=lambda each: (each.first, -each.last)):
        if region.first < region.last and (not found or region.first >= found[-1].last):
            found.append(region)
    return found


def closed(graph: Graph, regions: Sequence[Region]) -> list[Region]:
    """The regions that read one value from outside, and of which only the result is read outside."""
    units = list(regions)
    while True:
        hidden: dict[str, int] = {}
        for unit in units:
            names = [node.name for node in graph.nodes[unit.first : unit.last]]
            hidden.update(dict.fromkeys(names, unit.first))
        for unit in units:
            hidden.pop(unit.result, None)
        opened = {hidden[name] for inputs in contracted(graph, units).values() for name in inputs if name in hidden}
        if not opened:
            return units
        units = [unit for unit in units if unit.first not in opened]


def contracted(graph: Graph, units: Sequence[Region]) -> Reads:
    """What each value reads, with each region reduced to its result."""
    nodes = graph.nodes
    reads: dict[str, tuple[str, ...]] = {}
    position = 0
    for unit in units:
        reads.update([(node.name, node.inputs) for node in nodes[position : unit.first]])
        reads[unit.result] = (unit.source,)
        position = unit.last
    reads.update([(node.name, node.inputs) for node in nodes[position:]])
    return reads


def unmeasured(graph: Graph, reads: Reads) -> Reads:
    """What each value reads, without the network's input where only its size is read: captions say the size."""
    found = dict(reads)
    for node in graph.nodes:
        if INPUT not in node.inputs[1:] or node.name not in reads:
            continue
        sizes = node.operation.measured(graph.input_shapes(node))
        left = tuple([name for place, name in enumerate(node.inputs) if name != INPUT or place not in sizes])
        found[node.name] = left or node.inputs
    return found


def sized(graph: Graph, node: Node) -> set[str]:
    """The values of which a node reads only the size."""
    sizes = node.operation.measured(graph.input_shapes(node))
    return {node.inputs[place] for place in sizes} - {name for n, name in enumerate(node.inputs) if n not in sizes}


def reads_one(graph: Graph, region: Region) -> bool:
    """Whether its nodes read only its source and each other, and give its result."""
    inside = {region.source}
    for node in graph.nodes[region.first : region.last]:
        if not inside.issuperset(node.inputs):
            return False
        inside.add(node.name)
    return region.result in inside and region.result != region.source
