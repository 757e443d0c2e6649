"""From a series to the parts to draw: a layer with its norm and activation in one box, splits with a main branch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from archspec.emit.figures.folding import alike, folded
from archspec.emit.figures.parts import Box, Card, Frame, Junction, Mesh, Part, Parts, Split, boxes
from archspec.emit.figures.units import sized
from archspec.graph.graph import Graph, Node
from archspec.graph.series_parallel import Element, Parallel, Series, Tangle
from archspec.operations.shapes import show_shape

_DEEPEST = 24
"""How deep splits may be nested before the rest is drawn as a plain graph."""

_LAYERS = ("conv", "linear")


def shown(shape: tuple[int, ...]) -> str:
    """A shape with multiplication signs."""
    return show_shape(shape).replace("x", "\N{MULTIPLICATION SIGN}")


@dataclass(frozen=True)
class Fusing:
    """How series become parts.

    ``text`` gives the caption of a node. ``units`` are values of whole blocks and stages, drawn as one part each,
    and ``reads`` what these read.
    ``returned`` are values that the model returns: each ends a box. ``whole``: each operation has its own box with its
    name, without the ``scope`` that is written around it.
    """

    graph: Graph
    text: Callable[[Node], str]
    units: Mapping[str, Card | Box | Frame] = field(default_factory=dict)
    reads: Mapping[str, Sequence[str]] = field(default_factory=dict)
    returned: frozenset[str] = frozenset()
    whole: bool = False
    scope: str = ""

    def parts(self, series: Series, *, depth: int = 0, begins: bool = True, normed: bool = False) -> Parts:
        """The parts of a series.

        ``begins``: only the input of the drawing comes before it. ``normed``: a norm or an activation that belongs to
        all of its branches comes before it.
        """
        found: list[Part] = []
        steps: list[Node] = []
        for part in series:
            if isinstance(part, Element):
                if unit := self.units.get(part.name):
                    found += self._steps(steps, begins and not found, normed and not found)
                    found.append(unit)
                    steps = []
                else:
                    steps.append(self.graph.by_name[part.name])
                continue
            own = self._steps(steps, begins and not found, normed and not found)
            alone = bool(own) and isinstance(own[-1], Box) and own[-1].look in ("norm", "act")
            found += own
            found.append(self._split(part, depth, alone) if isinstance(part, Parallel) else self._mesh(part))
            steps = []
        found += self._steps(steps, begins and not found, normed and not found)
        return tuple(found)

    # -- steps -------------------------------------------------------------------------------------------------------

    def _steps(self, nodes: list[Node], begins: bool, normed: bool) -> Sequence[Part]:
        if self.whole:
            around = f"{self.scope}." if self.scope else ""
            return [self._box([node], self.text(node), below=node.name.removeprefix(around)) for node in nodes]
        return self._fused(nodes, (normed and not self._closed(nodes)) or self._pre(nodes, begins=begins))

    def _fused(self, nodes: Sequence[Node], first: bool) -> list[Box]:
        """Boxes of layers, each with the operations that follow it, or those before it if norms come first."""
        found: list[Box] = []
        waiting: list[Node] = []
        for node in nodes:
            operation = node.operation
            if operation.look == "view":  # it is not drawn, and its value is that of what comes before it
                if found and not waiting and self._open(found[-1]):
                    found[-1] = replace(found[-1], nodes=(*found[-1].nodes, node.name), shape=shown(node.shape))
                continue
            if operation.attached:
                if found and self._open(found[-1]) and found[-1].look in _LAYERS and not first and not waiting:
                    found[-1] = self._after(found[-1], [node])
                else:
                    waiting.append(node)
                continue
            box = self._box([node], self.text(node))
            if waiting and first and operation.look in _LAYERS and self.returned.isdisjoint([n.name for n in waiting]):
                names = (*[each.name for each in waiting], node.name)
                box = replace(box, nodes=names, above=", ".join(map(self.text, waiting)))
            elif waiting:
                found += self._left(found, waiting)
            waiting = []
            found.append(box)
        if waiting:
            if found and self._open(found[-1]) and found[-1].look in _LAYERS:
                found[-1] = self._after(found[-1], waiting)
            else:
                found += self._left(found, waiting)
        return found

    def _open(self, box: Box) -> bool:
        """Whether an operation that follows a box may join it."""
        return box.nodes[-1] not in self.returned

    def _left(self, found: list[Box], waiting: list[Node]) -> list[Box]:
        """A separate box for operations that join no layer."""
        box = self._box(waiting, ", ".join(map(self.text, waiting)))
        looks = [node.operation.look for node in waiting]
        return [replace(box, look="norm" if "norm" in looks else looks[0])]

    def _after(self, box: Box, nodes: list[Node]) -> Box:
        texts = [*filter(None, [box.below]), *map(self.text, nodes)]
        names = (*box.nodes, *[node.name for node in nodes])
        return replace(box, nodes=names, below=", ".join(texts), shape=shown(nodes[-1].shape))

    @staticmethod
    def _pre(nodes: Sequence[Node], *, begins: bool) -> bool:
        """Whether norms and activations belong to the layer that follows them: whether a series begins with them."""
        lead: list[Node] = []
        for node in nodes:
            if not node.operation.attached:
                layer = node.operation.look in _LAYERS
                looks = {each.operation.look for each in lead}
                return layer and bool(looks & ({"norm", "act"} if begins else {"norm"}))
            lead.append(node)
        return False

    @staticmethod
    def _closed(nodes: Sequence[Node]) -> bool:
        """Whether a series ends with a norm or an activation, which then belongs to the layer before it."""
        drawn = [node.operation.look for node in nodes if node.operation.look not in ("view", "regularization")]
        return bool(drawn) and drawn[-1] in ("norm", "act")

    def _box(self, nodes: Sequence[Node], text: str, *, below: str = "") -> Box:
        names = tuple([node.name for node in nodes])
        return Box(names, nodes[-1].operation.look, text, below=below, shape=shown(nodes[-1].shape))

    # -- splits ------------------------------------------------------------------------------------------------------

    def _split(self, part: Parallel, depth: int, normed: bool) -> Split | Mesh:
        if depth >= _DEEPEST:
            return self._mesh(part)
        branches = [self.parts(branch, depth=depth + 1, begins=False, normed=normed) for branch in part.branches]
        full = [index for index, branch in enumerate(branches) if branch]
        weighted = frozenset([index for index in full if self._has_layer(part.branches[index])])
        if not part.merge:
            main = full[0] if len(full) == 1 else None
            return Split(tuple(branches), None, main, weighted=weighted)
        node = self.graph.by_name[part.merge]
        each_reads = len(branches) == len(node.inputs)
        shapes = self.graph.input_shapes(node)
        aside = node.operation.gates(shapes) if each_reads else frozenset()
        measured = node.operation.measured(shapes) if each_reads else frozenset()
        main = self._main(node, branches, full, aside)
        for index in aside - measured:
            branches[index] = _colored(branches[index])
        names = self._read(branches, node, measured) if each_reads else ()
        if not aside and not self.whole:
            groups = alike(branches)
            if len(groups) < len(branches):
                branches = [folded([branches[index] for index in group]) for group in groups]
                weighted = frozenset([place for place, group in enumerate(groups) if group[0] in weighted])
                full, names = [place for place, branch in enumerate(branches) if branch], ()
                main = self._main(node, branches, full, aside)
        return Split(tuple(branches), self._merge(node), main, aside - measured, weighted, names, measured)

    def _read(self, branches: Sequence[Parts], merge: Node, measured: frozenset[int]) -> tuple[str, ...]:
        """For each branch that is the value itself, its name; no names if none has one."""
        read = enumerate(zip(branches, merge.inputs, strict=True))
        apart = [("" if branch or index in measured else name) for index, (branch, name) in read]
        found = tuple([name and self._named(name, merge.name) for name in apart])
        return found if any(found) else ()

    def _named(self, value: str, reader: str) -> str:
        """The name under which the spec keeps a value, or reads it outside blocks: that of its stage."""
        return self.graph.kept.get(value) or ("" if reader in self._in_blocks else self._stages.get(value, ""))

    @cached_property
    def _stages(self) -> Mapping[str, str]:
        return {stage.result: stage.scope for stage in self.graph.stages if stage.last > stage.first}

    @cached_property
    def _in_blocks(self) -> frozenset[str]:
        blocks = [region for region in self.graph.regions if region.kind == "block"]
        return frozenset([node.name for block in blocks for node in self.graph.nodes[block.first : block.last]])

    @staticmethod
    def _main(node: Node, branches: list[Parts], full: list[int], gates: frozenset[int]) -> int | None:
        if gates and len(gates) < len(branches):
            return min(set(range(len(branches))) - gates)
        if len(full) > (2 if node.operation.symbol else 1):
            return None
        return max(full, key=lambda index: (len(branches[index]), index), default=0)

    def _has_layer(self, series: Series) -> bool:
        return any(isinstance(part, Element) and self._weighs(part.name) for part in series)

    def _weighs(self, name: str) -> bool:
        node = self.graph.by_name[name]
        return name in self.units or node.operation.weighted

    def _merge(self, node: Node) -> Junction:
        return Junction((node.name,), node.operation.symbol, self.text(node), shown(node.shape))

    # -- plain graphs ------------------------------------------------------------------------------------------------

    def _mesh(self, part: Parallel | Tangle) -> Mesh:
        order = sorted(_names(part), key=self._position.__getitem__)
        names: dict[tuple[int, int], str] = {}
        members: list[Box | Junction] = []
        place: dict[str, int] = {}
        wires: list[tuple[int, int]] = []
        measured: set[tuple[int, int]] = set()
        reads = dict.fromkeys(order, 0)
        for name in order:
            for each in self.reads.get(name, self.graph.by_name[name].inputs):
                if each in reads:
                    reads[each] += 1
        for name in order:
            node = self.graph.by_name[name]
            unit = self.units.get(name)
            if unit:
                inputs = self.reads[name]
                own: Box | Junction = _as_box(unit)
            else:
                inputs = tuple(self.reads.get(name, node.inputs))
                own = self._merge(node) if node.operation.arity == "many" else self._box([node], self.text(node))
                before = members[place[inputs[0]]] if len(inputs) == 1 and inputs[0] in place else None
                alone = reads.get(inputs[0]) == 1
                joins = alone and node.operation.attached and not self.whole
                if joins and isinstance(before, Box) and before.look in _LAYERS and before.nodes[-1] == inputs[0]:
                    members[place[inputs[0]]] = self._after(before, [node])
                    place[name] = place[inputs[0]]
                    continue
            wires += [(place.get(each, -1), len(members)) for each in inputs]
            measured |= {(place.get(each, -1), len(members)) for each in (() if unit else sized(self.graph, node))}
            kept = {(place[each], len(members)): self._named(each, name) for each in inputs if each in place}
            names |= {wire: kept[wire] for wire in kept if kept[wire] and wire[1] > wire[0] + 1}
            place[name] = len(members)
            members.append(own)
        inside = {source for source, _ in wires}
        ends = tuple([index for index in range(len(members)) if index not in inside])
        return Mesh(tuple(members), tuple(dict.fromkeys(wires)), ends, names, frozenset(measured))

    @cached_property
    def _position(self) -> Mapping[str, int]:
        return {node.name: position for position, node in enumerate(self.graph.nodes)}


def _as_box(unit: Card | Box | Frame) -> Box:
    if isinstance(unit, Box):
        return unit
    if isinstance(unit, Card):
        return Box(unit.nodes, "block", f"{unit.letter}  {unit.text}", shape=unit.shape)
    return Box(tuple(_inside(unit.parts)), "block", unit.label, shape=unit.shape)


def _inside(parts: Parts) -> list[str]:
    """The nodes of a frame that is drawn as one box."""
    return [name for box in boxes(parts) for name in box.nodes]


def _names(part: Parallel | Tangle) -> set[str]:
    found: set[str] = set()
    work: list[Element | Parallel | Tangle] = [part]
    while work:
        here = work.pop()
        if isinstance(here, Element):
            found.add(here.name)
            continue
        found |= {here.merge} - {""}
        if isinstance(here, Parallel):
            work += [each for branch in here.branches for each in branch]
        else:
            found |= {way.target for way in here.ways} - {""}
            work += [each for way in here.ways for each in way.series]
    return found


def _colored(parts: Parts) -> Parts:
    """The parts of a gate in the color of gates."""
    found: list[Part] = []
    for part in parts:
        if isinstance(part, Box):
            part = replace(part, look="gate")
        elif isinstance(part, Split):
            part = replace(part, branches=tuple([_colored(branch) for branch in part.branches]))
        found.append(part)
    return tuple(found)
