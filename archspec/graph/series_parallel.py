"""The tree of series and parallels of a network, or of a part of it. It needs no torch.

Two rules, applied until neither applies, find it (Valdes, Tarjan and Lawler 1982, The recognition of series parallel
digraphs): a value with one way in and one way out joins them in series, and two ways between the same two values are
parallel. What is left does not decompose; :class:`Tangle` has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from archspec.graph.graph import INPUT, Graph, Region
from archspec.wording import Brief


@dataclass(frozen=True, slots=True, repr=False)
class Step(Brief):
    """A node that reads what the part before it gives, and nothing else."""

    name: str


@dataclass(frozen=True, slots=True, repr=False)
class Parallel(Brief):
    """Several ways from one value to the node ``merge``, in the order in which it reads them.

    An empty branch is the value itself. ``merge`` is empty where the ways end in what ends the branch around them: at
    the same merge, or in several outputs.
    """

    branches: tuple[Series, ...]
    merge: str


@dataclass(frozen=True, slots=True, repr=False)
class Way(Brief):
    """What lies between two values of a tangle: ``source`` and ``target`` are their names."""

    source: str
    target: str
    series: Series


@dataclass(frozen=True, slots=True, repr=False)
class Tangle(Brief):
    """A part that is neither a series nor parallel, as a graph of ways in topological order of their targets.

    ``merge`` is the node in which it ends, and the target of the last ways; it is empty as in :class:`Parallel`.
    """

    ways: tuple[Way, ...]
    merge: str


Part = Step | Parallel | Tangle
Series = tuple[Part, ...]
"""Parts that follow each other. The value of a part is that of its node, ``name`` or ``merge``."""

Reads = Mapping[str, Sequence[str]]
"""What each node reads, by name, in topological order."""

END = ""
"""The name of what reads the results, so that several of them have one end."""


def series_parallel(graph: Graph, region: Region | None = None) -> Series:
    """The tree of a network, or of one of its stages and blocks.

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

    A result that another result reads does not count. Nodes that no result needs, and reads of anything other than
    ``source`` and the nodes of ``reads``, are left out.

    >>> decompose({"a": ["x"], "b": ["x"], "c": ["a", "b"]}, "x", ["c"])
    (Parallel(branches=((Step(name='a'),), (Step(name='b'),)), merge='c'),)
    >>> bridge = {"a": ["x"], "b": ["x", "a"], "c": ["a", "b"]}
    >>> [(way.source, way.target) for way in decompose(bridge, "x", ["c"])[0].ways]
    [('x', 'a'), ('x', 'b'), ('a', 'b'), ('a', 'c'), ('b', 'c')]
    """
    ways, order = _needed(reads, source, results)
    if not ways:
        return ()
    _reduce(ways, order)
    return _written(_left(ways, [name for name in order if name in ways], source, END, nested=0))


# -- ways while they are joined; texts of trees would be copied at every step ---------------------------------------


@dataclass(slots=True)
class _Read:
    """A node reads a value; ``position`` is its place among what the node reads."""

    position: int


@dataclass(slots=True)
class _Then:
    """A way to the value ``at``, then one from it."""

    first: _Link
    at: str
    second: _Link
    position: int


@dataclass(slots=True)
class _Beside:
    """Ways between the same two values."""

    ways: list[_Link]
    position: int


@dataclass(slots=True)
class _Rest:
    """Ways that do not reduce, by target and source."""

    ways: list[tuple[str, str, _Link]]
    position: int


_Link = _Read | _Then | _Beside | _Rest
_Ways = dict[str, dict[str, _Link]]
"""The ways that end in a value, by the value where they begin."""


def _needed(reads: Reads, source: str, results: Iterable[str]) -> tuple[_Ways, list[str]]:
    """The ways that lie between the source and the results, and the nodes that they end in, in order."""
    after_source = {source}
    for name, inputs in reads.items():
        if any(each in after_source for each in inputs):
            after_source.add(name)
    ends = [name for name in dict.fromkeys(results) if name in after_source]
    read: set[str] = set()
    needed = set(ends)
    order = [name for name in reads if name in after_source and name != source]
    for name in reversed(order):
        if name in needed:
            inside = [each for each in reads[name] if each in after_source]
            read.update(inside)
            needed.update(inside)
    order = [name for name in order if name in needed]
    last = [name for name in ends if name not in read]
    ways: _Ways = {}
    for name in order:
        ways[name] = _grouped(each if each in after_source else None for each in reads[name])
    ways[END] = _grouped(last)
    return (ways, [*order, END]) if order else ({}, [])


def _grouped(inputs: Iterable[str | None]) -> dict[str, _Link]:
    found: dict[str, _Link] = {}
    for position, name in enumerate(inputs):
        if name is not None:
            found[name] = _side_by_side(found.get(name), _Read(position))
    return found


def _side_by_side(old: _Link | None, new: _Link) -> _Link:
    if old is None:
        return new
    if isinstance(old, _Beside):
        old.ways.append(new)
        old.position = min(old.position, new.position)
        return old
    return _Beside([old, new], min(old.position, new.position))


def _reduce(ways: _Ways, order: Sequence[str]) -> None:
    """Join in series and in parallel until nothing can be joined. What is joined goes out of ``ways``."""
    readers: dict[str, dict[str, None]] = {}
    for name in order:
        for each in ways[name]:
            readers.setdefault(each, {})[name] = None
    waiting = list(reversed(order))
    while waiting:
        name = waiting.pop()
        if name not in ways or name == END or len(ways[name]) != 1 or len(readers[name]) != 1:
            continue
        (before, first), (after,) = *ways.pop(name).items(), readers.pop(name)
        second = ways[after].pop(name)
        ways[after][before] = _side_by_side(ways[after].get(before), _Then(first, name, second, second.position))
        del readers[before][name]
        readers[before][after] = None
        waiting += [before, after]  # each may have lost a way, if two of them were joined


_NESTED = 30
"""How many tangles may lie in each other before all is one: each is walked once for every tangle around it."""


def _left(ways: _Ways, order: list[str], source: str, end: str, nested: int) -> _Link:
    """What is left between two values, cut at the values that every way passes; ``order`` has all but the source."""
    if len(order) == 1 and len(ways[end]) == 1:
        return ways[end][source]
    found: _Link | None = None
    begin, piece = source, list[str]()
    for name in _with_cuts(ways, order, source):
        if name is not None:
            piece.append(name)
            continue
        at = piece[-1]
        link = _between(ways, piece, begin, at, nested)
        found = link if found is None else _Then(found, begin, link, link.position)
        begin, piece = at, []
    assert found is not None
    return found


def _with_cuts(ways: _Ways, order: list[str], source: str) -> Iterable[str | None]:
    """The values in order, and None after each one that every way passes."""
    place = {source: -1, **{name: number for number, name in enumerate(order)}}
    last = dict.fromkeys(place, 0)
    for number, name in enumerate(order):
        for each in ways[name]:
            last[each] = number
    reach = last[source]
    for number, name in enumerate(order):
        yield name
        if reach <= number:
            yield None
        reach = max(reach, last[name])


def _between(ways: _Ways, piece: list[str], source: str, end: str, nested: int) -> _Link:
    """What lies between two values that no value cuts: ways beside each other, or a tangle."""
    inside = piece[:-1]
    if not inside:
        return ways[end][source]
    groups = _connected(ways, inside)
    direct = ways[end].get(source)
    if nested >= _NESTED or (len(groups) == 1 and direct is None):
        rest = [(name, each, link) for name in piece for each, link in ways[name].items()]
        return _Rest(rest, min(link.position for link in ways[end].values()))
    found = direct
    for group in groups:
        members = set(group)
        own = {name: ways[name] for name in group}
        own[end] = {each: link for each, link in ways[end].items() if each in members}
        found = _side_by_side(found, _left(own, [*group, end], source, end, nested + 1))
    assert found is not None
    return found


def _connected(ways: _Ways, inside: list[str]) -> list[list[str]]:
    """The values in groups that no way connects, each in order."""
    group = {name: name for name in inside}

    def root(name: str) -> str:
        while group[name] != name:
            group[name] = name = group[group[name]]
        return name

    for name in inside:
        for each in ways[name]:
            if each in group:
                group[root(each)] = root(name)
    found: dict[str, list[str]] = {}
    for name in inside:
        found.setdefault(root(name), []).append(name)
    return list(found.values())


# -- writing the tree ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Sheet:
    """A series that is being written, and the parts in it whose branches are written first."""

    parts: list[Part | _Open] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """A part with several ways in it."""

    link: _Beside | _Rest
    merge: str
    sheets: list[_Sheet]

    def closed(self) -> Part:
        inside = [_closed(sheet) for sheet in self.sheets]
        if isinstance(self.link, _Beside):
            return Parallel(tuple(inside), self.merge)
        ways = [Way(source, target, each) for (target, source, _), each in zip(self.link.ways, inside, strict=True)]
        return Tangle(tuple(ways), self.merge)


def _closed(sheet: _Sheet) -> Series:
    return tuple([part.closed() if isinstance(part, _Open) else part for part in sheet.parts])


def _written(link: _Link) -> Series:
    """The tree of a way. It walks without recursion, because branches lie in branches as deep as an author likes."""
    top = _Sheet()
    work: list[tuple[_Link, str, _Sheet]] = [(link, END, top)]
    opened: list[tuple[_Sheet, int]] = []
    while work:
        here, merge, sheet = work.pop()
        if isinstance(here, _Then):
            work += [(here.second, merge, sheet), (here.first, here.at, sheet)]
        elif isinstance(here, _Read):
            if merge:
                sheet.parts.append(Step(merge))
        else:
            if isinstance(here, _Beside):
                here.ways.sort(key=lambda way: way.position)
                inside = here.ways
            else:
                inside = [way for _, _, way in here.ways]
            sheets = [_Sheet() for _ in inside]
            opened.append((sheet, len(sheet.parts)))
            sheet.parts.append(_Open(here, merge, sheets))
            work += [(way, "", each) for way, each in zip(inside, sheets, strict=True)]
    for sheet, place in reversed(opened):
        part = sheet.parts[place]
        assert isinstance(part, _Open)
        sheet.parts[place] = part.closed()
    return _closed(top)
