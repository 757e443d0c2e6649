"""Backward through a graph with many gradients at once, each of which takes its own ways through the merges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from archspec.graph.graph import Graph, Node
from archspec.lab.measures.functions import NodeFunctions
from archspec.wording import brief

LARGEST = 2**22
"""How many elements of gradients one call of autograd takes at a time."""


class GradientRows(NamedTuple):
    """Gradients of one value: ``data`` is (rows, N, *shape), and ``ids`` says what each row is, in increasing order."""

    ids: Tensor
    data: Tensor

    def __repr__(self) -> str:
        return brief(self)

    def only(self, mask: Tensor) -> GradientRows:
        """The rows that a mask takes."""
        return GradientRows(self.ids[mask], self.data[mask])

    def plus(self, other: GradientRows) -> GradientRows:
        """The sum by ids; a row that only one has is kept."""
        if torch.equal(self.ids, other.ids):
            return GradientRows(self.ids, self.data + other.data)
        ids = torch.unique(torch.cat([self.ids, other.ids]))
        data = self.data.new_zeros((len(ids), *self.data.shape[1:]))
        data.index_add_(0, torch.searchsorted(ids, self.ids), self.data)
        data.index_add_(0, torch.searchsorted(ids, other.ids), other.data)
        return GradientRows(ids, data)


class Routing(Protocol):
    """Which rows go through each input of a merge."""

    def __call__(self, rows: GradientRows, position: int, /) -> GradientRows: ...


def backward_rows(
    functions: NodeFunctions,
    graph: Graph,
    nodes: list[Node],
    values: Mapping[str, Tensor],
    rows: dict[str, GradientRows],
    routing: Mapping[str, Routing],
) -> dict[str, GradientRows]:
    """The rows of the values that ``nodes`` read and do not make, from those of values that they make.

    Args:
        functions: of the network.
        graph: the network.
        nodes: the nodes to go back through, in order.
        values: the value of every input of these nodes.
        rows: the gradients to start with; they are used up.
        routing: for each merge whose inputs do not all get all rows, what each gets.
    """
    for node in reversed(nodes):
        own = rows.pop(node.name, None)
        if own is None:
            continue
        for name, found in _through(functions, graph, node, values, own, routing):
            if len(found.ids):
                rows[name] = rows[name].plus(found) if name in rows else found
    return rows


def _through(
    functions: NodeFunctions,
    graph: Graph,
    node: Node,
    values: Mapping[str, Tensor],
    rows: GradientRows,
    routing: Mapping[str, Routing],
) -> list[tuple[str, GradientRows]]:
    """What each input of a node gets."""
    route = routing.get(node.name)
    if node.operation.sums:
        return [(name, route(rows, place) if route else rows) for place, name in enumerate(node.inputs)]
    inputs = [values[name].detach().requires_grad_() for name in node.inputs]
    with torch.enable_grad():
        output = functions.of(graph, node)(*inputs)
    if output is inputs[0]:  # a dropout in eval mode returns its input
        return [(node.inputs[0], rows)]
    if route is None:
        data = _products(output, inputs, rows.data)
        return [(name, GradientRows(rows.ids, each)) for name, each in zip(node.inputs, data, strict=True)]
    found = []
    for place, name in enumerate(node.inputs):
        routed = route(rows, place)
        found.append((name, GradientRows(routed.ids, _products(output, [inputs[place]], routed.data)[0])))
    return found


def _products(output: Tensor, inputs: list[Tensor], data: Tensor) -> list[Tensor]:
    """The vector-Jacobian products of all rows with each input."""
    count = max(1, LARGEST // max(1, output.numel()))
    parts = [
        torch.autograd.grad(output, inputs, part, retain_graph=True, is_grads_batched=True)
        for part in data.split(count)
        if len(part)
    ]
    if not parts:
        return [data.new_zeros((0, *each.shape)) for each in inputs]
    return [torch.cat(each) for each in zip(*parts, strict=True)]
