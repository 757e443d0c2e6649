"""How far one position of a map sees (Araujo et al. 2019), along the graph and through its widest path."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import sub
from typing import NamedTuple

from archspec.analysis.indexed import IndexedGraph
from archspec.graph.storage import SOURCE
from archspec.operations.effects import Everywhere, Reach
from archspec.operations.shapes import Shape, Size, collapse
from archspec.wording import Brief

MAX_FIELD = 2**40
"""A field of more pixels, or of positions further apart, is that of the whole map. No input is as large, and in a
network of many strides the numbers would have thousands of digits."""

MAX_PATTERN = 256
"""If the fields of neighbors repeat only after more positions, a map counts as one that sees everything. Resampling a
signal from 44.1 to 16 kHz repeats after 160 positions."""


class _Interval(NamedTuple):
    """What the first positions of a map see along one axis: from ``firsts`` to ``lasts``, in positions of the input.

    Both may lie in the padding. As many positions further, they see ``shift`` further. There is a single position
    until an operation has a stride that is a fraction; then neighbors see fields of different sizes. The positions are
    those of a pattern that repeats, or all of the map if this is shorter; ``shift`` may then be a fraction.
    """

    firsts: tuple[int, ...]
    lasts: tuple[int, ...]
    shift: int | Fraction

    def seen(self, starts: Iterable[int], ends: Iterable[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """From where to where the positions from each of ``starts`` to each of ``ends`` see together."""
        length, up, down = len(self.firsts), self.shift.numerator, self.shift.denominator
        firsts = tuple([self.firsts[start % length] + start // length * up // down for start in starts])
        return firsts, tuple([self.lasts[end % length] + end // length * up // down for end in ends])

    def repeated(self, length: int) -> _Interval:
        """The same, told of the first ``length`` positions."""
        firsts, lasts = self.seen(range(length), range(length))
        return _Interval(firsts, lasts, _whole(Fraction(self.shift * length, len(self.firsts))))


@dataclass(frozen=True, slots=True, repr=False)
class ReceptiveField(Brief):
    """The receptive field at ``scope``, the last map before the network looks at everything at once.

    ``size`` and ``stride`` are in pixels of the input, one number where all axes agree; ``center`` is where the field
    of the first position is centered, in pixels from the first. The field is that of a position away from the borders:
    it may be larger than the input, and in the padding. Behind an adaptive pool to a size that does not divide its
    input's, and behind an operation that enlarges, positions see fields of different sizes: ``size`` is the largest,
    and ``stride`` the mean, which may be a fraction. ``gates_left_out`` counts the gates on the way that were not
    followed: a squeeze-and-excitation gate sees the whole input. A gate that is a map of its own is followed.
    """

    scope: str
    size: Size
    stride: float | tuple[float, ...]
    center: tuple[float, ...]
    gates_left_out: int


def receptive_field(network: IndexedGraph, output: int) -> ReceptiveField | None:
    """The receptive field on the way to the node at position ``output``; None where a rule is missing, or no map is."""
    return receptive_fields(network, [output])[0]


def receptive_fields(network: IndexedGraph, outputs: Iterable[int]) -> list[ReceptiveField | None]:
    """The receptive fields on the way to several nodes, by position."""
    fields, left_out = _fields(network)
    return [_on_the_way(network, output, fields, left_out) for output in outputs]


def _on_the_way(
    network: IndexedGraph, output: int, fields: Sequence[_Field], left_out: Mapping[int, int]
) -> ReceptiveField | None:
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
        if len(ways) == 1:
            value = fields[ways[0]]
        else:
            value = _joined([fields[way] for way in ways], network.nodes[position].shape[1:])
        if facts.gates:
            sources = network.sources[position]
            gates = facts.gates - network.nodes[position].operation.measured(network.shapes[position])
            maps = [fields[sources[i]] for i in gates if _is_map(network, position, i)]
            followed = [each for each in maps if not isinstance(each, Everywhere)]
            left_out[position] = len(gates) - len(followed)
            value = _joined([value, *followed], network.nodes[position].shape[1:])
        if facts.local or value is None:
            fields[position] = value
        elif facts.reach is None:
            fields[position] = None
        elif isinstance(value, Everywhere) or isinstance(facts.reach, Everywhere):
            fields[position] = Everywhere()
        else:
            further = _further(value, facts.reach, network.nodes[position].shape[1:])
            fields[position] = Everywhere() if any(map(_beyond, further)) else further
    return fields, left_out


def _beyond(span: _Interval) -> bool:
    longest = max(span.shift, span.lasts[0] - span.firsts[0])
    return longest > MAX_FIELD or len(span.firsts) > MAX_PATTERN


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


def _joined(values: list[_Field], sizes: Shape) -> _Field:
    """The field of a merge of maps of these sizes: from the first that any way sees to the last."""
    different: dict[tuple[_Interval, ...], None] = {}
    for value in values:
        if value is None or isinstance(value, Everywhere):
            return value
        different[value] = None
    found = list(different)
    if len(found) == 1:
        return found[0]
    together: tuple[_Interval, ...]
    if all(_alike(value) for value in found) and _alike(sizes):
        together = (_union([value[0] for value in found], sizes[0]),) * len(found[0])
    else:
        together = tuple(map(_union, zip(*found, strict=True), sizes))
    return Everywhere() if _beyond(together[0]) or any(map(_beyond, together[1:])) else together


def _alike(axes: tuple[object, ...]) -> bool:
    return axes.count(axes[0]) == len(axes)


def _union(spans: Sequence[_Interval], size: int) -> _Interval:
    firsts, lasts, shifts = zip(*spans, strict=True)
    length = min(math.lcm(*map(len, firsts)), size, MAX_PATTERN + 1)
    if length > 1:
        firsts, lasts, shifts = zip(*[span.repeated(length) for span in spans], strict=True)
    return _Interval(tuple(map(min, *firsts)), tuple(map(max, *lasts)), max(shifts))


def _further(field: tuple[_Interval, ...], reaches: tuple[Reach, ...], sizes: Shape) -> tuple[_Interval, ...]:
    """The field of a map of these sizes, behind an operation of these reaches; axes are mostly alike."""
    if _alike(field) and _alike(reaches) and _alike(sizes):
        return (_behind(field[0], reaches[0], sizes[0]),) * len(field)
    return tuple(map(_behind, field, reaches, sizes))


def _behind(span: _Interval, reach: Reach, size: int) -> _Interval:
    firsts, lasts, shift = span
    extent, stride, padding, end = reach
    whole = len(firsts) == 1 and end is None
    if whole and isinstance(stride, int) and isinstance(padding, int) and isinstance(shift, int):
        first, last = firsts[0] - padding * shift, lasts[0] + (extent - 1 - padding) * shift
        return _Interval((first,), (last,), shift * stride)
    period = stride.denominator * len(firsts)
    length = min(period // math.gcd(stride.numerator, period), size, MAX_PATTERN + 1)
    if stride == 1 and isinstance(padding, int) and end is None:
        firsts = _turned(firsts, shift, -padding)[:length]
        lasts = _turned(lasts, shift, extent - 1 - padding)[:length]
    else:
        common = math.lcm(stride.denominator, padding.denominator, end.denominator if end is not None else 1)
        step, before = int(stride * common), int(padding * common)
        starts = [(position * step - before) // common for position in range(length)]
        ends = [start + extent - 1 for start in starts]
        if end is not None:
            ends = [(position * step + int(end * common)) // common for position in range(length)]
        firsts, lasts = span.seen(starts, ends)
    return _Interval(firsts, lasts, _whole(Fraction(shift * length * stride) / len(span.firsts)))


def _turned(values: tuple[int, ...], shift: int | Fraction, by: int) -> tuple[int, ...]:
    """What the positions ``by`` further see, without asking for one at a time: long patterns repeat in many layers."""
    turns, place = divmod(by, len(values))
    before, after = math.floor(turns * shift), math.floor((turns + 1) * shift)
    return (*[value + before for value in values[place:]], *[value + after for value in values[:place]])


def _whole(number: Fraction) -> int | Fraction:
    return number.numerator if number.denominator == 1 else number


def _quotient(number: int | Fraction, by: int) -> float:
    """The quotient, as an integer if it has no fraction."""
    found = Fraction(number) / by
    return found.numerator if found.denominator == 1 else float(found)
