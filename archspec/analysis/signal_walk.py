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
from archspec.operations.following import by_chance
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
    known: dict[tuple[int, bool], SignalRule] = {}  # nodes that are alike have the very same facts
    silent: dict[str, None] = {}
    for position, (facts, sources) in enumerate(zip(network.facts, network.sources, strict=True)):
        node = network.nodes[position]
        key = id(facts), node.name in graph.frozen
        rule = known.get(key)
        if rule is None:
            usage = Usage(network.shapes[position], node.shape, graph.init)
            operation = node.operation.in_eval() if key[1] else node.operation
            rule = known[key] = SignalRule(operation, usage, facts.gates)
        rules.append(rule)
        values = tuple([signals[source] for source in sources])
        if silent and not all(values):
            continue
        found = rule.operation.signal(rule.usage, values)
        if found is None:
            silent[rule.operation.called] = None
        else:
            signals[position] = found
    return Signals(rules, signals, tuple(silent))


class Spot(NamedTuple):
    """Where the gradient of one position is, along each axis: the mean and the mean square of its positions."""

    mean: tuple[float, ...]
    square: tuple[float, ...]


class Backward(NamedTuple):
    """What comes back to every node, that to the input last: the gradient, and by position its energy and its way.

    ``energies`` are those of all elements together, and ``residuals`` the shares of them that a block's residual gave.
    ``places`` are where the gradient is: of the energy ``placed``, since gates, which see whole maps, are left out.
    Where no gradient comes, the gradient is None and the energy 0.
    """

    gradients: list[Gradient | None]
    energies: list[float]
    residuals: list[float]
    places: list[Spot | None]
    placed: list[float]

    def arrive(self, at: int, law: Signal, part: Gradient, energy: float, residual: float, place: Spot | None) -> None:
        """Add what comes to the value at a position, which the laws of ``law`` describe, on one more way."""
        known, placed = self.gradients[at], energy if place else 0.0
        if known is None:
            self.gradients[at], self.energies[at], self.residuals[at] = part, energy, residual
            self.places[at], self.placed[at] = place, placed
            return
        self.gradients[at] = tuple(map(summed, law, known, part))
        before = self.energies[at]
        total = self.energies[at] = before + energy
        if total:
            self.residuals[at] = (self.residuals[at] * before + residual * energy) / total
        own, other = self.placed[at], self.places[at]
        self.placed[at] = own + placed
        self.places[at] = other or place
        if other and place and own + placed:
            mean, square = (_between(a, b, own / (own + placed)) for a, b in zip(other, place, strict=True))
            self.places[at] = Spot(mean, square)


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
    size = len(network.nodes) + 1
    found = Backward([None] * size, [0.0] * size, [0.0] * size, [None] * size, [0.0] * size)
    gradients, energies, residuals, places, _ = found
    start = uniform(ahead.signals[output], 1.0, 0.0)
    if len(start) == 1:
        chance = by_chance(ahead.signals[output][0], 1.0, math.prod(network.nodes[output].shape))
        start = (start[0]._replace(following=chance),)
    gradients[output] = start
    energies[output] = float(math.prod(network.nodes[output].shape))
    signals, rules, all_sources = ahead.signals, ahead.rules, network.sources
    for position in range(output, SOURCE, -1):
        back = gradients[position]
        if back is None:
            continue
        if position == seen_from:
            origin = (0.0,) * (len(network.nodes[position].shape) - 1)
            places[position] = Spot(origin, origin)
        rule, sources = rules[position], all_sources[position]
        values = tuple([signals[source] for source in sources])
        parts = rule.operation.gradient(rule.usage, values, signals[position], back)
        shortcuts, here, residual = merges.get(position), places[position], residuals[position]
        place = here if here is None or rule.axes == () else _placed(rule.axes, here)
        for i, (source, value, part, elements) in enumerate(
            zip(sources, values, parts, rule.usage.elements, strict=True)
        ):
            energy = (part[0].energy if len(part) == 1 else mean_energy(value, part)) * elements
            if shortcuts is not None:
                residual = 0.0 if i in shortcuts else 1.0
            found.arrive(source, value, part, energy, residual, None if i in rule.gates else place)
    return found


def _placed(axes: _Axes | None, place: Spot) -> Spot | None:
    """Where in the input of an operation the gradient is that is at ``place`` in its output."""
    if axes is None:
        return None
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
