"""A graph while it grows: a node's shape is inferred as it is added."""

from __future__ import annotations

from dataclasses import dataclass, field

from archspec.diagnostics import Diagnostic, Span, SpecError
from archspec.display import counted
from archspec.graph.graph import Node
from archspec.graph.provenance import Provenance
from archspec.operations.base import Operation
from archspec.operations.facts import Applied, applied
from archspec.operations.shapes import Shape, ShapeFault
from archspec.work import ENTRIES, EXPANDING, MAX_ELEMENTS, MAX_NODES, STEPS_OF_A_KIND, STEPS_OF_A_NODE, Limits, Work


@dataclass(slots=True)
class Builder:
    """A graph while it grows. ``work`` is what its nodes draw on.

    ``kinds`` has each operation at each size of inputs that it has had: what it comes to is found once. The keys have
    the identity of the operation, because :class:`archspec.graph.sequences.Sequences` makes equal ones one object.
    """

    input: Shape
    work: Work
    nodes: list[Node] = field(default_factory=list)
    weights: int = 0
    limits: Limits = field(init=False)
    kinds: dict[tuple[int, tuple[Shape, ...]], tuple[Operation, Applied]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.limits = self.work.limits

    def add(self, name: str, operation: Operation, inputs: tuple[Node, ...], provenance: Provenance) -> Node:
        """A new node, its shape inferred from its inputs'.

        Raises:
            ShapeFault: the operation does not fit its inputs, or (E602) makes too many elements.
            SpecError: E601, there are too many nodes; E603, they take too much work.
        """
        self.work.spend(EXPANDING, STEPS_OF_A_NODE + len(inputs) + len(name) // ENTRIES, provenance.span)
        shapes = (inputs[0].shape,) if len(inputs) == 1 else tuple([node.shape for node in inputs])
        _, found = self.kinds.get((id(operation), shapes)) or self._kind(operation, shapes, provenance.span)
        if found.elements > self.limits.elements:
            raise self._too_many_elements()
        if found.params:
            self.grow(found.params)
        return self.place(name, operation, inputs, found.shape, provenance)

    def _kind(self, operation: Operation, shapes: tuple[Shape, ...], span: Span) -> tuple[Operation, Applied]:
        """What an operation comes to at a size of inputs that it has not had before."""
        self.work.spend(EXPANDING, STEPS_OF_A_KIND, span)
        found = self.kinds[id(operation), shapes] = operation, applied(operation, shapes)
        return found

    def grow(self, weights: int) -> None:
        """Count elements of weights.

        Raises:
            ShapeFault: E602, there are too many.
        """
        self.weights += weights
        if self.weights > self.limits.elements:
            raise self._too_many_elements()

    def _too_many_elements(self) -> ShapeFault:
        most = counted(self.limits.elements, "element")
        message = f"the network would have more than {most} in one value or in its weights"
        help = f"lower channels or sizes, or raise {MAX_ELEMENTS.text}"
        return ShapeFault("E602", message, argument="out", help=help, mentions=(MAX_ELEMENTS,))

    def place(
        self, name: str, operation: Operation, inputs: tuple[Node, ...], shape: Shape, provenance: Provenance
    ) -> Node:
        """A new node with a shape that is known, or that is assumed so that more faults can be found."""
        if len(self.nodes) >= self.limits.nodes:
            raise too_many_nodes(self.limits.nodes, provenance.span)
        names = (inputs[0].name,) if len(inputs) == 1 else tuple([node.name for node in inputs])
        self.nodes.append(Node(name, operation, names, shape, provenance))
        return self.nodes[-1]


def too_many_nodes(limit: int, span: Span | None, cause: str = "count") -> SpecError:
    """The refusal of a network with more nodes than ``limit``, because of so large a ``cause``."""
    message = f"the network would have more than {counted(limit, 'node')}"
    help = f"lower `{cause}`, or raise {MAX_NODES.text}"
    return SpecError([Diagnostic("E601", message, span, help=help, mentions=(MAX_NODES,))])
