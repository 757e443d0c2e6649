"""A warning for steps whose result nothing reads, because the next step goes on from another value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from archspec.diagnostics import Faults, Span, cut
from archspec.graph.graph import Node, Region
from archspec.language.authors import Authors
from archspec.language.silence import unless_meant
from archspec.wording import first_of

HELP = "keep the result with `as` and read it, or remove the step"
INHERITED = "to use it, read it with `from`"


def warn_of_lost_results(
    nodes: Sequence[Node],
    regions: Sequence[Region],
    ends: Collection[str],
    kept: Mapping[str, str],
    authors: Authors,
    faults: Faults,
) -> None:
    """Warn of each node that no node reads.

    Args:
        regions: the stages and blocks.
        ends: the values that are read from outside: the outputs, and what the stem and the head give.
        kept: nodes that have a name, of which an own warning tells if nothing reads it.
        authors: what is the spec's own. The steps of a spec that it extends are not for it to remove.
    """
    read = {name for node in nodes for name in node.inputs}.union(ends, kept)
    told: set[Span] = set()
    unneeded: Mapping[int, str] | None = None
    for position, node in enumerate(nodes):
        if node.name not in read and node.span and node.span not in told:
            told.add(node.span)
            if authors.own(node.span.source):
                what = f"nothing reads the result of this step, `{node.name}`"
                message = f"{what}: the next step goes on from another value"
                faults.record("W311", message, node.span, help=unless_meant("W311", HELP))
                continue
            unneeded = _unneeded_stages(nodes, regions, {*ends, *kept}) if unneeded is None else unneeded
            scopes = list(dict.fromkeys(unneeded.values())) if position in unneeded else [node.name]
            are = "is" if len(scopes) == 1 else "are"
            shown = first_of(f"`{cut(scope)}`" for scope in scopes)
            message = f"{shown} {are} not needed for the outputs, and {are} left out"
            faults.record("W311", message, node.span, help=unless_meant("W311", INHERITED))


def _unneeded_stages(nodes: Sequence[Node], regions: Sequence[Region], ends: Collection[str]) -> dict[int, str]:
    """The scopes of the stages without a node that leads to an end, by the positions of their nodes."""
    needed = set(ends)
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(node.inputs)
    stages = [region for region in regions if region.kind == "stage"]
    lost = [each for each in stages if all(node.name not in needed for node in nodes[each.first : each.last])]
    return {position: region.scope for region in lost for position in range(region.first, region.last)}
