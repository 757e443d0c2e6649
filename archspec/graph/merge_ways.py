"""The ways into a merge, and which of the author's lines takes part in the shapes of what reaches a node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from archspec.diagnostics import Span, cut
from archspec.graph.graph import Node
from archspec.graph.kept import constant
from archspec.graph.lineage import Lineage
from archspec.graph.provenance import Provenance
from archspec.language.authors import Authors
from archspec.language.spec import Block, Step
from archspec.operations.shapes import Shape, show_shape

MAX_WAY = 1000
"""How many nodes are looked at to find where the ways into a merge part, or a line of the author's."""

MAX_WAYS = 4
"""The most ways into a merge that are shown."""

MAX_CHANGES = 3
"""The most changes of shape that a way into a merge shows."""


class MergeWays:
    """The nodes on the way to each input of a node from where the ways part; and ``fork``, the node there.

    None as the fork is the network's input. If the ways part far away, only the last nodes are found.
    """

    def __init__(self, inputs: tuple[Node, ...], lineage: Lineage) -> None:
        lineage.index()
        self.numbers = _of_each_shape(inputs)
        self.inputs = [inputs[number] for number in self.numbers]
        self.lineage = lineage
        self.ways: list[list[Node]] = [[] for _ in self.inputs]
        ends = [lineage.by_name.get(node.name) for node in self.inputs]
        for _ in range(MAX_WAY):
            places = [lineage.order[end.name] if end else -1 for end in ends]
            last = max(places)
            if last == min(places):
                break
            for number, end in enumerate(ends):
                if end and places[number] == last:
                    self.ways[number].append(end)
                    ends[number] = lineage.above(end)
        for way in self.ways:
            way.reverse()
        self.fork = ends[0]

    def told(self, at: Step | Block) -> Iterator[str]:
        """Each way into the merge ``at``, one for each shape: its last changes of shape, and where they are written."""
        names = ["shortcut", "residual"] if isinstance(at, Block) else [branch.name for branch in at.branches]
        if isinstance(at, Step) and at.values:
            names = [constant(name) or "" for name in at.values]
        for node, way, number in zip(self.inputs, self.ways, self.numbers, strict=True):
            name = (names[number] if number < len(names) else "") or f"branch {number + 1}"
            yield f"{name}: {self._told(node, way)}"

    def _told(self, result: Node, way: list[Node]) -> str:
        shape = self.fork.shape if self.fork else self.lineage.builder.input
        told = []
        for node in way:
            if node.shape != shape:
                step = f" ({cut(node.provenance.step)})" if node.provenance else ""
                told.append(f"{node.name} {show_shape(node.shape)}{step}")
                shape = node.shape
        if not told:
            return f"{show_shape(result.shape)}, unchanged"
        return " > ".join([*(["..."] if len(told) > MAX_CHANGES else []), *told[-MAX_CHANGES:]])


@dataclass(slots=True)
class Causes:
    """Finds the author's place that takes part in a fault of shapes; ``decided`` has what decides a node."""

    lineage: Lineage
    authors: Authors
    decided: dict[Provenance, Span | None] = field(default_factory=dict)

    def of(self, ways: MergeWays) -> Span | None:
        """The author's place that decides the shapes of the inputs of a node, the nearest to the node.

        A step that changes what the inputs do not agree in comes before one that does not.
        """
        agreed = _agreed([node.shape for node in ways.inputs])
        weaker: Span | None = None
        for way in ways.ways:
            for node in reversed(way):
                span = self._decided_by(node)
                if span and self._changes(node, agreed):
                    return span
                weaker = weaker or span
        above = ways.fork
        for _ in range(MAX_WAY):
            if weaker or above is None:
                break
            if self._changes(above, agreed):
                weaker = self._decided_by(above)
            above = self.lineage.above(above)
        return weaker or self.authors.of_input()

    def _changes(self, node: Node, agreed: set[int]) -> bool:
        """Whether a node changes the shape of what it reads, apart from the axes in which all agree."""
        before, after = self.lineage.shape_above(node), node.shape
        if len(before) != len(after):
            return True
        return any(before[axis] != after[axis] for axis in range(len(after)) if axis not in agreed)

    def _decided_by(self, node: Node) -> Span | None:
        """The most specific place of the author's that decides a node."""
        provenance = node.provenance
        if provenance is None or provenance.env is None or provenance.written is None:
            return None
        if provenance not in self.decided:
            places = provenance.env.decided(provenance.written, node.operation)
            self.decided[provenance] = next(places, None)
        return self.decided[provenance]


def _of_each_shape(inputs: tuple[Node, ...]) -> list[int]:
    """The positions of the first input of each shape, up to :data:`MAX_WAYS`; of two inputs, both."""
    if len(inputs) <= 2:
        return list(range(len(inputs)))
    first: dict[Shape, int] = {}
    for number, node in enumerate(inputs):
        first.setdefault(node.shape, number)
    return list(first.values())[:MAX_WAYS]


def _agreed(shapes: list[Shape]) -> set[int]:
    """The axes in which several shapes are alike."""
    if len(shapes) == 1:
        return set()
    return {axis for axis, sizes in enumerate(zip(*shapes, strict=False)) if len(set(sizes)) == 1}
