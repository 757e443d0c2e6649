"""A plan: the nodes of a network in order, with the shapes that torch infers on its meta device; and its values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from tests.interpreter.operation import Operation, State
from tests.interpreter.reading import Refused

INPUT = -1
"""The value that enters the network; other values are the numbers of nodes."""


@dataclass(frozen=True)
class Node:
    """One operation of the network."""

    name: str
    operation: Operation
    inputs: tuple[int, ...]
    state: str = ""
    """The name of the node whose weights and buffers it uses, if not its own."""

    def keys(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Its own names of weights and buffers, each with the key in the state dict and the shape."""
        own = {**self.operation.weights, **self.operation.buffers}
        name = self.state or self.name
        return {key: (f"{name}.{key}" if key else name, shape) for key, shape in own.items()}


@dataclass
class Plan:
    """The nodes so far. ``order`` is the order in which they run."""

    nodes: list[Node] = field(default_factory=list)
    values: dict[int, Tensor] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, shape: Iterable[int]) -> Plan:
        """The empty plan of a network whose input has this shape."""
        return cls(values={INPUT: torch.empty(2, *shape, device="meta")})

    def fork(self) -> Plan:
        """A copy to try something on."""
        return Plan(list(self.nodes), dict(self.values), list(self.order))

    def add(self, name: str, operation: Operation, inputs: Iterable[int]) -> int:
        """A node, whose shape must fit."""
        node = Node(name, operation, tuple(inputs))
        number = len(self.nodes)
        own = {**operation.weights, **operation.buffers}
        state = {key: torch.empty(shape, device="meta") for key, shape in own.items()}
        try:
            first = self.values[node.inputs[0]]
            self.values[number] = (
                first
                if operation.keeps
                else operation.compute([self.values[value] for value in node.inputs], state, False)
            )
        except (RuntimeError, ValueError, IndexError) as error:
            raise Refused(f"{name}: {error}") from error
        if min(self.values[number].shape) < 1:  # a slice may be empty in torch
            raise Refused(f"{name}: nothing is left")
        self.nodes.append(node)
        self.order.append(number)
        return number

    def shape(self, value: int) -> tuple[int, ...]:
        """The shape of one example."""
        return tuple(self.values[value].shape[1:])

    def before(self, value: int) -> set[int]:
        """A value and everything that it is computed from."""
        found, todo = {value}, [value]
        while todo:
            number = todo.pop()
            more = set(self.nodes[number].inputs if number != INPUT else ()) - found
            found |= more
            todo += more
        return found


@dataclass(frozen=True)
class Network:
    """A whole network: its plan without what no output needs, and the values that it returns."""

    plan: Plan
    outputs: dict[str, int] | tuple[int, ...] | int
    frozen: tuple[str, ...] = ()
    """The scopes that do not train."""
    scopes: dict[str, int] = field(default_factory=dict)
    """Every node, and the last one of every scope, by name."""
    unused: bool = False
    """Whether there are definitions that nothing uses, so that their faults were not seen."""
    training: tuple[int, ...] = ()
    """The positions of the outputs that are returned in training only."""

    def kept(self) -> list[int]:
        """The nodes that an output needs, in the order in which they run."""
        wanted = [self.outputs] if isinstance(self.outputs, int) else self.outputs
        wanted = wanted.values() if isinstance(wanted, dict) else wanted
        needed = set().union(*(self.plan.before(value) for value in wanted))
        return [number for number in self.plan.order if number in needed]

    def is_frozen(self, node: Node) -> bool:
        """Whether a node does not train: it, or one that uses the same weights, is in such a scope."""
        return (node.state or node.name) in self.still

    @property
    def still(self) -> set[str]:
        """The names of the weights that do not train."""
        nodes = [self.plan.nodes[number] for number in self.plan.order]
        inside = [each for each in nodes if any(f"{each.name}.".startswith(f"{scope}.") for scope in self.frozen)]
        return {each.state or each.name for each in inside}

    def keys(self) -> dict[str, tuple[int, ...]]:
        """The keys of the state dict in order, with their shapes."""
        tree: dict[str, Any] = {}
        for number in self.kept():
            node = self.plan.nodes[number]
            *path, last = (node.state or node.name).split(".")
            if not node.keys():
                continue
            place = tree
            for part in path:
                place = place.setdefault(part, {})
            if node.operation.direct:
                place[f"={last}"] = node.keys()[""]
            else:
                place.setdefault(last, {}).update({f"={key}": value for key, value in node.keys().items()})
        return dict(_in_order(tree))

    def run(self, state: State, value: Tensor, training: bool) -> dict[str, Tensor] | tuple[Tensor, ...] | Tensor:
        """The outputs. Running statistics in ``state`` change, as they do in torch."""
        known = {INPUT: value}
        for number in self.kept():
            node = self.plan.nodes[number]
            own = {name: state[key] for name, (key, _) in node.keys().items()}
            mode = training and not self.is_frozen(node)
            known[number] = node.operation.compute([known[each] for each in node.inputs], own, mode)
            if known[number].shape[1:] != self.plan.values[number].shape[1:]:
                raise AssertionError(f"{node.name} does not have its shape")
        if isinstance(self.outputs, int):
            return known[self.outputs]
        gone = () if training else self.training
        if isinstance(self.outputs, dict):
            kept = {name for place, name in enumerate(self.outputs) if place not in gone}
            return {name: known[number] for name, number in self.outputs.items() if name in kept}
        found = tuple([known[number] for place, number in enumerate(self.outputs) if place not in gone])
        return found[0] if gone and len(found) == 1 else found


def _in_order(tree: dict[str, Any]) -> Iterable[tuple[str, tuple[int, ...]]]:
    """A module's own weights and buffers first, then those of its children."""
    for name, item in tree.items():
        if name.startswith("="):
            yield item
    for name, item in tree.items():
        if not name.startswith("="):
            yield from _in_order(item)
