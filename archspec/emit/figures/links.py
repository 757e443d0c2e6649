"""A picture as vertices, edges and groups, for formats whose layout another program makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from archspec.emit.figures.parts import Band, Box, Card, Frame, Junction, Mesh, Parts, Picture, Split


class Vertex(NamedTuple):
    """A box: its lines of text and its look."""

    name: str
    lines: tuple[str, ...]
    look: str


class Edge(NamedTuple):
    """A line from one vertex to another. ``style``: flow, projection, gate or size. ``name``: of its value."""

    source: str
    target: str
    style: str
    name: str = ""


@dataclass(slots=True)
class Cluster:
    """A stage, a block, or the inside of a kind of block. The whole is a group without a label."""

    name: str
    label: str
    members: list[Vertex | Cluster] = field(default_factory=list)

    def walk(self) -> Iterator[tuple[int, Vertex | Cluster | None]]:
        """All members with their depth; None at the end of a group."""
        work: list[tuple[int, Vertex | Cluster | None]] = [(0, member) for member in reversed(self.members)]
        while work:
            depth, member = work.pop()
            yield depth, member
            if isinstance(member, Cluster):
                work.append((depth, None))
                work += [(depth + 1, each) for each in reversed(member.members)]


@dataclass(slots=True)
class Links:
    """All vertices in their groups, and all edges."""

    whole: Cluster
    edges: list[Edge] = field(default_factory=list)
    vertices: int = 0
    groups: int = 0


class _Lead(NamedTuple):
    """A vertex that leads to the next part, and the style and the name of the line."""

    source: str
    style: str = "flow"
    name: str = ""


_Leads = list[_Lead]


def links(picture: Picture) -> Links:
    """The vertices, groups and edges of a picture."""
    drawing = _Linking(Links(Cluster("", "")))
    whole = drawing.found.whole
    start = drawing.vertex(whole, (picture.input,), "value")
    ends = drawing.series(picture.parts, [_Lead(start)], whole)
    texts = list(picture.outputs.values())
    for number, end in enumerate(ends):
        shown = texts[number] if len(ends) == len(texts) else ", ".join(texts)
        drawing.edge([end], drawing.vertex(whole, (shown,), "value"))
    for inset in picture.insets:
        inside = drawing.group(whole, f"{inset.letter}: {inset.title}")
        begin = drawing.vertex(inside, (inset.letter, *inset.notes), "value")
        drawing.series(inset.parts, [_Lead(begin)], inside)
    return drawing.found


class _Linking:
    def __init__(self, found: Links) -> None:
        self.found = found

    def vertex(self, group: Cluster, lines: tuple[str, ...], look: str) -> str:
        name = f"n{self.found.vertices}"
        self.found.vertices += 1
        group.members.append(Vertex(name, tuple(filter(None, lines)), look))
        return name

    def group(self, around: Cluster, label: str) -> Cluster:
        found = Cluster(f"g{self.found.groups}", label)
        self.found.groups += 1
        around.members.append(found)
        return found

    def edge(self, ends: _Leads, target: str) -> None:
        self.found.edges += [Edge(end.source, target, end.style, end.name) for end in ends]

    def series(self, parts: Parts, ends: _Leads, group: Cluster) -> _Leads:
        for part in parts:
            if isinstance(part, Band | Frame):
                ends = self.series(part.parts, ends, self.group(group, part.label))
            elif isinstance(part, Split):
                ends = self._split(part, ends, group)
            elif isinstance(part, Mesh):
                ends = self._mesh(part, ends, group)
            else:
                ends = self._one(part, ends, group)
        return ends

    def _one(self, part: Box | Card | Junction, ends: _Leads, group: Cluster) -> _Leads:
        name = self._put(part, group)
        self.edge(ends, name)
        return [_Lead(name, "gate" if ends and ends[0].style == "gate" else "flow")]

    def _put(self, part: Box | Card | Junction, group: Cluster) -> str:
        if isinstance(part, Box):
            return self.vertex(group, (part.above, part.text, part.below, *part.lines), part.look)
        if isinstance(part, Junction):
            return self.vertex(group, (part.sign or part.text,), "merge")
        times = f"  \N{MULTIPLICATION SIGN}{part.count}" if part.count > 1 else ""
        return self.vertex(group, (f"{part.letter}: {part.text}{times}",), "block")

    def _split(self, part: Split, ends: _Leads, group: Cluster) -> _Leads:
        found: _Leads = []
        for index, branch in enumerate(part.branches):
            style = self._style(part, index)
            begin = [_styled(end, style) for end in ends]
            last = [_styled(end, style) for end in self.series(branch, begin, group)]
            name = part.names[index] if part.names else ""
            found += [end._replace(name=name) for end in last] if name else last
        if part.merge is None:
            return found
        merged = self._put(part.merge, group)
        self.edge(found, merged)
        return [_Lead(merged)]

    @staticmethod
    def _style(part: Split, index: int) -> str:
        if index in part.gates or index in part.measured:
            return "gate" if index in part.gates else "size"
        sums = part.merge and part.merge.sign and part.main not in (None, index)
        return "projection" if sums and index in part.weighted else "flow"

    def _mesh(self, part: Mesh, ends: _Leads, group: Cluster) -> _Leads:
        names = [self._put(member, group) for member in part.members]
        for source, target in part.wires:
            kept = part.names.get((source, target), "")
            begin = ends if source < 0 else [_Lead(names[source], name=kept)]
            style = "size" if (source, target) in part.measured else "flow"
            self.edge([_styled(each, style) for each in begin], names[target])
        return [_Lead(names[index]) for index in part.ends]


def _styled(end: _Lead, style: str) -> _Lead:
    return end if style == "flow" else end._replace(style=style)
