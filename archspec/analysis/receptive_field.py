"""How far one position of a map sees (Araujo et al. 2019), along the graph and through its widest path."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import sub
from typing import NamedTuple

from archspec.analysis.indexed import IndexedGraph
from archspec.graph.storage import SOURCE
from archspec.operations.effects import Everywhere, Reach
from archspec.operations.shapes import Size, collapse

MAX_FIELD = 2**40
"""A field of more pixels, or of positions further apart, is that of the whole map. No input is as large, and in a
network of many strides the numbers would have thousands of digits."""


class _Interval(NamedTuple):
    """What the first positions of a map see along one axis: from ``firsts`` to ``lasts``, in positions of the input.

    Both may lie in the padding. As many positions further, they see ``shift`` further. There is a single position
    until an operation enlarges; then neighbors see fields of different sizes.
    """

    firsts: tuple[int, ...]
    lasts: tuple[int, ...]
    shift: int

    def seen(self, start: int, end: int) -> tuple[int, int]:
        """From where to where the positions from ``start`` to ``end`` see together."""
        first, last = divmod(start, len(self.firsts)), divmod(end, len(self.firsts))
        return self.firsts[first[1]] + first[0] * self.shift, self.lasts[last[1]] + last[0] * self.shift

    def repeated(self, length: int) -> _Interval:
        """The same, told of the first ``length`` positions."""
        firsts, lasts = zip(*[self.seen(position, position) for position in range(length)], strict=True)
        return _Interval(firsts, lasts, self.shift * length // len(self.firsts))


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """The receptive field at ``scope``, the last map before the network looks at everything at once.

    ``size`` and ``stride`` are in pixels of the input, one number where all axes agree; ``center`` is where the field
    of the first position is centered, in pixels from the first. The field is that of a position away from the borders:
    it may be larger than the input, and in the padding. Behind an operation that enlarges, positions may see fields of
    different sizes: ``size`` is the largest, and ``stride`` the mean, which may be a fraction. ``gates_left_out``
    counts the gates on the way that were not followed: a squeeze-and-excitation gate sees the whole input. A gate that
    is a map of its own is followed.
    """

    scope: str
    size: Size
    stride: float | tuple[float, ...]
    center: tuple[float, ...]
    gates_left_out: int


def receptive_field(network: IndexedGraph, output: int) -> ReceptiveField | None:
    """The receptive field on the way to the node at position ``output``; None where a rule is missing, or no map is."""
    fields, left_out = _fields(network)
    while output != SOURCE and isinstance(fields[output], Everywhere):
        output = network.ways[output][0]
    found = fields[output]
    if output == SOURCE or found is None or isinstance(found, Everywhere):
        return None
    gates = sum([left_out.get(position, 0) for position in _before(network, output)]) if left_out else 0
    size = collapse(tuple(max(map(sub, span.lasts, span.firsts)) + 1 for span in found))
    stride = collapse(tuple(_quotient(span.shift, len(span.firsts)) for span in found))
    center = tuple((span.firsts[0] + span.lasts[0]) / 2 for span in found)
    return ReceptiveField(network.nodes[output].name, size, stride, center, gates)


_Field = tuple[_Interval, ...] | Everywhere | None


def _fields(network: IndexedGraph) -> tuple[list[_Field], dict[int, int]]:
    """The field of every node: spans, the whole map, or None where an operation has no rule; and the gates left out."""
    left_out: dict[int, int] = {}
    fields: list[_Field] = [None] * (len(network.nodes) + 1)
    fields[SOURCE] = (_Interval((0,), (0,), 1),) * (len(network.graph.input) - 1)
    for position, (facts, ways) in enumerate(zip(network.facts, network.ways, strict=True)):
        value = fields[ways[0]] if len(ways) == 1 else _joined([fields[way] for way in ways])
        if facts.gates:
            sources = network.sources[position]
            maps = [fields[sources[i]] for i in facts.gates if _is_map(network, position, i)]
            followed = [each for each in maps if not isinstance(each, Everywhere)]
            left_out[position] = len(facts.gates) - len(followed)
            value = _joined([value, *followed])
        if facts.local or value is None:
            fields[position] = value
        elif facts.reach is None:
            fields[position] = None
        elif isinstance(value, Everywhere) or isinstance(facts.reach, Everywhere):
            fields[position] = Everywhere()
        else:
            further = _further(value, facts.reach)
            fields[position] = Everywhere() if any(map(_beyond, further)) else further
    return fields, left_out


def _beyond(span: _Interval) -> bool:
    return span.shift > MAX_FIELD or span.lasts[0] - span.firsts[0] > MAX_FIELD


def _is_map(network: IndexedGraph, position: int, gate: int) -> bool:
    """Whether a gate is as large as what it scales, so that each of its positions scales one."""
    return network.shapes[position][gate] == network.nodes[position].shape


def _before(network: IndexedGraph, output: int) -> set[int]:
    """The positions of the nodes on a way to ``output``, including its own."""
    found = {output}
    for position in range(output, SOURCE, -1):
        if position in found:
            found.update(network.ways[position])
    return found - {SOURCE}


def _joined(values: list[_Field]) -> _Field:
    """The field of a merge: from the first that any way sees to the last."""
    different: dict[tuple[_Interval, ...], None] = {}
    for value in values:
        if value is None or isinstance(value, Everywhere):
            return value
        different[value] = None
    found = list(different)
    if len(found) == 1:
        return found[0]
    if all(_alike(value) for value in found):
        return (_union([value[0] for value in found]),) * len(found[0])
    return tuple(map(_union, zip(*found, strict=True)))


def _alike(axes: tuple[object, ...]) -> bool:
    return axes.count(axes[0]) == len(axes)


def _union(spans: Sequence[_Interval]) -> _Interval:
    length = math.lcm(*[len(span.firsts) for span in spans])
    if length > 1:
        spans = [span.repeated(length) for span in spans]
    firsts, lasts, shifts = zip(*spans, strict=True)
    return _Interval(tuple(map(min, *firsts)), tuple(map(max, *lasts)), max(shifts))


def _further(field: tuple[_Interval, ...], reaches: tuple[Reach, ...]) -> tuple[_Interval, ...]:
    """The field behind an operation of these reaches; axes are mostly alike."""
    if _alike(field) and _alike(reaches):
        return (_behind(field[0], reaches[0]),) * len(field)
    return tuple(map(_behind, field, reaches))


def _behind(span: _Interval, reach: Reach) -> _Interval:
    firsts, lasts, shift = span
    extent, stride, padding = reach
    if len(firsts) == 1 and isinstance(stride, int) and isinstance(padding, int):
        first, last = firsts[0] - padding * shift, lasts[0] + (extent - 1 - padding) * shift
        return _Interval((first,), (last,), shift * stride)
    period = stride.denominator * len(firsts)
    length = period // math.gcd(stride.numerator, period)
    starts = [math.floor(position * stride - padding) for position in range(length)]
    firsts, lasts = zip(*[span.seen(start, start + extent - 1) for start in starts], strict=True)
    return _Interval(firsts, lasts, length * stride.numerator // period * shift)


def _quotient(number: int, by: int) -> float:
    """The quotient of two integers, as an integer if it has no fraction."""
    return number // by if number % by == 0 else number / by
