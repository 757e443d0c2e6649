"""The signal forward and the gradient backward through a graph at initialization, node by node."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from archspec.analysis.indexed import IndexedGraph
from archspec.graph.storage import SOURCE
from archspec.operations.base import Operation
from archspec.operations.effects import Everywhere
from archspec.operations.shapes import Shape
from archspec.operations.signal import Gradient, Law, Signal, Usage, mean_energy, summed, uniform

_Axes = tuple[tuple[float, float, float], ...]
"""Along each axis, the stride, the shift of the middle, and the variance of what is read."""

NOISE = Law(1, 0.0, 1.0)
"""Standardized input: independent pixels of mean 0 and variance 1."""


class SignalRule:
    """The rules of an operation at one size of inputs, wherever it is in the network."""

    __slots__ = ("axes", "gates", "operation", "usage")

    def __init__(self, operation: Operation, usage: Usage, gates: frozenset[int]) -> None:
        self.operation, self.usage, self.gates = operation, usage, gates
        self.axes = _axes(operation, usage.inputs, usage.output)


class Signals(NamedTuple):
    """The rules and the signal of every node, the signal of the input last; and the operations that have no rule."""

    rules: list[SignalRule]
    signals: list[Signal]
    unavailable: tuple[str, ...]


def forward(network: IndexedGraph) -> Signals:
    """The signal at every node. Behind an operation without a rule, the signals are empty."""
    graph = network.graph
    signals: list[Signal] = [()] * (len(network.nodes) + 1)
    signals[SOURCE] = (NOISE._replace(channels=graph.input[0]),)
    rules = []
    known: dict[int, SignalRule] = {}  # nodes that are alike have the very same facts
    silent: dict[str, None] = {}
    for position, (facts, sources) in enumerate(zip(network.facts, network.sources, strict=True)):
        rule = known.get(id(facts))
        if rule is None:
            node = network.nodes[position]
            usage = Usage(network.shapes[position], node.shape, graph.init)
            rule = known[id(facts)] = SignalRule(node.operation, usage, facts.gates)
        rules.append(rule)
        values = tuple([signals[source] for source in sources])
        if not all(values):
            continue
        found = rule.operation.signal(rule.usage, values)
        if found is None:
            silent[rule.operation.name] = None
        else:
            signals[position] = found
    return Signals(rules, signals, tuple(silent))


class Spot(NamedTuple):
    """Where the gradient of one position is, along each axis: the mean and the mean square of its positions."""

    mean: tuple[float, ...]
    square: tuple[float, ...]


class Arrived(NamedTuple):
    """What has come back to a value: its energy, that part of it that a block's residual gave, and where it is.

    ``placed`` is the energy that ``place`` tells of: gates, which see whole maps, are left out.
    """

    energy: float
    residual: float
    placed: float = 0.0
    place: Spot | None = None

    def and_from(self, other: Arrived) -> Arrived:
        """This and what comes on another way."""
        place, placed = self.place or other.place, self.placed + other.placed
        if self.place and other.place and placed:
            share = self.placed / placed
            mean, square = (_between(a, b, share) for a, b in zip(self.place, other.place, strict=True))
            place = Spot(mean, square)
        return Arrived(self.energy + other.energy, self.residual + other.residual, placed, place)


class Backward(NamedTuple):
    """The gradient at every node, that at the input last, and what arrived there; None where no gradient comes."""

    gradients: list[Gradient | None]
    arrived: list[Arrived | None]


def backward(
    network: IndexedGraph, ahead: Signals, output: int, seen_from: int | None, merges: Mapping[int, frozenset[int]]
) -> Backward:
    """The gradient of a loss whose gradient at ``output`` is noise.

    Args:
        network: the graph.
        ahead: its signals, all of which are known.
        output: the position of the last node.
        seen_from: the position of the map whose effective receptive field is asked for, if any.
        merges: for each node that merges a shortcut with a residual, which of its inputs are shortcuts.
    """
    gradients: list[Gradient | None] = [None] * (len(network.nodes) + 1)
    arrived: list[Arrived | None] = [None] * (len(network.nodes) + 1)
    gradients[output] = uniform(ahead.signals[output], 1.0, 0.0)
    arrived[output] = Arrived(math.prod(network.nodes[output].shape), 0.0)
    signals, rules = ahead.signals, ahead.rules
    for position in range(output, SOURCE, -1):
        back, here = gradients[position], arrived[position]
        if back is None or here is None:
            continue
        if position == seen_from:
            origin = (0.0,) * (len(network.nodes[position].shape) - 1)
            here = arrived[position] = here._replace(placed=here.energy, place=Spot(origin, origin))
        rule, sources = rules[position], network.sources[position]
        values = tuple([signals[source] for source in sources])
        found = rule.operation.gradient(rule.usage, values, signals[position], back)
        shortcuts, elements = merges.get(position), rule.usage.elements
        carried = here.residual / here.energy if here.energy else 0.0
        there = _placed(rule.axes, here.place) if here.place else None
        for i, (source, each) in enumerate(zip(sources, found, strict=True)):
            energy = mean_energy(values[i], each) * elements[i]
            residual = carried * energy
            if shortcuts is not None:
                residual = 0.0 if i in shortcuts else energy
            place = there if i not in rule.gates else None
            part = Arrived(energy, residual, energy if place else 0.0, place)
            known, before = gradients[source], arrived[source]
            if known is None or before is None:
                gradients[source], arrived[source] = each, part
            else:
                gradients[source] = tuple(map(summed, values[i], known, each))
                arrived[source] = before.and_from(part)
    return Backward(gradients, arrived)


def _placed(axes: _Axes | None, place: Spot) -> Spot | None:
    """Where in the input of an operation the gradient is that is at ``place`` in its output."""
    if axes is None:
        return None
    if not axes:
        return place
    mean, square = [], []
    for (stride, shift, spread), m, s in zip(axes, *place, strict=True):
        mean.append(stride * m + shift)
        square.append(stride * (stride * s + 2 * shift * m) + shift * shift + spread)
    return Spot(tuple(mean), tuple(square))


@functools.lru_cache(4096)
def _axes(operation: Operation, inputs: tuple[Shape, ...], output: Shape) -> _Axes | None:
    """What the operation reads; empty: in place."""
    reach = operation.reach(inputs, output)
    if reach is None or isinstance(reach, Everywhere):
        return None
    spreads = operation.spread(inputs, output)
    found = [
        (float(axis.stride), (axis.extent - 1) / 2 - float(axis.padding), spread)
        for axis, spread in zip(reach, spreads, strict=True)
    ]
    return () if all(each == (1.0, 0.0, 0.0) for each in found) else tuple(found)


def _between(first: Sequence[float], other: Sequence[float], share: float) -> tuple[float, ...]:
    return tuple([share * a + (1 - share) * b for a, b in zip(first, other, strict=True)])
