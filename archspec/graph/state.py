"""The state dict of a network: its tensors by key, in the order in which the built model has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from archspec.graph.graph import Graph
from archspec.operations.base import Buffer, Weight

Tensor = Weight | Buffer


@dataclass(slots=True)
class _ModuleTensors:
    """A module: the tensors that are its own, and the modules in it, each in the order of the graph."""

    own: dict[str, Tensor] = field(default_factory=dict)
    inside: dict[str, _ModuleTensors] = field(default_factory=dict)

    def tensors(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """As ``torch.nn.Module.state_dict`` goes through a model: a module's own tensors, then those inside it."""
        for name, tensor in self.own.items():
            yield prefix + name, tensor
        for name, scope in self.inside.items():
            yield from scope.tensors(f"{prefix}{name}.")


def state(graph: Graph) -> dict[str, Tensor]:
    """The tensors of the state dict, by key."""
    root = _ModuleTensors()
    for node in graph.nodes:
        inputs = graph.input_shapes(node)
        tensors: dict[str, Tensor] = {**node.operation.weights(inputs), **node.operation.buffers(inputs)}
        for name, tensor in tensors.items():
            *scopes, last = (f"{node.name}.{name}" if name else node.name).split(".")
            scope = root
            for each in scopes:
                scope = scope.inside.setdefault(each, _ModuleTensors())
            scope.own[last] = tensor
    return dict(root.tensors())
