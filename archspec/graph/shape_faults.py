"""Where a value got its channels and its shape, for faults of shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from archspec.diagnostics import Diagnostic, Label, Span
from archspec.graph.environment import Environment
from archspec.graph.graph import Builder, Node
from archspec.language.spec import Term
from archspec.operations.shapes import ShapeFault, show_shape


@dataclass(slots=True)
class ShapeFaults:
    """Explains faults of shapes; ``channels`` has the term that gave a node its channels, and where it was read."""

    builder: Builder
    channels: dict[str, tuple[Term, Environment]] = field(default_factory=dict)

    def diagnostic(
        self, fault: ShapeFault, path: str, inputs: tuple[Node, ...], place: Span, labels: tuple[Label, ...]
    ) -> Diagnostic:
        """The diagnostic for a fault at the node ``path``, with the chain of shapes that led there."""
        if fault.channels and (found := self._source_of_channels(inputs[0])):
            term, env = found
            shown = env.blame(term)[0]
            if shown != place:
                labels = (Label(shown, f"the {inputs[0].shape[0]} channels come from here"), *labels)
        notes = (f"in {path}", f"shapes: {self._chain(inputs[0])}")
        return Diagnostic(
            fault.code, fault.message, place, labels=labels, notes=notes, help=fault.help, mentions=fault.mentions
        )

    def _source_of_channels(self, node: Node) -> tuple[Term, Environment] | None:
        """The term that gave a value its channels, followed back through operations that keep them."""
        by_name = {node.name: node for node in self.builder.nodes}
        current: Node | None = node
        while current is not None and current.name not in self.channels:
            channels = current.shape[0]
            above = (by_name.get(name) for name in reversed(current.inputs))  # a block's residual before its shortcut
            current = next((n for n in above if n and n.shape[0] == channels), None)
        return self.channels[current.name] if current else None

    def _above(self, node: Node, by_name: Mapping[str, Node]) -> Node | None:
        """The input through which the chain goes: of a merge the last that is not a gate, as a block's residual."""
        inputs = [by_name.get(name) for name in node.inputs]
        if len(inputs) > 1:
            gates = node.operation.gates(tuple([above.shape if above else self.builder.input for above in inputs]))
            inputs = [above for position, above in enumerate(inputs) if position not in gates]
        return inputs[-1] if inputs else None

    def _chain(self, node: Node) -> str:
        """The shapes that led to ``node``, where they change: ``input 3x224x224 > conv1 64x112x112``."""
        by_name = {node.name: node for node in self.builder.nodes}
        path = [node]
        while above := self._above(path[-1], by_name):
            path.append(above)
        shown = [f"input {show_shape(self.builder.input)}"]
        shape = self.builder.input
        for item in reversed(path):
            if item.shape != shape:
                shown.append(f"{item.name} {show_shape(item.shape)}")
                shape = item.shape
        return " > ".join([shown[0], "...", *shown[-6:]] if len(shown) > 8 else shown)
