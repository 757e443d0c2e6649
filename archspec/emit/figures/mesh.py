"""A plain graph, for what does not divide into series and parallel parts: stacked members with wires beside them."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.emit.figures.parts import Box, Mesh
from archspec.emit.figures.place import GAP, LOW, Boxed, End, Merging
from archspec.emit.figures.shapes import Canvas, Point

_APART = 10
"""The space between lanes, and between the widest member and the first lane."""
_FORK = 6
_ENTRY, _LOWER = 6, 13
"""How far below the upper side of a member a lane enters it, and one that only gives its size beside another lane."""


class Meshed:
    """Members on one axis in topological order. A value that is read by others than the next member has a lane.

    The readers of a value share its lane, and values whose lines do not overlap in height may share a lane.
    """

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.members = [Boxed(each) if isinstance(each, Box) else Merging(each, circle=False) for each in mesh.members]
        halves = [each.width / 2 if isinstance(each, Boxed) else each.half for each in self.members]
        self.left = self.widest = max(halves)
        self.far: dict[int, list[int]] = {}
        """The members that read a value through its lane."""
        self.next: set[int] = set()
        """The members that read the member above."""
        for source, target in mesh.wires:
            if target == source + 1:
                self.next.add(target)
            else:
                self.far.setdefault(source, []).append(target)
        for source in mesh.ends:
            if source != len(mesh.members) - 1:
                self.far.setdefault(source, []).append(len(mesh.members))
        wires = [(source, target) for source, targets in self.far.items() for target in targets]
        self.entered = {wire[1] for wire in wires if wire not in mesh.measured}
        """The members that a lane enters, not only for its size."""
        self.lanes = self._lanes()
        self.right = self.widest + _APART * (max(self.lanes.values(), default=-1) + 2)
        self.low = LOW
        self.height = _FORK + sum(GAP + self._inner(each) for each in self.members)

    @staticmethod
    def _inner(member: Boxed | Merging) -> float:
        return member.inner if isinstance(member, Boxed) else member.height

    def middles(self) -> Iterator[float]:
        """How far the middle of each member is below the top."""
        y = float(_FORK)
        for inner in map(self._inner, self.members):
            yield y + GAP + inner / 2
            y += GAP + inner

    def _lanes(self) -> dict[int, int]:
        """The number of each value's lane: the first that is free from its member to the last reader."""
        free: list[int] = []
        found: dict[int, int] = {}
        for source in sorted(self.far):
            until = max(self.far[source])
            lane = next((lane for lane, end in enumerate(free) if end <= source), len(free))
            free[lane : lane + 1] = [until]
            found[source] = lane
        return found

    def draw(self, canvas: Canvas, end: End) -> list[End]:
        x, y = end.x, end.y + _FORK
        canvas.line([*end.points, (x, y)], end.style, arrow=False)
        tops: list[float] = []
        leaves: dict[int, Point] = {-1: (x, y)}
        bottom = y
        for index, member in enumerate(self.members):
            top = bottom + GAP
            inner = self._inner(member)
            if index in self.next:
                canvas.line([(x, bottom), (x, top)], self._style(index - 1, index, end))
            if isinstance(member, Boxed):
                member.put(canvas, x, top)
                half = member.width / 2
            else:
                member.put(canvas, x, top, x - member.half, x + member.half)
                half = member.half
            tops.append(top)
            leaves[index] = (x + half, top + inner - 6)
            bottom = top + inner
        nodes = [each.nodes for each in self.mesh.members]
        ends = [End(((x, bottom),), end.style, nodes[-1][-1])] if len(self.members) - 1 in self.mesh.ends else []
        for source in self.far:
            lane = x + self.widest + _APART * (self.lanes[source] + 1)
            lines, begin = self._branches(source, lane, leaves, tops, end)
            for line in sorted(lines, key=lambda line: line.style != "size"):  # a gray one is below the lane
                canvas.line([*line.points], line.style)
            if len(self.members) in self.far[source]:
                ends.append(End((*begin, (lane, bottom)), end.style, nodes[source][-1]))
        return ends

    def _style(self, source: int, target: int, end: End) -> str:
        return "size" if (source, target) in self.mesh.measured else end.style

    def _branches(
        self, source: int, lane: float, leaves: dict[int, Point], tops: list[float], end: End
    ) -> tuple[list[End], list[Point]]:
        """The lines from a value to its readers, and where its lane goes on. It is gray below the last that is read."""
        begin = [leaves[source], (lane, leaves[source][1])]
        last = max([each for each in self.far[source] if (source, each) not in self.mesh.measured], default=-1)
        found: list[End] = []
        for target in self.far[source]:
            if target == len(self.members):
                continue
            style = self._style(source, target, end)
            low = tops[target] + (_LOWER if style == "size" and target in self.entered else _ENTRY)
            branch = ((lane, low), (leaves[target][0], low))
            if target < last and style == "size":
                found.append(End(((lane, low - 6), *branch), style))
                continue
            found.append(End((*begin, *branch), style))
            begin = [(lane, low - 6)]  # the lane is drawn down to there
        return found, begin
