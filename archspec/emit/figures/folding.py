"""Many equal parallel branches as one, with their number."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

from archspec.emit.figures.parts import Box, Card, Frame, Junction, Mesh, Part, Parts, Split

_FEWEST = 4
"""The fewest equal branches that are drawn as one: a reader counts three at a glance."""


def alike(branches: Sequence[Parts]) -> list[list[int]]:
    """The positions of branches that are drawn as one, in the order of the first of each."""
    if len(branches) < _FEWEST:
        return [[index] for index in range(len(branches))]
    equal: dict[Hashable, list[int]] = {}
    for index, branch in enumerate(branches):
        equal.setdefault(_look(branch), []).append(index)
    groups = [group for group in equal.values() if len(group) >= _FEWEST and branches[group[0]]]
    many = {index for group in groups for index in group}
    return sorted([*groups, *[[index] for index in range(len(branches)) if index not in many]])


def folded(branches: Sequence[Parts]) -> Parts:
    """Equal branches as one frame with their number; a single branch unchanged."""
    first, *others = branches
    if not others:
        return first
    inside = tuple([_joined(parts) for parts in zip(*branches, strict=True)])
    return (Frame(f"\N{MULTIPLICATION SIGN}{len(branches)}", inside, count=len(branches)),)


def _look(part: Part | Junction | Parts) -> Hashable:
    """Everything that is drawn of a part: all but the names of its operations."""
    if isinstance(part, tuple):
        return tuple(map(_look, part))
    if isinstance(part, Split):
        merge = _look(part.merge) if part.merge else None
        return (tuple(map(_look, part.branches)), merge, part.main, part.gates, part.weighted, part.measured)
    if isinstance(part, Mesh):
        return (tuple(map(_look, part.members)), part.wires, part.ends, part.measured)
    if isinstance(part, Box | Card | Junction):
        return replace(part, nodes=())
    return (part.label, _look(part.parts))  # a frame: bands are only on the spine


def _joined(parts: Sequence[Part]) -> Part:
    """The first of equal parts, for the operations of all of them."""
    first = parts[0]
    if isinstance(first, Box | Card):
        return replace(first, nodes=_nodes(parts))
    if isinstance(first, Split):
        merges = [part.merge for part in parts if isinstance(part, Split) and part.merge]
        ways = zip(*[part.branches for part in parts if isinstance(part, Split)], strict=True)
        branches = tuple([tuple([_joined(each) for each in zip(*way, strict=True)]) for way in ways])
        merge = replace(merges[0], nodes=_nodes(merges)) if merges else None
        return replace(first, branches=branches, merge=merge)
    if isinstance(first, Mesh):
        columns = list(zip(*[part.members for part in parts if isinstance(part, Mesh)], strict=True))
        return replace(first, members=tuple([replace(column[0], nodes=_nodes(column)) for column in columns]))
    inside = zip(*[part.parts for part in parts if isinstance(part, Frame)], strict=True)
    return replace(first, parts=tuple([_joined(each) for each in inside]))


def _nodes(parts: Sequence[Part | Junction]) -> tuple[str, ...]:
    return tuple([name for part in parts if isinstance(part, Box | Card | Junction) for name in part.nodes])
