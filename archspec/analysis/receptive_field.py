"""How far one position of a map sees (Araujo et al. 2019), along the graph and through its widest path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from archspec.analysis.indexed import SOURCE, IndexedGraph
from archspec.operations.effects import Everywhere, Reach
from archspec.operations.shapes import Size, collapse


class _Interval(NamedTuple):
    """What the first position of a map sees along one axis: from ``first`` to ``last``, in positions of the input.

    Both may lie in the padding. The next position sees ``stride`` further.
    """

    first: int
    last: int
    stride: int


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """The receptive field at ``scope``, the last map before the network looks at everything at once.

    ``size`` and ``stride`` are in pixels of the input, one number where all axes agree; ``centre`` is where the field
    of the first position is centred, in pixels from the first. The field is that of a position away from the borders:
    it may be larger than the input, and in the padding. ``gates_left_out`` counts the gates on the way that were not
    followed: a squeeze-and-excitation gate sees the whole input. A gate that is a map of its own is followed.
    """

    scope: str
    size: Size
    stride: Size
    centre: tuple[float, ...]
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
    size = collapse(tuple(span.last - span.first + 1 for span in found))
    stride = collapse(tuple(span.stride for span in found))
    centre = tuple((span.first + span.last) / 2 for span in found)
    return ReceptiveField(network.nodes[output].name, size, stride, centre, gates)


_Field = tuple[_Interval, ...] | Everywhere | None


def _fields(network: IndexedGraph) -> tuple[list[_Field], dict[int, int]]:
    """The field of every node: spans, the whole map, or None where an operation has no rule; and the gates left out."""
    left_out: dict[int, int] = {}
    fields: list[_Field] = [None] * (len(network.nodes) + 1)
    fields[SOURCE] = (_Interval(0, 0, 1),) * (len(network.graph.input) - 1)
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
            fields[position] = tuple(map(_further, value, facts.reach))
    return fields, left_out


def _is_map(network: IndexedGraph, position: int, gate: int) -> bool:
    """Whether a gate is as large as what it scales, so that each of its positions scales one."""
    return network.shapes[position][gate] == network.nodes[position].shape


def _before(network: IndexedGraph, output: int) -> set[int]:
    """The positions of the nodes on a way to ``output``, which is one of them."""
    found = {output}
    for position in range(output, SOURCE, -1):
        if position in found:
            found.update(network.ways[position])
    return found - {SOURCE}


def _joined(values: list[_Field]) -> _Field:
    """The field of a merge: from the first that any way sees to the last."""
    found: list[tuple[_Interval, ...]] = []
    for value in values:
        if value is None or isinstance(value, Everywhere):
            return value
        if value not in found:
            found.append(value)
    if len(found) == 1:
        return found[0]
    axes = []
    for spans in zip(*found, strict=True):
        firsts, lasts, strides = zip(*spans, strict=True)
        axes.append(_Interval(min(firsts), max(lasts), max(strides)))
    return tuple(axes)


def _further(span: _Interval, reach: Reach) -> _Interval:
    first = span.first - reach.padding * span.stride
    return _Interval(first, span.last + (reach.extent - 1 - reach.padding) * span.stride, span.stride * reach.stride)
