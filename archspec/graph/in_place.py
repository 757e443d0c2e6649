"""Which nodes may write their result over an input, as ``relu(inplace=True)`` and ``x.add_(y)`` do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archspec.graph.graph import Graph


def writable(graph: Graph) -> dict[str, int]:
    """For each node that may write over an input, the input's position. :attr:`Graph.in_place` computes it once.

    The input must be read by nobody else, neither be a view of another value nor be saved by its producer for the
    backward pass, and come from the same block, so that a hook on a block or a stage sees what the block returned.
    """
    uses = graph.uses()
    blocks = [region for region in graph.regions if region.kind == "block"]
    block = {node.name: region.scope for region in blocks for node in graph.nodes[region.first : region.last]}
    found: dict[str, int] = {}
    for name, operation, inputs, shape, _ in graph.nodes:
        if not operation.may_write_in_place():
            continue
        for position in range(len(inputs) - 1, -1, -1):
            producer = graph.by_name.get(inputs[position])
            if (
                producer
                and uses[producer.name] == 1
                and producer.shape == shape
                and block.get(producer.name) == block.get(name)
                and not producer.operation.saves_output
                and not producer.operation.aliases
            ):
                found[name] = position
                break
    return found
