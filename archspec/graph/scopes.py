"""What the names of a network mean: nodes, scopes, which are beginnings of names, and parts as tables print them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from archspec.diagnostics import Diagnostic, Span, cut
from archspec.graph.graph import Node, Region

STEM, BETWEEN, HEAD = "stem", "between", "head"

NO_HEAD = "a spec with `heads` has no default head; to add the usual one, write `head: classifier`"
"""The help where someone names the head that a network has by default."""


class NamedPart(NamedTuple):
    """A part of a network: the nodes from ``first`` up to, and without, ``last``; and its region if it is a stage."""

    name: str
    first: int
    last: int
    stage: Region | None = None


def parts(nodes: int, stages: Sequence[Region], heads: Mapping[str, int]) -> list[NamedPart]:
    """The stages, what is before and between them, and the heads, in order.

    Args:
        nodes: how many nodes the network has.
        stages: its stages.
        heads: the positions at which the heads begin, by name and in order; empty if they are not known.
    """
    found: list[NamedPart] = []
    end = 0
    for region in stages:
        if end < region.first:
            found.append(NamedPart(BETWEEN if found else STEM, end, region.first))
        found.append(NamedPart(region.scope, region.first, region.last, region))
        end = region.last
    if not stages and (first := next(iter(heads.values()), 0)):
        found.append(NamedPart(STEM, 0, first))
        end = first
    ends = [*heads.values(), nodes][1:]
    own = [(name, last) for (name, first), last in zip(heads.items(), ends, strict=False) if first < last]
    if end < nodes and not own:
        own = [(HEAD if stages or heads else STEM, nodes)]
    for name, last in own:  # what comes after the last stage belongs to the first head
        if end < last:
            found.append(NamedPart(name, end, last))
            end = last
    return found


def by_name(found: Sequence[NamedPart]) -> dict[str, NamedPart]:
    """The parts by the names that tables print: those of one name are numbered from 1."""
    total, seen = Counter([part.name for part in found]), Counter[str]()
    names = {}
    for part in found:
        seen[part.name] += 1
        names[f"{part.name} ({seen[part.name]})" if total[part.name] > 1 else part.name] = part
    return names


def around(scope: str) -> list[str]:
    """A scope and every scope around it: ``a.b.c``, ``a.b``, ``a``."""
    found = []
    while scope:
        found.append(scope)
        scope = scope.rpartition(".")[0]
    return found


def last_of_scopes(nodes: Sequence[Node]) -> dict[str, str]:
    """For every node and every scope, the name of the last node in it."""
    found = {node.name: node.name for node in nodes}
    own = {node.scope: node.name for node in nodes}  # of each scope, the last node directly in it
    position = {node.name: number for number, node in enumerate(nodes)}
    for scope, name in own.items():
        for each in around(scope):
            if each not in found or position[found[each]] < position[name]:
                found[each] = name
    return found


def ambiguous(name: str, part: str, span: Span) -> Diagnostic:
    """The fault of a name that is a part and also a scope with other nodes."""
    message = f"`{cut(name)}` is the {part} of the network, and also a scope with other nodes"
    help = "name a scope or a node inside it, or give the scope another name; `archspec show --graph` prints all names"
    return Diagnostic("E316", message, span, help=help)
