"""Sizes that a stride rounded, so that what enlarges the map again does not give the size that it had."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import NamedTuple

from archspec.diagnostics import cut
from archspec.graph.graph import Node
from archspec.graph.lineage import Lineage
from archspec.graph.merge_ways import MAX_WAY, MergeWays
from archspec.operations.base import Operation, arguments
from archspec.operations.shapes import Shape
from archspec.work import ENTRIES, EXPANDING


class OddSize(NamedTuple):
    """What happened to a size, and what to do about it."""

    note: str
    help: str


class _AxisChange(NamedTuple):
    """What a node makes of the length of an axis; ``rate``: how far apart its positions are in what it reads."""

    node: Node
    before: int
    after: int
    rate: Fraction

    @property
    def rounds(self) -> bool:
        return self.rate > 1 and self.after * self.rate != self.before


def odd_size(ways: MergeWays) -> OddSize | None:
    """Why values of different sizes reach a merge, if a size on the way to it was rounded before it was enlarged.

    Only ways from where they part are looked at: a U-Net's skip leaves before the stride that rounds.
    """
    shapes = [node.shape for node in ways.inputs]
    start = _size(ways.lineage, ways.fork)
    if len({len(shape) for shape in (start, *shapes)}) > 1:
        return None
    for axis in range(1, len(start)):
        sizes = {shape[axis] for shape in shapes}
        for way in ways.ways if len(sizes) > 1 else ():
            changes = _changes(ways.lineage, way, axis)
            if found := _rounded(changes or (), sizes):
                return _told(ways, *found, axis)
    return None


def _size(lineage: Lineage, node: Node | None) -> Shape:
    return node.shape if node else lineage.builder.input


def _changes(lineage: Lineage, way: Sequence[Node], axis: int) -> list[_AxisChange] | None:
    """What each node makes of an axis; None if one of them has no rate."""
    found = []
    for node in way:
        above = _size(lineage, lineage.above(node))
        inputs = tuple([_size(lineage, lineage.by_name.get(name)) for name in node.inputs])
        reach = node.operation.reach(inputs, node.shape)
        if len(above) != len(node.shape) or not isinstance(reach, tuple):
            return None
        rate = Fraction(reach[axis - 1].stride) if reach else Fraction(1)
        found.append(_AxisChange(node, above[axis], node.shape[axis], rate))
    return found


def _rounded(changes: Sequence[_AxisChange], wanted: Collection[int]) -> tuple[_AxisChange, _AxisChange] | None:
    """The last change that rounds a size, and the last that enlarges one after it.

    Only if the rates cancel out from a size that is ``wanted``, so that rounding is the reason.
    """
    last = next((n for n in range(len(changes) - 1, -1, -1) if changes[n].rate < 1), 0)
    rounding = next((each for each in reversed(changes[:last]) if each.rounds), None)
    scale, passed = Fraction(1), False
    for each in reversed(changes):
        scale *= each.rate
        passed = passed or each is rounding
        if rounding and passed and scale == 1 and each.before in wanted:
            return rounding, changes[last]
    return None


def _told(ways: MergeWays, rounding: _AxisChange, enlarging: _AxisChange, axis: int) -> OddSize:
    lineage = ways.lineage
    size = lineage.builder.input[axis]
    word, keys = enlarging.node.operation.name, _by_value(enlarging.node)
    value = _named_like_the_others(ways, enlarging.node) if keys else ""
    told = "which has the size of the other value" if value else "for the size of a kept value"
    advice = [f"write `{word}: {{{key}: {cut(value) or 'NAME'}}}`, {told}" for key in keys]
    if by := _divisor(lineage, rounding.node, axis):
        advice.append(f"use an input size that is divisible by {by}, such as {-(-size // by) * by}")
    note = f"{_divides_to(rounding)}, and {_multiplies_to(enlarging)}"
    return OddSize(note, "; or ".join(advice) or "make the sizes before the merge equal")


def _divides_to(change: _AxisChange) -> str:
    """`` `conv2` halves 7 to 4, rounded up ``."""
    quotient = change.before / change.rate
    name, before, after = f"`{cut(change.node.name)}`", change.before, change.after
    ends = {math.floor(quotient): "rounded down", math.ceil(quotient): "rounded up"}
    if after not in ends:  # a window that does not pad the border
        return f"`{cut(change.node.name)}` takes {before} to {after} with a stride of {change.rate}"
    does = f"halves {before}" if change.rate == 2 else f"divides {before} by {change.rate}"
    return f"{name} {does} to {after}, {ends[after]}"


def _multiplies_to(change: _AxisChange) -> str:
    """`` `upsample` doubles 4 to 8 ``."""
    name, by = f"`{cut(change.node.name)}`", Fraction(change.after, change.before)
    if by == 2:
        return f"{name} doubles {change.before} to {change.after}"
    if by.denominator == 1:
        return f"{name} multiplies {change.before} by {by} to {change.after}"
    return f"{name} enlarges {change.before} to {change.after}"


def _named_like_the_others(ways: MergeWays, enlarging: Node) -> str:
    """The name of a value with the size that the other ways into a merge have, made before ``enlarging``."""
    env = enlarging.provenance.env if enlarging.provenance else None
    if env is None:
        return ""
    names, order = env.kept.names(), ways.lineage.order
    env.work.spend(EXPANDING, 4 + len(names) // ENTRIES, env.span)
    for result, way in zip(ways.inputs, ways.ways, strict=True):
        if enlarging in way:
            continue
        for node in (*reversed(way), *([ways.fork] if ways.fork else ())):
            if node.shape[1:] != result.shape[1:]:
                break
            if node.name in names and order[node.name] < order[enlarging.name]:
                return names[node.name]
    return ""


def _by_value(node: Node) -> list[str]:
    """The arguments with which an operation takes another value."""
    kind: type[Operation] = type(node.operation)
    return [name for name, field in arguments(kind).items() if field.metadata["kind"] == "value"]


def _divisor(lineage: Lineage, node: Node, axis: int) -> int:
    """The product of the strides up to a node, if nothing else changes the size; else 0."""
    way: list[Node] = []
    above: Node | None = node
    while above and len(way) < MAX_WAY:
        way.append(above)
        above = lineage.above(above)
    changes = None if above else _changes(lineage, way, axis)
    if not changes or not all(map(_divides, changes)):
        return 0
    return math.prod([int(each.rate) for each in changes])


def _divides(change: _AxisChange) -> bool:
    """Whether a size becomes its quotient by a whole number, rounded in either direction."""
    quotient = change.before / change.rate
    return change.rate.denominator == 1 and change.after in (math.floor(quotient), math.ceil(quotient))
