"""The state dict of a network: its tensors by key, in torchvision's order."""

from __future__ import annotations

from archspec.graph.graph import Graph
from archspec.operations.base import Buffer, Weight


def state(graph: Graph) -> dict[str, Weight | Buffer]:
    """The tensors of the state dict, by key."""
    found: dict[str, Weight | Buffer] = {}
    for node in graph.nodes:
        inputs = graph.input_shapes(node)
        tensors: dict[str, Weight | Buffer] = {**node.operation.weights(inputs), **node.operation.buffers(inputs)}
        found |= {f"{node.name}.{name}" if name else node.name: tensor for name, tensor in tensors.items()}
    return found
