"""The way of shapes to a node: the nodes above it, and what gave it its channels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from archspec.graph.builder import Builder
from archspec.graph.environment import Environment
from archspec.graph.graph import Node
from archspec.language.spec import Term
from archspec.operations.shapes import Shape, show_shape


@dataclass(slots=True)
class Lineage:
    """Where values got their shapes; ``channels`` has the term that gave a node its channels, and where it was read.

    Hundreds of faults may come after the same hundred thousand nodes, so no node is walked twice: of the first
    ``indexed`` nodes of the builder, ``by_name`` has each and ``order`` its position, ``changes`` the shapes that led
    to it, and ``sources`` the node that gave it its channels, or an empty text.
    """

    builder: Builder
    channels: dict[str, tuple[Term, Environment]] = field(default_factory=dict)
    indexed: int = 0
    by_name: dict[str, Node] = field(default_factory=dict)
    order: dict[str, int] = field(default_factory=dict)
    changes: dict[str, _Changes] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def moved(self, first: int) -> None:
        """The builder's nodes from position ``first`` on have other places."""
        self.indexed = min(self.indexed, first)

    def index(self) -> None:
        """Look at the nodes that are new."""
        for position, node in enumerate(self.builder.nodes[self.indexed :], self.indexed):
            self.by_name[node.name] = node
            self.order[node.name] = position
        self.indexed = len(self.builder.nodes)

    def shape_above(self, node: Node) -> Shape:
        """The shape of what the chain goes through before ``node``."""
        above = self.above(node)
        return above.shape if above else self.builder.input

    def source_of_channels(self, node: Node) -> tuple[Term, Environment] | None:
        """The term that gave a value its channels, followed back through operations that keep them."""
        self.index()
        walked: list[str] = []
        current: Node | None = node
        while current is not None and current.name not in self.channels and current.name not in self.sources:
            walked.append(current.name)
            channels = current.shape[0]
            above = (self.by_name.get(name) for name in reversed(current.inputs))  # a residual before its shortcut
            current = next((n for n in above if n and n.shape[0] == channels), None)
        source = self.sources.get(current.name, current.name) if current else ""
        self.sources.update(dict.fromkeys(walked, source))
        return self.channels[source] if source else None

    def above(self, node: Node) -> Node | None:
        """The input through which the chain goes: of a merge the last that is not a gate, as a block's residual."""
        inputs = [self.by_name.get(name) for name in node.inputs]
        if len(inputs) > 1:
            gates = node.operation.gates(tuple([above.shape if above else self.builder.input for above in inputs]))
            inputs = [above for position, above in enumerate(inputs) if position not in gates]
        return inputs[-1] if inputs else None

    def chain(self, node: Node | None) -> str:
        """The shapes that led to ``node``, where they change: ``input 3x224x224 > conv1 64x112x112``."""
        self.index()
        path: list[Node] = []
        above = node
        while above and above.name not in self.changes:
            path.append(above)
            above = self.above(above)
        found = self.changes[above.name] if above else _Changes(0, ())
        shape = above.shape if above else self.builder.input
        for item in reversed(path):
            if item.shape != shape:
                found = _Changes(found.number + 1, (*found.last, f"{item.name} {show_shape(item.shape)}")[-MAX_SHAPES:])
                shape = item.shape
            self.changes[item.name] = found
        left_out = ["..."] if found.number > MAX_SHAPES else []
        last = found.last[-(MAX_SHAPES - 1) :] if left_out else found.last
        return " > ".join([f"input {show_shape(self.builder.input)}", *left_out, *last])


class _Changes(NamedTuple):
    """How often the shape changed on the way to a node, and the last changes."""

    number: int
    last: tuple[str, ...]


MAX_SHAPES = 7
"""The most changes of shape that a chain shows."""
