"""The regions of fragments, shortcuts, layers, ``before`` and ``after``, noted while a network is lowered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from archspec.diagnostics import Span
from archspec.graph.builder import Builder
from archspec.graph.graph import Node, Region
from archspec.graph.names import NameScope
from archspec.language.expressions.values import Value

NOTHING: Mapping[str, Value] = {}


@dataclass(slots=True)
class NamedRegions:
    """Those of one network that have a scope, each after those inside it."""

    builder: Builder
    found: list[Region] = field(default_factory=list)

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
    ) -> None:
        """Note a region of the nodes from ``start`` on, if it has any and a scope."""
        end = len(self.builder.nodes)
        if scope.path and start < end:
            ends = source.name, result.name
            self.found.append(Region(kind, scope.path, name, start, end, *ends, span, values=values, given=given))

    def moved(self, start: int, end: int) -> None:
        """Have the regions follow: the nodes from ``end`` on went before those from ``start`` on."""
        before, after = start - end, len(self.builder.nodes) - end
        for place in range(len(self.found) - 1, -1, -1):
            region = self.found[place]
            if region.last <= start:
                break
            by = before if region.first >= end else after if region.first >= start else 0
            self.found[place] = replace(region, first=region.first + by, last=region.last + (by or after))

    def copy(self, regions: tuple[Region, ...], like: Region, scope: str, start: int, made: Mapping[str, str]) -> None:
        """Note again what is in a block ``like``, for its copy in ``scope`` from node ``start`` on.

        Args:
            regions: those inside the block.
            made: the names of the copied values, by those of the originals.
        """
        old, by = len(like.scope), start - like.first
        for each in regions:
            path, first, last, ends = (
                scope + each.scope[old:],
                each.first + by,
                each.last + by,
                (
                    made[each.source],
                    made[each.result],
                ),
            )
            copied = Region(each.kind, path, each.name, first, last, *ends, each.span, False, each.values, each.given)
            self.found.append(copied)
