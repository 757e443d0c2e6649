"""Which nodes may write their result over an input, as ``relu(inplace=True)`` and ``x.add_(y)`` do."""

from __future__ import annotations

from archspec.graph.graph import INPUT, Graph


def in_place(graph: Graph) -> dict[str, int]:
    """For each node that may write over an input, the input's position.

    The input must be read by nobody else, neither be a view of another value nor be saved by its producer for the
    backward pass, and come from the same block, so that a hook on a block or a stage sees what the block returned.
    """
    uses = graph.uses()
    by_name = graph.by_name
    blocks = [region for region in graph.regions if region.kind == "block"]
    block = {node.name: region.scope for region in blocks for node in graph.nodes[region.first : region.last]}
    found: dict[str, int] = {}
    for name, operation, inputs, shape, _ in graph.nodes:
        if not operation.may_write_in_place():
            continue
        for position in range(len(inputs) - 1, -1, -1):
            source = inputs[position]
            if uses[source] != 1 or source == INPUT:
                continue
            producer = by_name[source]
            if (
                producer.shape == shape
                and block.get(source) == block.get(name)
                and not producer.operation.saves_output
                and not producer.operation.aliases
            ):
                found[name] = position
                break
    return found
