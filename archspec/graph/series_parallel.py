"""The tree of series and parallel parts of a network, or of a part of it. It does not need torch.

Two rules find the tree, and are repeated until neither applies (Valdes, Tarjan and Lawler 1982, The recognition of
series parallel digraphs): a value with one way in and one way out joins the two in series, and two ways between the
same two values are parallel. What remains does not decompose, and becomes a :class:`Tangle`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from archspec.graph.graph import INPUT, Graph, Region
from archspec.graph.reduction import END, InParallel, InSeries, Irreducible, Link, Reads, SingleRead, reduced
from archspec.wording import Brief


@dataclass(frozen=True, slots=True, repr=False)
class Element(Brief):
    """A node that reads only the value of the part before it."""

    name: str


@dataclass(frozen=True, slots=True, repr=False)
class Parallel(Brief):
    """Several branches from one value to the node ``merge``, in the order in which it reads them.

    An empty branch is the value itself. ``merge`` is empty if the branches end where the branch around them ends: at
    its merge, or in several outputs.
    """

    branches: tuple[Series, ...]
    merge: str


@dataclass(frozen=True, slots=True, repr=False)
class Way(Brief):
    """The parts between two values of a tangle, whose names are ``source`` and ``target``."""

    source: str
    target: str
    series: Series


@dataclass(frozen=True, slots=True, repr=False)
class Tangle(Brief):
    """A part that does not divide into series and parallel parts: a graph of ways, in topological order of targets.

    ``merge`` is the node in which it ends, the target of the last ways. It may be empty, as in :class:`Parallel`.
    """

    ways: tuple[Way, ...]
    merge: str


Part = Element | Parallel | Tangle
Series = tuple[Part, ...]
"""Parts that follow each other. The value of a part is that of its node, ``name`` or ``merge``."""


def series_parallel(graph: Graph, region: Region | None = None) -> Series:
    """The tree of a network, or of one of its stages or blocks.

    Args:
        graph: the network.
        region: one of ``graph.regions``; the whole network by default.

    >>> import archspec
    >>> graph = archspec.compile("resnet18")
    >>> *_, add, relu = series_parallel(graph, graph.blocks(graph.stages[1])[0])
    >>> [[step.name for step in branch] for branch in add.branches][0], add.merge, relu.name
    (['layer2.0.downsample.0', 'layer2.0.downsample.1'], 'layer2.0.add', 'layer2.0.relu2')
    """
    if region is None:
        return decompose({node.name: node.inputs for node in graph.nodes}, INPUT, dict.fromkeys(graph.outputs.values()))
    nodes = graph.nodes[region.first : region.last]
    return decompose({node.name: node.inputs for node in nodes}, region.source, [region.result])


def decompose(reads: Reads, source: str, results: Iterable[str]) -> Series:
    """The tree of the ways from ``source`` to ``results``, in time linear in nodes and edges.

    A result that another result reads is ignored. Nodes that no result needs, and reads of anything other than
    ``source`` and the nodes of ``reads``, are left out.

    >>> decompose({"a": ["x"], "b": ["x"], "c": ["a", "b"]}, "x", ["c"])
    (Parallel(branches=((Element(name='a'),), (Element(name='b'),)), merge='c'),)
    >>> bridge = {"a": ["x"], "b": ["x", "a"], "c": ["a", "b"]}
    >>> [(way.source, way.target) for way in decompose(bridge, "x", ["c"])[0].ways]
    [('x', 'a'), ('x', 'b'), ('a', 'b'), ('a', 'c'), ('b', 'c')]
    """
    link = reduced(reads, source, results)
    return () if link is None else _written(link)


# -- writing the tree ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _TreeWriting:
    """A series that is being written, and the parts in it whose branches are written first."""

    parts: list[Part | _Open] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """A part with several ways in it."""

    link: InParallel | Irreducible
    merge: str
    sheets: list[_TreeWriting]

    def closed(self) -> Part:
        inside = [_closed(sheet) for sheet in self.sheets]
        if isinstance(self.link, InParallel):
            return Parallel(tuple(inside), self.merge)
        ways = [Way(source, target, each) for (target, source, _), each in zip(self.link.ways, inside, strict=True)]
        return Tangle(tuple(ways), self.merge)


def _closed(sheet: _TreeWriting) -> Series:
    return tuple([part.closed() if isinstance(part, _Open) else part for part in sheet.parts])


def _written(link: Link) -> Series:
    """The tree of a way. It does not recurse, because branches can be nested to any depth."""
    top = _TreeWriting()
    work: list[tuple[Link, str, _TreeWriting]] = [(link, END, top)]
    opened: list[tuple[_TreeWriting, int]] = []
    while work:
        here, merge, sheet = work.pop()
        if isinstance(here, InSeries):
            work += [(here.second, merge, sheet), (here.first, here.at, sheet)]
        elif isinstance(here, SingleRead):
            if merge:
                sheet.parts.append(Element(merge))
        else:
            if isinstance(here, InParallel):
                here.ways.sort(key=lambda way: way.position)
                inside = here.ways
            else:
                inside = [way for _, _, way in here.ways]
            sheets = [_TreeWriting() for _ in inside]
            opened.append((sheet, len(sheet.parts)))
            sheet.parts.append(_Open(here, merge, sheets))
            work += [(way, "", each) for way, each in zip(inside, sheets, strict=True)]
    for sheet, place in reversed(opened):
        part = sheet.parts[place]
        assert isinstance(part, _Open)
        sheet.parts[place] = part.closed()
    return _closed(top)
