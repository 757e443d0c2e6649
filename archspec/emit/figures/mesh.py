"""A plain graph, for what does not divide into series and parallel parts: stacked members with wires beside them."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.emit.figures.parts import Box, Mesh
from archspec.emit.figures.place import GAP, LOW, Boxed, End, Merging
from archspec.emit.figures.shapes import Canvas

_APART = 10
"""The space between lanes, and between the widest member and the first lane."""
_FORK = 6


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
        leaves = {-1: (x, y)}
        bottom = y
        for index, member in enumerate(self.members):
            top = bottom + GAP
            inner = self._inner(member)
            if index in self.next:
                canvas.line([(x, bottom), (x, top)], end.style)
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
        for source, targets in self.far.items():
            lane = x + self.widest + _APART * (self.lanes[source] + 1)
            begin = [leaves[source], (lane, leaves[source][1])]
            for target in targets:
                if target == len(self.members):
                    ends.append(End((*begin, (lane, bottom)), end.style, nodes[source][-1]))
                    continue
                low = tops[target] + 6
                canvas.line([*begin, (lane, low), (leaves[target][0], low)], end.style)
                begin = [(lane, low - 6)]  # the lane is drawn down to there
        return ends
