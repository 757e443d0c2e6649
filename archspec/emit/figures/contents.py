"""From a graph to the contents of its figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from typing import Literal

from archspec.display import counted
from archspec.emit.figures.captions import LETTERED, MEANINGS, NOTED, plain
from archspec.emit.figures.fuse import Fusing, shown
from archspec.emit.figures.kinds import Known, kinds
from archspec.emit.figures.overview import HEADINGS, costs, grouped
from archspec.emit.figures.parts import Band, Box, Card, Frame, Inset, Part, Parts, Picture, Split
from archspec.emit.figures.units import closed, contracted, outermost, reads_one, unmeasured
from archspec.graph.frozen import frozen_scopes
from archspec.graph.graph import INPUT, Graph, Node, Region
from archspec.graph.series_parallel import Element, Parallel, Series, Tangle, decompose, series_parallel
from archspec.wording import first_of

Depth = Literal["model", "stage", "block", "op"]

DEPTHS: tuple[Depth, ...] = ("model", "stage", "block", "op")
"""Whole stages; blocks; also the inside of each kind of block; every operation."""


def picture(graph: Graph, depth: Depth, title: str | None) -> Picture:
    """The contents of a figure of this depth."""
    drawn = _Contents(graph, depth)
    parts = drawn.parts()
    ends = drawn.ends
    outputs = _outputs(graph)
    *each, (params, macs) = costs(graph, parts) if depth == "model" else [("", "")]
    return Picture(
        title=graph.name if title is None else title,
        summary=graph.summary,
        description=_description(graph, parts),
        input=shown(graph.input),
        parts=parts,
        outputs={name: text for name, text in outputs.items() if name in ends},
        tags={name: text for name, text in outputs.items() if name not in ends},
        insets=drawn.insets() if depth == "block" else (),
        legend=drawn.legend(),
        headings=HEADINGS if depth == "model" else (),
        costs=tuple(each),
        total=f"{params} parameters, {macs} MACs" if depth == "model" else "",
    )


def _outputs(graph: Graph) -> dict[str, str]:
    """The note for each value that the model returns: its labels and its shape."""
    labels: dict[str, list[str]] = {}
    for label, name in graph.outputs.items():
        labels.setdefault(name, []).append(f"{label} (training only)" if label in graph.training else label)
    shapes = {name: shown(graph.shape(name)) for name in labels}
    return shapes if graph.single else {name: f"{', '.join(labels[name])}: {shape}" for name, shape in shapes.items()}


class _Contents:
    """The contents of one figure. ``units`` are the regions that are drawn as one part."""

    def __init__(self, graph: Graph, depth: Depth) -> None:
        self.graph, self.depth = graph, depth
        self.stages = [region for region in graph.regions if region.kind == "stage"]
        blocks = [region for region in graph.regions if region.kind == "block"]
        regions = outermost(self.stages if depth == "model" else blocks)
        self.units = closed(graph, [region for region in regions if reads_one(graph, region)])
        self.known = kinds(graph, self.units) if depth in ("stage", "block") else {}
        self.ends: set[str] = set()
        self.kinds = [kind for kind in dict.fromkeys(each.kind for each in self.known.values()) if kind.letter]

    # -- the spine ---------------------------------------------------------------------------------------------------

    def parts(self) -> Parts:
        units = {unit.result: self._unit(unit) for unit in self.units}
        results = dict.fromkeys(self.graph.outputs.values())
        reads = unmeasured(self.graph, contracted(self.graph, self.units))
        fusing = Fusing(self.graph, self._text, units, reads, frozenset(results), whole=self.depth == "op")
        series = decompose(reads, INPUT, results)
        self.ends = _ends(series)
        found: list[Part] = []
        for stage, run in self._staged(series):
            parts = self._joined(fusing.parts(run, begins=not found))
            found += [Band(self._names[id(stage)], parts)] if stage is not None and parts else parts
        return grouped(self.graph, tuple(found), results) if self.depth == "model" else tuple(found)

    def _staged(self, series: Series) -> Iterator[tuple[Region | None, Series]]:
        """The series in runs, each inside one stage or outside all stages."""
        stages: dict[str, int] = {}
        for number, stage in enumerate(self.stages if self.depth != "model" else ()):
            for node in self.graph.nodes[stage.first : stage.last]:
                stages.setdefault(node.name, number)
        ends = [part.name if isinstance(part, Element) else part.merge for part in series]
        numbers = [stages.get(end) for end in ends]
        for number, run in groupby(zip(numbers, series, strict=True), lambda pair: pair[0]):
            yield None if number is None else self.stages[number], tuple([part for _, part in run])

    def _text(self, node: Node) -> str:
        text = plain(node.operation.caption(self.graph.input_shapes(node)))
        text = f"{text}, shared" if node.name in self.graph.borrowing and node.operation.weighted else text
        return f"{text}, frozen" if node.name in self._marked else text

    @cached_property
    def _marked(self) -> frozenset[str]:
        """The nodes outside the stages that are marked as frozen: of a convolution and its norm, the convolution."""
        frozen = self.graph.frozen
        inside = {node.name for stage in self.stages for node in self.graph.nodes[stage.first : stage.last]}
        nodes = [node for node in self.graph.nodes if node.name in frozen - inside and node.operation.has_state]
        return frozenset([each.name for each in nodes if each.operation.weighted or each.inputs[0] not in frozen])

    def _unit(self, region: Region) -> Card | Box | Frame:
        names = tuple([node.name for node in self.graph.nodes[region.first : region.last]])
        shape = shown(self.graph.shape(region.result))
        if self.depth == "model":
            return Box(names, "stage", self._names[id(region)], below=self._counts(region), shape=shape)
        if self.depth == "op":
            label = f"{region.scope}  {region.name}" if region.scope else region.name
            fusing = Fusing(self.graph, self._text, whole=True, scope=region.scope)
            inside = fusing.parts(series_parallel(self.graph, region))
            return Frame(label, inside, shape)
        known = self.known[names[0]]
        kind = known.kind
        if kind.only:
            (box,) = Fusing(self.graph, self._text).parts(series_parallel(self.graph, region))
            return replace(box, nodes=names) if isinstance(box, Box) else kind.only
        text = ", ".join([kind.name, *kind.numbers([known.use])])
        return Card(names, kind.letter, text, 1, kind.arc, shape)

    @cached_property
    def _names(self) -> dict[int, str]:
        """The name of each stage: its scope without the prefix that all scopes share, or its number."""
        scopes = [stage.scope.rpartition(".") for stage in self.stages]
        uses = Counter(scopes)
        short = len({prefix for prefix, _, _ in scopes}) == 1 and not any(last.isdecimal() for _, _, last in scopes)
        found = {}
        for number, (stage, scope) in enumerate(zip(self.stages, scopes, strict=True), start=1):
            own = stage.scope and uses[scope] == 1
            name = (scope[2] if short else stage.scope) if own else f"stage {number}"
            found[id(stage)] = f"{name} (frozen)" if stage.scope in self.frozen else name
        return found

    def _counts(self, stage: Region) -> str:
        blocks = Counter(block.name for block in self.graph.blocks(stage))
        return ", ".join([f"{count} \N{MULTIPLICATION SIGN} {name}" for name, count in blocks.items()])

    # -- runs --------------------------------------------------------------------------------------------------------

    def _joined(self, parts: Parts) -> Parts:
        """Blocks of one kind that follow each other as one part, also inside branches."""
        found: list[Part] = []
        run: list[Card] = []
        for part in parts:
            if run and not (isinstance(part, Card) and self._alike(run[-1], part)):
                found.append(self._run(run))
                run = []
            if isinstance(part, Card):
                run.append(part)
            elif isinstance(part, Split):
                found.append(replace(part, branches=tuple(map(self._joined, part.branches))))
            else:
                found.append(part)
        return (*found, self._run(run)) if run else tuple(found)

    def _use(self, block: Card) -> Known:
        return self.known[block.nodes[0]]

    def _alike(self, one: Card, other: Card) -> bool:
        """Whether they are of one kind, have values of equal size, and differ only in widths."""
        if one.letter != other.letter:
            return False
        shapes = [self.graph.shape(block.nodes[-1])[1:] for block in (one, other)]
        first, second = self._use(one), self._use(other)
        same = first.kind.numbers([first.use], widths=False) == second.kind.numbers([second.use], widths=False)
        same = same and first.kind.words(first.use) == second.kind.words(second.use)
        return same and shapes[0] == shapes[1]

    def _run(self, run: list[Card]) -> Card:
        uses = [self._use(block) for block in run]
        text = ", ".join([uses[0].kind.name, *uses[0].kind.numbers([use.use for use in uses])])
        names = tuple([name for block in run for name in block.nodes])
        return replace(run[-1], nodes=names, text=text, count=len(run))

    # -- beside it ---------------------------------------------------------------------------------------------------

    def insets(self) -> tuple[Inset, ...]:
        return tuple([Inset(kind.letter, kind.title, kind.parts, kind.notes) for kind in self.kinds])

    @cached_property
    def frozen(self) -> list[str]:
        """The largest scopes that do not train."""
        return frozen_scopes(self.graph) if self.graph.frozen else []

    def legend(self) -> tuple[str, ...]:
        frozen = (f"frozen: {first_of(self.frozen)}",) if self.frozen else ()
        if self.depth != "block":
            return ((LETTERED,) if self.kinds else ()) + frozen
        used = {symbol for kind in self.kinds for symbol in kind.symbols.used}
        found = [meaning for symbol, meaning in MEANINGS.items() if symbol in used]
        return (*found, *([NOTED] if any(kind.notes for kind in self.kinds) else []), *frozen)


def _ends(series: Series) -> set[str]:
    """The values at the ends of a series."""
    found: set[str] = set()
    work = [(series, INPUT)]
    while work:
        parts, value = work.pop()
        for part in parts:
            before, value = value, part.name if isinstance(part, Element) else part.merge
        if value:
            found.add(value)
        elif isinstance(part, Parallel):
            work += [(branch, before) for branch in part.branches]
        elif isinstance(part, Tangle):
            work += [(way.series, way.source) for way in part.ways if not way.target]
    return found


def _description(graph: Graph, parts: Parts) -> str:
    """The figure in words, for screen readers."""
    blocks = sum(region.kind == "block" for region in graph.regions)
    size = counted(len(graph.nodes), "operation") + (f" in {counted(blocks, 'block')}" if blocks else "")
    said = [f"{graph.name}: {size}", f"input {shown(graph.input)}"]
    for part in parts[:_SAID]:
        inside = part.parts if isinstance(part, Band) else (part,)
        texts = [_said(each) for each in inside[:_SAID] if isinstance(each, Card | Box)]
        if texts:
            said.append((f"{part.label}: " if isinstance(part, Band) else "") + ", ".join(texts))
    said.append("output " + ", ".join(_outputs(graph).values()))
    return "; ".join(said) + "."


_SAID = 40
"""The most parts that a description names."""


def _said(part: Card | Box) -> str:
    times = f"{part.count} times " if isinstance(part, Card) and part.count > 1 else ""
    inside = [part.below, *part.lines] if isinstance(part, Box) and (part.lines or part.look == "stage") else []
    return f"{times}{part.text}" + (f" ({', '.join(filter(None, inside))})" if any(inside) else "")
