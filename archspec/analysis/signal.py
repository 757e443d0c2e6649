"""The signal at initialization, predicted from the graph: activations, gradients, what a position sees, and paths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archspec.analysis.indexed import IndexedGraph, index_graph
from archspec.analysis.receptive_field import receptive_field
from archspec.analysis.signal_fluctuation import passing_factors, scatter_of_gradients, total_fluctuation
from archspec.analysis.signal_text import signal_text
from archspec.analysis.signal_walk import Backward, Signals, backward, forward
from archspec.display import plain
from archspec.door import door
from archspec.graph.graph import INPUT
from archspec.graph.residual import find_residual_blocks
from archspec.graph.storage import SOURCE
from archspec.language.overrides import Overrides
from archspec.operations.shapes import Shape, Size, collapse
from archspec.operations.signal import Signal
from archspec.passes.compiling import SpecLike, compile
from archspec.screen import as_text
from archspec.wording import Brief
from archspec.work import Limits

FLUCTUATION = 2.0
"""What the fluctuation counts in the score."""


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

    ``gradient_span`` are the decades from the smallest to the largest norm of the gradient at a block, and
    ``activation_span`` those from the smallest to the largest deviation of the activations. ``fluctuation`` says how
    much a network of finite width differs from the prediction, by chance: the sum, over the layers of all blocks, of
    one over the channels, times the square of the residual's share of the gradient (Hanin and Nica 2018).
    ``receptive_field`` is the theoretical one, to compare. ``unavailable`` names the operations without a rule; if
    there are any, the figures are None and ``blocks`` is empty. ``unit`` is what ``blocks`` lists: "block", or "layer"
    for a network without blocks, whose convolution and linear layers it lists.

    >>> import archspec
    >>> report = archspec.signal("plain20_cifar")
    >>> [block.scope for block in report.blocks][:2], report.path_length is None
    (['layer1.0', 'layer1.1'], True)
    """

    name: str
    output: Shape
    blocks: tuple[BlockSignal, ...]
    gradient_span: float | None = None
    activation_span: float | None = None
    fluctuation: float | None = None
    effective_receptive_field: EffectiveField | None = None
    path_length: PathLengths | None = None
    receptive_field: Size | None = None
    unavailable: tuple[str, ...] = ()
    unit: str = "block"

    @property
    def score(self) -> float | None:
        """How hard the network is to train: decades of gradient and activations, and twice the fluctuation.

        A larger score predicts a larger loss after a short training at one rate. It says nothing of what a network can
        learn, of generalization, nor of two networks whose scores are close.
        """
        if self.gradient_span is None or self.activation_span is None or self.fluctuation is None:
            return None
        return self.gradient_span + self.activation_span + FLUCTUATION * self.fluctuation

    def __str__(self) -> str:
        """The figures with a bar for each block, as ``archspec signal`` prints them."""
        return as_text(signal_text(self))

    def as_data(self) -> dict[str, Any]:
        """Everything as plain data, for JSON."""
        field, lengths = self.effective_receptive_field, self.path_length
        return {
            "name": self.name,
            "unit": self.unit,
            "blocks": [plain(each, *BlockSignal.__dataclass_fields__) for each in self.blocks],
            **plain(self, "gradient_span", "activation_span", "fluctuation"),
            "effective_receptive_field": field and plain(field, "deviation", "size"),
            "receptive_field": plain(self, "receptive_field")["receptive_field"],
            "path_length": lengths and plain(lengths, "mean", "counts"),
            "score": self.score,
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
        return SignalReport(graph.name, graph.output, (), unavailable=ahead.unavailable)
    output = next(iter(network.outputs.values()))
    places = {INPUT: SOURCE, **{node.name: position for position, node in enumerate(graph.nodes)}}
    field = receptive_field(network, output)
    residuals = [block for block in find_residual_blocks(graph) if block.merge]
    merges = {
        places[block.merge]: frozenset([graph.by_name[block.merge].inputs.index(block.shortcut)]) for block in residuals
    }
    behind = backward(network, ahead, output, places[field.scope] if field else None, merges)
    shares = {block.merge: behind.residuals[places[block.fork]] for block in residuals}
    factors = passing_factors(graph, residuals, shares)
    scatter = scatter_of_gradients(network, ahead, behind, factors)
    blocks = _blocks(network, ahead, behind, places, {block.scope: shares[block.merge] for block in residuals}, scatter)
    norms = [block.gradient_norm for block in blocks if block.gradient_norm > 0]
    variances = [block.activation_variance for block in blocks if block.activation_variance > 0]
    return SignalReport(
        name=graph.name,
        output=graph.output,
        blocks=blocks,
        gradient_span=_decades(norms),
        activation_span=_decades(variances) / 2,
        fluctuation=total_fluctuation(graph, factors),
        effective_receptive_field=_field(behind),
        path_length=_lengths(list(shares.values())),
        receptive_field=field.size if field else None,
        unit="block" if any(region.kind == "block" for region in graph.regions) else "layer",
    )


def _decades(values: Sequence[float]) -> float:
    return math.log10(max(values) / min(values)) if values else 0.0


def _blocks(
    network: IndexedGraph,
    ahead: Signals,
    behind: Backward,
    places: Mapping[str, int],
    shares: Mapping[str, float],
    scatter: Sequence[float],
) -> tuple[BlockSignal, ...]:
    """What is predicted for each block; of a network without any, for its convolution and linear layers."""
    results = [(region.scope, places[region.result]) for region in network.graph.regions if region.kind == "block"]
    layers = [(node.name, position) for position, node in enumerate(network.nodes) if node.operation.weighted]
    watched = [(scope, at) for scope, at in results or layers if behind.gradients[at] is not None]
    energies = [behind.energies[at] for _, at in watched]
    last = next((energy for energy in reversed(energies) if energy), 1.0)
    norms = [
        # The mean norm of networks whose energies scatter log-normally is less than the root of their mean energy.
        math.sqrt(energy / last) * math.exp(-abs(scatter[watched[-1][1]] - scatter[at]) / 8)
        for (_, at), energy in zip(watched, energies, strict=True)
    ]
    return tuple(
        [
            BlockSignal(scope, _variance(ahead.signals[at]), norm, shares.get(scope))
            for (scope, at), norm in zip(watched, norms, strict=True)
        ]
    )


def _variance(signal: Signal) -> float:
    """The variance of all elements of a value."""
    if len(signal) == 1:
        return signal[0].within + signal[0].between
    channels, mean, within, level = 0, 0.0, 0.0, 0.0
    for law in signal:
        channels += law.channels
        mean += law.channels * law.mean
        within += law.channels * law.within
        level += law.channels * law.level
    mean /= channels
    return within / channels + max(level / channels - mean * mean, 0.0)


def _field(behind: Backward) -> EffectiveField | None:
    place = behind.places[SOURCE]
    if not place:
        return None
    pairs = zip(*place, strict=True)
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
