"""What each node of a graph computes, with the weights of a built model and never in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from archspec.emit.modules import make, resolve
from archspec.graph.graph import INPUT, Graph, Node
from archspec.graph.residual import ancestors
from archspec.graph.state import key_of
from archspec.operations.base import Operation, TorchCall

Function = Callable[..., Tensor]
Step = tuple[str, Function, tuple[str, ...], tuple[str, ...]]
"""A node's name, what it computes, what it reads, and the values that nobody reads after it."""


class NodeFunctions:
    """The functions of the nodes of a network, and of any network that surgery makes of it.

    They share the modules and parameters of ``model``, so that a graph runs without being built. A built model writes
    over values where no result changes, which would lose values that are measured; these functions do not. The model
    stays in the mode in which it is.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.made: dict[tuple[str, Operation, object], Function] = {}

    def of(self, graph: Graph, node: Node) -> Function:
        """The function of a node, from tensors with a batch to one."""
        shapes = graph.input_shapes(node)
        key = node.name, node.operation, shapes
        if key not in self.made:
            self.made[key] = self._make(graph, node, shapes)
        return self.made[key]

    def _make(self, graph: Graph, node: Node, shapes: tuple[tuple[int, ...], ...]) -> Function:
        call = node.operation.torch(shapes, in_place=False)
        weights = node.operation.weights(shapes)
        if call.kind == "module":
            if weights or node.operation.buffers(shapes):
                return self.model.get_submodule(graph.state_of(node.name))
            made = make(resolve(call.target), call.args, call.kwargs, has_weights=False)
            return made.train(self.model.training and node.name not in graph.frozen)
        names = [key_of(graph, node, key) for key in weights]
        return _called(call, [self.model.get_parameter(name) for name in names])

    def steps(self, graph: Graph, ends: Iterable[str], starts: Iterable[str] = ()) -> list[Step]:
        """The steps that compute some values, from the network's input or from others that are known."""
        ends = set(ends)
        nodes = ancestors(graph.nodes, ends, {*starts})
        last = {name: position for position, node in enumerate(nodes) for name in node.inputs}
        free: dict[int, list[str]] = {}
        for name, position in last.items():
            if name not in ends and name != INPUT:
                free.setdefault(position, []).append(name)
        return [
            (node.name, self.of(graph, node), node.inputs, tuple(free.get(position, ())))
            for position, node in enumerate(nodes)
        ]


def run_steps(steps: Sequence[Step], values: Mapping[str, Tensor], *, keep: bool = False) -> dict[str, Tensor]:
    """The values that steps compute, those of ``values`` included; ``keep`` those that nobody reads any more too."""
    found = dict(values)
    for name, function, inputs, free in steps:
        found[name] = function(*[found[each] for each in inputs])
        if not keep:
            for each in free:
                del found[each]
    return found


def _called(call: TorchCall, weights: list[nn.Parameter]) -> Function:
    """A function or a method of torch on values and weights."""
    args, kwargs = call.args, dict(call.kwargs)
    if call.kind == "method":

        def one(*inputs: Tensor) -> Tensor:
            found: Tensor = getattr(inputs[0], call.target)(*inputs[1:], *weights, *args, **kwargs)
            return found
    else:
        target = resolve(call.target)

        def one(*inputs: Tensor) -> Tensor:
            found: Tensor = target(*([[*inputs]] if call.packed else inputs), *weights, *args, **kwargs)
            return found

    if not call.fold:
        return one

    def folded(first: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            first = one(first, other)
        return first

    return folded


def in_float64(model: nn.Module) -> nn.Module:
    """A model whose parameters and buffers are in float64 and need no gradient."""
    return model.to(torch.float64).requires_grad_(False)
