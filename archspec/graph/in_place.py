"""Which nodes may write their result over an input, as ``relu(inplace=True)`` and ``x.add_(y)`` do."""

from __future__ import annotations

from archspec.graph.graph import Graph


def in_place(graph: Graph) -> dict[str, int]:
    """For each node that may write over an input, the input's position.

    The input must be read by nobody else, neither be a view of another value nor be saved by its producer for the
    backward pass, and come from the same block, so that a hook on a block or a stage sees what the block returned.
    """
    uses = graph.uses()
    by_name = graph.by_name
    block: dict[str, str] = {}
    for region in graph.regions:
        if region.kind == "block":
            block.update((node.name, region.scope) for node in graph.nodes[region.first : region.last])
    found: dict[str, int] = {}
    for node in graph.nodes:
        if not node.operation.may_write_in_place():
            continue
        for position, name in reversed(list(enumerate(node.inputs))):
            producer = by_name.get(name)
            if (
                producer is not None
                and uses[name] == 1
                and producer.shape == node.shape
                and block.get(name) == block.get(node.name)
                and not producer.operation.saves_output
                and not producer.operation.aliases
            ):
                found[node.name] = position
                break
    return found
