"""The state dict of a network: its tensors by key, in the order in which the built model has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from archspec.graph.graph import Graph, Node
from archspec.operations.base import Buffer, Weight

Tensor = Weight | Buffer


def state(graph: Graph) -> dict[str, Tensor]:
    """The tensors of the state dict, by key."""
    return dict(_by_module(tensors_of(graph, graph.nodes)))


def tensors_of(graph: Graph, nodes: Iterable[Node]) -> dict[str, Tensor]:
    """The tensors of some nodes of a graph by key, node by node."""
    found: dict[str, Tensor] = {}
    for node in nodes:
        inputs = graph.input_shapes(node)
        tensors: dict[str, Tensor] = {**node.operation.weights(inputs), **node.operation.buffers(inputs)}
        for name, tensor in tensors.items():
            found[key_of(graph, node, name)] = tensor
    return found


def key_of(graph: Graph, node: Node, tensor: str) -> str:
    """The key of a node's weight or buffer; one with an empty name has the name of the node itself."""
    state = graph.state_of(node.name)
    return f"{state}.{tensor}" if tensor else state


def _by_module(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """As ``torch.nn.Module.state_dict`` goes through a model: a module's own tensors, then those of each inside it."""
    inside: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        module, dot, rest = key.partition(".")
        if dot:
            inside.setdefault(module, {})[rest] = tensor
        else:
            yield key, tensor
    for module, own in inside.items():
        yield from ((f"{module}.{key}", tensor) for key, tensor in _by_module(own))
