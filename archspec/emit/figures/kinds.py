"""Blocks of one kind differ only in numbers. Each kind has a letter, and its inside is drawn once, with that letter."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby

from archspec.emit.figures.captions import Symbols, plain, template
from archspec.emit.figures.fuse import Fusing
from archspec.emit.figures.parts import Arc, Box, Parts, Split
from archspec.emit.figures.strides import stride_of
from archspec.graph.graph import Graph, Node, Region
from archspec.graph.series_parallel import series_parallel
from archspec.operations.captions import Caption


@dataclass(eq=False)
class BlockKind:
    """Blocks of one kind. ``uses`` has one block for each set of numbers.

    A dropout that some blocks lack is a number too: its probability there is 0. ``captions`` are those of the other
    nodes, for each use. ``order`` has the use of each block, in order.
    """

    graph: Graph
    name: str
    letter: str = ""
    uses: list[Region] = field(default_factory=list)
    captions: list[list[Caption]] = field(default_factory=list)
    order: list[int] = field(default_factory=list)

    @cached_property
    def symbols(self) -> Symbols:
        """The symbols of the numbers that differ between its uses; complete once :attr:`parts` are known."""
        shape, uses = self.graph.shape, self.uses
        parameters = {name: numbers for name in uses[0].values if (numbers := self._numbers(name))}
        widths = self._numbers("channels") or tuple([shape(use.result)[0] for use in uses])
        return Symbols(widths, tuple([shape(use.source)[0] for use in uses]), parameters)

    def _numbers(self, name: str) -> tuple[int, ...]:
        """The value of a parameter in each use; empty if it is not always a positive integer."""
        values = [use.values.get(name, use.given.get(name)) for use in self.uses]
        numbers = tuple([value for value in values if isinstance(value, int) and value > 0])
        return numbers if len(numbers) == len(values) else ()

    @cached_property
    def parts(self) -> Parts:
        """The parts inside the block."""
        whole = max(self.uses, key=lambda use: use.last - use.first)
        kept = [node.name for node in self.graph.nodes[whole.first : whole.last] if not _may_lack(node)]
        place = {name: n for n, name in enumerate(kept)}

        def text(node: Node) -> str:
            if node.name not in place:
                return plain(node.operation.caption(self.graph.input_shapes(node)))
            return self.symbols.text([captions[place[node.name]] for captions in self.captions])

        return Fusing(self.graph, text).parts(series_parallel(self.graph, whole))

    @cached_property
    def arc(self) -> Arc:
        """The shortcut around it."""
        for part in reversed(self.parts):
            if (
                not isinstance(part, Split)
                or part.gates
                or part.measured
                or part.main is None
                or len(part.branches) < 2
            ):
                continue
            if not all(part.branches):
                return "identity"
            return "projection" if len(part.weighted) == len(part.branches) else "identity"
        return ""

    @property
    def only(self) -> Box | None:
        """Its only box, if there is nothing else to draw inside."""
        part = self.parts[0] if len(self.parts) == 1 else None
        return part if isinstance(part, Box) else None

    @property
    def title(self) -> str:
        """Its name and the symbols of the numbers that differ: ``bottleneck, C, /s``."""
        _ = self.parts  # this asks for the symbols
        used = self.symbols.used
        signs = {"C": "C", "k": "k\N{MULTIPLICATION SIGN}k", "s": "/s"}
        found = [self.name, *[sign for symbol, sign in signs.items() if symbol in used]]
        if "s" not in used and len(set(self.strides)) == 1:
            found += filter(None, self.strides[:1])
        return ", ".join(found)

    @cached_property
    def strides(self) -> tuple[str, ...]:
        """``/2`` for each use that halves the size of the map, whatever is inside; empty if it keeps the size."""
        return tuple([stride_of(self.graph, use) for use in self.uses])

    @property
    def notes(self) -> tuple[str, ...]:
        """The values, in each of its blocks in order, of the names in its inside: ``width = 200, 184 x2``."""
        _ = self.parts
        symbols = self.symbols
        letters = {name: numbers for name, numbers in symbols.used.items() if name not in _ON_CARDS}
        found: dict[str, Sequence[object]] = {**symbols.named, **letters, **symbols.words}
        return tuple([f"{name} = {_listed([values[use] for use in self.order])}" for name, values in found.items()])

    def words(self, use: int) -> tuple[str, ...]:
        """The names of the activations that differ, in one use."""
        _ = self.parts
        return tuple([values[use] for values in self.symbols.words.values()])

    def numbers(self, uses: Sequence[int], *, widths: bool = True) -> tuple[str, ...]:
        """The values of the symbols of the title in these consecutive uses."""
        _ = self.parts
        used, found = self.symbols.used, []
        if widths and "C" in used:
            ends = dict.fromkeys([str(used["C"][uses[0]]), str(used["C"][uses[-1]])])
            found.append("\N{EN DASH}".join(ends))
        if "k" in used:
            found.append("\N{MULTIPLICATION SIGN}".join([str(used["k"][uses[0]])] * 2))
        if "s" in used and used["s"][uses[0]] != 1:
            found.append(f"/{used['s'][uses[0]]}")
        if "s" not in used:
            found += filter(None, [self.strides[uses[0]]])
        return tuple(found)


_ON_CARDS = ("C", "N", "k", "s")
"""The letters whose numbers the cards of blocks show, or that follow from those."""


def _listed(values: Sequence[object]) -> str:
    """Values with commas; equal neighbors are written once, with their number."""
    runs = [(value, len(list(run))) for value, run in groupby(values)]
    times = "\N{MULTIPLICATION SIGN}"
    return ", ".join([f"{value} {times}{count}" if count > 1 else str(value) for value, count in runs])


def _may_lack(node: Node) -> bool:
    return node.operation.look == "regularization"


@dataclass(frozen=True, slots=True)
class Known:
    """The kind of one block, and the position of its use."""

    kind: BlockKind
    use: int


def kinds(graph: Graph, blocks: Sequence[Region]) -> dict[str, Known]:
    """The kind of each of these blocks, by the name of its first node; letters in order of appearance.

    A block reads nothing from outside except its source.
    """
    finding = _KindFinding(graph)
    found = {graph.nodes[block.first].name: finding.kind(block) for block in blocks}
    for known in found.values():
        known.kind.order.append(known.use)
    named = [kind for kind in dict.fromkeys(known.kind for known in found.values()) if kind.only is None]
    for number, kind in enumerate(named):
        kind.letter = _letter(number)
    return found


def _letter(number: int) -> str:
    """A to Z, then AA, AB and on."""
    found = ""
    while number >= 0:
        found = chr(ord("A") + number % 26) + found
        number = number // 26 - 1
    return found


class _KindFinding:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.exact: dict[Hashable, Known] = {}
        self.kinds: dict[Hashable, BlockKind] = {}
        self.operations: dict[int, int] = {}
        """Numbers of equal operations by identity, because copies of a block share them."""
        self.equal: dict[Hashable, int] = {}

    def kind(self, block: Region) -> Known:
        wiring = self._wiring(block)
        shape = self.graph.shape(block.source)
        key = (block.name, shape, wiring)
        known = self.exact.get(key)
        if known is None:
            captions, reads = self._rough(block)
            rough = (block.name, len(shape), tuple(map(template, captions)), reads)
            kind = self.kinds.get(rough)
            if kind is None:
                kind = self.kinds[rough] = BlockKind(self.graph, block.name)
            known = self.exact[key] = Known(kind, len(kind.uses))
            kind.uses.append(block)
            kind.captions.append(captions)
        return known

    def _rough(self, block: Region) -> tuple[list[Caption], tuple[tuple[int, ...], ...]]:
        """The captions of the nodes that all uses have, and which of them each node reads, by position."""
        place = {block.source: -1}
        captions: list[Caption] = []
        reads: list[tuple[int, ...]] = []
        for node in self.graph.nodes[block.first : block.last]:
            inputs = tuple([place[name] for name in node.inputs])
            if _may_lack(node):
                place[node.name] = inputs[0]
                continue
            place[node.name] = len(captions)
            captions.append(node.operation.caption(self.graph.input_shapes(node)))
            reads.append(inputs)
        return captions, (*reads, (place[block.result],))

    def _wiring(self, block: Region) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """Each node's operation, and the positions of the nodes that it reads."""
        place = {block.source: -1}
        found: list[tuple[int, tuple[int, ...]]] = []
        numbers = self.operations
        for position, node in enumerate(self.graph.nodes[block.first : block.last]):
            number = numbers.get(id(node.operation))
            if number is None:
                number = numbers[id(node.operation)] = self.equal.setdefault(node.operation, len(self.equal))
            found.append((number, tuple([place[name] for name in node.inputs])))
            place[node.name] = position
        return tuple(found)
