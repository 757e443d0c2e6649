"""The regions of fragments, shortcuts, layers, ``before`` and ``after``, noted while a network is lowered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, NamedTuple, overload

from archspec.diagnostics import Span
from archspec.display import counted
from archspec.graph.builder import Builder
from archspec.graph.graph import Node, Region
from archspec.graph.names import NameScope
from archspec.language.expressions.values import Value
from archspec.wording import tagged

NOTHING: Mapping[str, Value] = {}
NO_INPUTS: Mapping[str, str] = {}


class Copied(NamedTuple):
    """Regions inside the block ``like``, for its copy in ``scope`` from node ``start`` on, which reads ``source``."""

    regions: tuple[Region, ...]
    like: Region
    scope: str
    start: int
    source: str

    def made(self) -> Iterator[Region]:
        """The regions of the copy."""
        old, by = len(self.like.scope), self.start - self.like.first
        for each in self.regions:
            source, result = (self._name(name, old) for name in (each.source, each.result))
            path, first, last = self.scope + each.scope[old:], each.first + by, each.last + by
            inputs = {key: self._name(name, old) for key, name in each.inputs.items()}
            place = path, each.name, first, last, source, result, each.span
            yield Region(each.kind, *place, values=each.values, given=each.given, inputs=inputs)

    def _name(self, name: str, old: int) -> str:
        return self.source if name == self.like.source else self.scope + name[old:]


class CopiedRegions(Sequence[Region]):
    """Regions of which those of copies are made when one is asked for, as few readers do."""

    def __init__(self, found: Sequence[Region | Copied]) -> None:
        self._found = tuple(found)

    @cached_property
    def _regions(self) -> tuple[Region, ...]:
        both = [[each] if isinstance(each, Region) else each.made() for each in self._found]
        return tuple([region for regions in both for region in regions])

    @overload
    def __getitem__(self, place: int) -> Region: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Region]: ...
    def __getitem__(self, place: int | slice) -> Region | Sequence[Region]:
        return self._regions[place]

    def __len__(self) -> int:
        return len(self._regions)

    def __eq__(self, other: object) -> bool:
        return self._regions == (other._regions if isinstance(other, CopiedRegions) else other)

    def __repr__(self) -> str:
        return tagged(self, counted(len(self), "region"))

    def __hash__(self) -> int:
        return hash(self._regions)


@dataclass(slots=True)
class NamedRegions:
    """Those of one network that have a scope, each after those inside it."""

    builder: Builder
    found: list[Region | Copied] = field(default_factory=list)

    def add(
        self,
        kind: Literal["fragment", "shortcut", "layer", "before", "after"],
        name: str,
        scope: NameScope,
        start: int,
        source: Node,
        result: Node,
        span: Span,
        values: Mapping[str, Value] = NOTHING,
        given: Mapping[str, Value] = NOTHING,
        inputs: Mapping[str, str] = NO_INPUTS,
    ) -> None:
        """Note a region of the nodes from ``start`` on, if it has any and a scope."""
        end = len(self.builder.nodes)
        if scope.path and start < end:
            place = scope.path, name, start, end, source.name, result.name, span
            self.found.append(Region(kind, *place, values=values, given=given, inputs=inputs))

    def since(self, place: int) -> tuple[Region, ...]:
        """Those noted from ``place`` on, inside a block."""
        return tuple([each for each in self.found[place:] if isinstance(each, Region)])

    def moved(self, start: int, end: int) -> None:
        """Have the regions follow: the nodes from ``end`` on went before those from ``start`` on."""
        before, after = start - end, len(self.builder.nodes) - end
        for place in range(len(self.found) - 1, -1, -1):
            region = self.found[place]
            if not isinstance(region, Region) or region.last <= start:
                break
            by = before if region.first >= end else after if region.first >= start else 0
            self.found[place] = replace(region, first=region.first + by, last=region.last + (by or after))
