"""The signal at initialization, predicted from the graph: activations, gradients, what a position sees, and paths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from archspec.analysis.indexed import IndexedGraph, index_graph
from archspec.analysis.receptive_field import receptive_field
from archspec.analysis.signal_text import signal_text
from archspec.analysis.signal_walk import Backward, Signals, backward, forward
from archspec.display import plain
from archspec.door import door
from archspec.graph.storage import SOURCE
from archspec.language.overrides import Overrides
from archspec.operations.shapes import Shape, Size, collapse
from archspec.operations.signal import mixed
from archspec.passes.compiling import SpecLike, compile
from archspec.screen import as_text
from archspec.wording import Brief
from archspec.work import Limits


@dataclass(frozen=True, slots=True, repr=False)
class BlockSignal(Brief):
    """A block at initialization: the variance of its output, and the norm of the gradient there.

    The norm is relative to that at the last block's output. ``residual_share`` is the share of the gradient's energy
    that comes to the block's input through its residual; None for a block without a shortcut.
    """

    scope: str
    activation_variance: float
    gradient_norm: float
    residual_share: float | None = None


@dataclass(frozen=True, slots=True, repr=False)
class EffectiveField(Brief):
    """Where the gradient of one position of a map is in the input, away from the borders.

    ``deviation`` is the standard deviation of the positions, each weighted with the square of the gradient there, in
    pixels; ``size`` is four deviations, which hold 95 % of a Gaussian. Both are one number where all axes agree.
    """

    deviation: float | tuple[float, ...]
    size: float | tuple[float, ...]


@dataclass(frozen=True, slots=True, repr=False)
class PathLengths(Brief):
    """The lengths, in residuals taken, of the paths that the gradient takes.

    ``counts`` are the shares of the gradient's energy by length, from 0 on; they sum to 1.
    """

    mean: float
    counts: tuple[float, ...]


@dataclass(frozen=True, slots=True, repr=False)
class SignalReport(Brief):
    """What is predicted of a network at initialization.

    ``gradient_span`` are the decades from the smallest to the largest norm of the gradient at a block.
    ``receptive_field`` is the theoretical one, to compare. ``unavailable`` names the operations without a rule; if
    there are any, the figures are None and ``blocks`` is empty.

    >>> import archspec
    >>> report = archspec.signal("plain20_cifar")
    >>> [block.scope for block in report.blocks][:2], report.path_length is None
    (['layer1.0', 'layer1.1'], True)
    """

    name: str
    output: Shape
    blocks: tuple[BlockSignal, ...]
    gradient_span: float | None
    effective_receptive_field: EffectiveField | None
    path_length: PathLengths | None
    receptive_field: Size | None = None
    unavailable: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The figures with a bar for each block, as ``archspec signal`` prints them."""
        return as_text(signal_text(self))

    def as_data(self) -> dict[str, Any]:
        """Everything as plain data, for JSON."""
        field, lengths = self.effective_receptive_field, self.path_length
        return {
            "name": self.name,
            "blocks": [plain(each, *BlockSignal.__dataclass_fields__) for each in self.blocks],
            "gradient_span": self.gradient_span,
            "effective_receptive_field": field and plain(field, "deviation", "size"),
            "receptive_field": plain(self, "receptive_field")["receptive_field"],
            "path_length": lengths and plain(lengths, "mean", "counts"),
            "unavailable": list(self.unavailable),
        }


@door
def signal(
    spec: SpecLike,
    *,
    input: Sequence[int] | None = None,
    overrides: Overrides = (),
    allow_outside: bool = False,
    limits: Limits | None = None,
) -> SignalReport:
    """Predict activations and gradients at initialization from the graph alone; torch is not imported.

    Args:
        spec: a spec, a compiled graph, or what :func:`load` takes: a path, a zoo name, YAML text.
        input: another input than the spec's, of the same rank: channels and one to three sizes.
        overrides: values to set in the spec, as in :func:`load`; only for a spec that is not loaded yet.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder; not for a loaded spec.
        limits: how large a network may become.

    Raises:
        SpecError: the spec is refused, or the input is of another rank.
        TypeError: an argument of the wrong type.
        ValueError: an invalid input.

    The method is that of mean fields: Poole et al. 2016, Schoenholz et al. 2017; for residual networks Yang and
    Schoenholz 2017, for batch norm Yang et al. 2019. The effective receptive field is that of Luo et al. 2016, and the
    paths are those of Veit et al. 2016.

    >>> import archspec
    >>> report = archspec.signal("resnet20_cifar")
    >>> len(report.blocks), report.blocks[-1].gradient_norm, 0.3 < report.gradient_span < 1
    (9, 1.0, True)
    """
    graph = compile(spec, input=input, overrides=overrides, allow_outside=allow_outside, limits=limits)
    return predict(index_graph(graph))


def predict(network: IndexedGraph) -> SignalReport:
    """The prediction for a graph."""
    graph = network.graph
    ahead = forward(network)
    if ahead.unavailable:
        return SignalReport(graph.name, graph.output, (), None, None, None, unavailable=ahead.unavailable)
    output = list(network.outputs.values())[-1]
    places = {node.name: position for position, node in enumerate(graph.nodes)}
    field = receptive_field(network, output)
    found = _blocks(network, places)
    merges = {block.merge: frozenset([0]) for block in found if block.merge is not None}
    behind = backward(network, ahead, output, places[field.scope] if field else -2, merges)
    blocks = _signals(found, network, ahead, behind)
    norms = [block.gradient_norm for block in blocks if block.gradient_norm > 0]
    return SignalReport(
        name=graph.name,
        output=graph.output,
        blocks=blocks,
        gradient_span=math.log10(max(norms) / min(norms)) if norms else None,
        effective_receptive_field=_field(behind),
        path_length=_lengths([block.residual_share for block in blocks if block.residual_share is not None]),
        receptive_field=field.size if field else None,
    )


class _Watched(NamedTuple):
    scope: str
    source: int
    result: int
    merge: int | None


def _blocks(network: IndexedGraph, places: dict[str, int]) -> list[_Watched]:
    """The blocks in order; of a network without any, its convolution and linear layers."""
    graph, found = network.graph, []
    for region in graph.regions:
        if region.kind != "block" or region.result not in places:
            continue
        merge = None
        if region.shortcut:
            inside = range(region.last - 1, region.first - 1, -1)
            ways = (at for at in inside if len(graph.nodes[at].inputs) > 1)
            merge = next(
                (at for at in ways if not graph.nodes[at].operation.gates(graph.input_shapes(graph.nodes[at]))), None
            )
        found.append(_Watched(region.scope, places.get(region.source, SOURCE), places[region.result], merge))
    if found:
        return found
    layers = [at for at, node in enumerate(graph.nodes) if node.operation.weighted]
    return [_Watched(graph.nodes[at].name, SOURCE, at, None) for at in layers]


def _merges(network: IndexedGraph, at: int) -> bool:
    return len(network.sources[at]) > 1 and not network.facts[at].gates


def _signals(
    blocks: Sequence[_Watched], network: IndexedGraph, ahead: Signals, behind: Backward
) -> tuple[BlockSignal, ...]:
    """What is predicted for each block."""
    energies = []
    for block in blocks:
        arrived = behind.arrived[block.result]
        energies.append(arrived.energy if arrived else 0.0)
    last = next((energy for energy in reversed(energies) if energy), 1.0)
    found = []
    for block, energy in zip(blocks, energies, strict=True):
        came = behind.arrived[block.source]
        share = came.residual / came.energy if block.merge is not None and came and came.energy else None
        variance = mixed(ahead.signals[block.result]).variance
        found.append(BlockSignal(block.scope, variance, math.sqrt(energy / last), share))
    return tuple(found)


def _field(behind: Backward) -> EffectiveField | None:
    arrived = behind.arrived[SOURCE]
    if not arrived or not arrived.place:
        return None
    pairs = zip(*arrived.place, strict=True)
    deviation = tuple([math.sqrt(max(square - mean * mean, 0.0)) for mean, square in pairs])
    return EffectiveField(collapse(deviation), collapse(tuple([4 * each for each in deviation])))


NEGLIGIBLE = 1e-12
"""Shares of lengths below this count as 0."""


def _lengths(shares: Sequence[float]) -> PathLengths | None:
    """The distribution of the number of residuals, each taken with its share, independently."""
    if not shares:
        return None
    first, counts = 0, [1.0]  # of `first` and more residuals
    for share in shares:
        counts = [(1 - share) * a + share * b for a, b in zip([*counts, 0.0], [0.0, *counts], strict=True)]
        while len(counts) > 1 and counts[0] < NEGLIGIBLE:
            counts.pop(0)
            first += 1
        while len(counts) > 1 and counts[-1] < NEGLIGIBLE:
            counts.pop()
    padded = (*(0.0,) * first, *counts, *(0.0,) * (len(shares) + 1 - first - len(counts)))
    return PathLengths(sum(shares), padded)
