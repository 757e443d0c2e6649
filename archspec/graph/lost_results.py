"""A warning for steps whose result nothing reads, because the next step goes on from another value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from archspec.diagnostics import Faults, Span
from archspec.graph.graph import Node
from archspec.language.silence import unless_meant

HELP = "keep the result with `as` and read it, or remove the step"


def warn_of_lost_results(nodes: Sequence[Node], ends: Collection[str], kept: Mapping[str, str], faults: Faults) -> None:
    """Warn of each node that no node reads.

    Args:
        ends: the values that are read from outside: the outputs, and what the stem and the head give.
        kept: nodes that have a name, of which an own warning tells if nothing reads it.
    """
    read = {name for node in nodes for name in node.inputs}.union(ends, kept)
    told: set[Span] = set()
    for node in nodes:
        if node.name not in read and node.span and node.span not in told:
            told.add(node.span)
            message = f"nothing reads the result of this step, `{node.name}`: the next step goes on from another value"
            faults.record("W311", message, node.span, help=unless_meant("W311", HELP))
