"""By how much a block shrinks the map."""

from __future__ import annotations

from fractions import Fraction

from archspec.graph.graph import Graph, Region
from archspec.operations.effects import Everywhere

_Steps = tuple[int | Fraction, ...] | None
"""The distance in the input map between two neighbors, along each axis; None if they see the whole map."""


def stride_of(graph: Graph, region: Region) -> str:
    """``/2`` where the result of a region has half the size of its source, ``/1x2x2`` if axes differ.

    Empty if the size stays, or if an operation has no rule.
    """
    axes = len(graph.shape(region.source)) - 1
    steps: dict[str, _Steps] = {region.source: (1,) * axes}
    for node in graph.nodes[region.first : region.last]:
        before = next((found for name in node.inputs if (found := steps.get(name))), None)
        reach = node.operation.reach(graph.input_shapes(node), node.shape) if before else None
        if before is None or reach is None or isinstance(reach, Everywhere) or len(reach) != len(before):
            steps[node.name] = None
        else:
            steps[node.name] = tuple([step * each.stride for step, each in zip(before, reach, strict=True)])
    found = steps.get(region.result)
    if not found or max(found) <= 1 or any(step.denominator > 1 for step in found):
        return ""
    return "/" + "\N{MULTIPLICATION SIGN}".join(map(str, found[:1] if len(set(found)) == 1 else found))
