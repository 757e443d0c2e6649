"""The figure of whole stages: one box for the layers around them, and the costs of each part."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from archspec.analysis.indexed import index_graph, total
from archspec.display import short
from archspec.emit.figures.along import along
from archspec.emit.figures.parts import Band, Box, Frame, Junction, Mesh, Part, Parts, Split, boxes
from archspec.graph.graph import Graph
from archspec.graph.scopes import BETWEEN, HEAD, STEM
from archspec.operations.facts import Facts

HEADINGS = ("output", "parameters", "MACs")
"""The notes at the right of each part."""

_LINES = 8
"""The most layers that a box lists."""


def grouped(graph: Graph, parts: Parts, returned: Collection[str]) -> Parts:
    """The parts with all layers before, between and after the stages in one box each, and those of each head.

    A part that splits, or whose value the model returns before the end, stays as it is. Each box that is not on the
    axis says what it costs: the notes at the right are about what is there.
    """
    runs = [(stage, list(run)) for stage, run in groupby(parts, _is_stage)]
    places = {node.name: place for place, node in enumerate(graph.nodes)}
    beside = _Beside(graph, places, returned, dict(zip(graph.by_name, index_graph(graph).facts, strict=True)))
    if not any(stage for stage, _ in runs):
        return tuple(map(beside.apart, parts))
    found: list[Part] = []
    for number, (stage, run) in enumerate(runs):
        name = STEM if number == 0 else HEAD if number == len(runs) - 1 else BETWEEN
        plain = [part for part in run if isinstance(part, Box)]
        inner = [node for part in plain for node in part.nodes][:-1]
        alone = name == BETWEEN and len(run) == 1
        if stage or alone or len(plain) < len(run) or any(node in returned for node in inner):
            found += [beside.split(part) if isinstance(part, Split) and not part.merge else part for part in run]
        else:
            found.append(_box(beside.head(plain[-1]) if name == HEAD else name, plain))
    return tuple(map(beside.apart, found))


class _Beside(NamedTuple):
    """What is side by side: stages and heads that read one value."""

    graph: Graph
    places: Mapping[str, int]
    returned: Collection[str]
    facts: Mapping[str, Facts]

    def split(self, split: Split) -> Split:
        return replace(split, branches=tuple(map(self.branch, split.branches)))

    def branch(self, parts: Parts) -> Parts:
        """The parts of a branch: stages, and the layers of each head in one box."""
        found: list[Part] = []
        for whole, run in groupby(parts, _is_stage):
            own: list[Part] = list(run)
            inner = [node for box in boxes(tuple(own)) for node in box.nodes][:-1]
            joined = not any(isinstance(part, Mesh) or (isinstance(part, Split) and not part.merge) for part in own)
            if not whole and joined and not any(node in self.returned for node in inner):
                layers = [each for each in boxes(tuple(own)) if isinstance(each, Box | Junction)]
                own = [_box(self.head(layers[-1]), layers)]
            for part in own:
                if isinstance(part, Split) and not part.merge:
                    part = self.split(part)
                found.append(part)
        return tuple(found)

    def head(self, box: Box | Junction) -> str:
        """The name of the head that a box belongs to."""
        at = self.places[box.nodes[-1]]
        return next(
            (name for name, first in reversed([*self.graph.heads.items()]) if first <= at),
            BETWEEN if self.graph.heads else HEAD,
        )

    def apart(self, part: Part, *, aside: bool = False, several: bool = False) -> Part:
        """A part whose boxes say what they cost, except those on the axis. ``several``: it is drawn for equal ones."""
        if isinstance(part, Box):
            return self.priced(part, several=several) if aside else part
        if isinstance(part, Split):
            ways = [
                tuple([self.apart(each, aside=aside or place != part.main, several=several) for each in branch])
                for place, branch in enumerate(part.branches)
            ]
            return replace(part, branches=tuple(ways))
        if isinstance(part, Mesh) and aside:
            members = [self.priced(each, several=several) if isinstance(each, Box) else each for each in part.members]
            return replace(part, members=tuple(members))
        if isinstance(part, Frame):
            inside = [self.apart(each, aside=True, several=several or part.count > 1) for each in part.parts]
            return replace(part, parts=tuple(inside))
        return part

    def priced(self, box: Box, *, several: bool) -> Box:
        """A box that says what it costs, if it costs anything."""
        params, macs = _written([self.facts[name] for name in box.nodes])
        if (params, macs) == ("0", "0"):
            return box
        return replace(box, lines=(*box.lines, f"{params} parameters, {macs} MACs{' in all' if several else ''}"))


def _is_stage(part: Part) -> bool:
    return isinstance(part, Box) and part.look == "stage"


def _box(name: str, run: Sequence[Box | Junction]) -> Box:
    lines = [part.text for part in run if isinstance(part, Box)]
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], f"and {len(lines) - _LINES + 1} more"]
    nodes = tuple([node for part in run for node in part.nodes])
    return Box(nodes, "other", name, shape=run[-1].shape, lines=tuple(lines))


def costs(graph: Graph, parts: Parts) -> tuple[tuple[str, ...], ...]:
    """The parameters and MACs of each value on the axis of the parts, and last those of the network.

    What is side by side, and a frame for equal branches, have none: the boxes in it say what they cost.
    """
    facts = dict(zip(graph.by_name, index_graph(graph).facts, strict=True))
    values = [value for part in parts for value in along(part, members=True)]
    found = [
        ("", "") if isinstance(value, Split | Frame) else _written([facts[name] for name in value.nodes])
        for value in values
        if not isinstance(value, Band | Mesh)  # its members are there instead; a stage is not a band
    ]
    return (*found, _written(list(facts.values())))


def _written(facts: Sequence[Facts]) -> tuple[str, ...]:
    return short(sum([each.params for each in facts])), short(total([each.macs for each in facts]))
