"""The gradient by path length: through how many residual branches it comes to the first block."""

from __future__ import annotations

import copy
import math
import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.nn import functional

from archspec import arguments
from archspec.diagnostics import Diagnostic, SpecError, cut
from archspec.graph.graph import Graph
from archspec.graph.residual import ResidualBlock, ancestors, find_residual_blocks
from archspec.lab.measures.functions import NodeFunctions, in_float64, run_steps
from archspec.lab.measures.path_sampling import PathSampler
from archspec.lab.measures.rows import GradientRows, Routing, backward_rows
from archspec.wording import Brief

NEGLIGIBLE = 1e-4
"""Sampling ends after a group of lengths that has less than this share of all that was found before."""
GROUP = 6
"""How many lengths are sampled at a time."""


@dataclass(frozen=True, slots=True, repr=False)
class GradientByLength(Brief):
    """The gradient of the loss at the source of the first residual block, by the number of residual branches taken.

    Each tuple has a value for each length from 0 to the number of blocks. ``counts`` is how many paths have the length.
    ``exact`` is the norm of their sum |G_k|, and ``signed`` the projection of that sum on the whole gradient, as a
    share of it: the shares add up to 1. ``sampled`` is the mean norm of a single path times the count, as Veit et al.
    measure it; it ends where what is left is negligible. Paths cancel each other, so ``exact`` is much smaller.
    All norms are those of an image, averaged over the images.

    ``error`` compares the sum over all lengths with the gradient that autograd computes: the largest difference,
    relative to the largest element.
    """

    counts: tuple[int, ...]
    exact: tuple[float, ...]
    signed: tuple[float, ...]
    sampled: tuple[float, ...]
    error: float

    @property
    def means(self) -> dict[str, float]:
        """The mean length by each of the three measures."""
        return {name: _mean(getattr(self, name)) for name in ("sampled", "exact", "signed")}

    def interval(self, low: float = 0.05, high: float = 0.95) -> tuple[int, int]:
        """The shortest lengths up to which shares ``low`` and ``high`` of the sampled gradient come."""
        total, reached = sum(self.sampled), list(accumulate(self.sampled))
        first, last = (bisect_left(reached, share * total) for share in (low, high))
        return first, min(last, len(reached) - 1)


def gradient_by_length(
    model: nn.Module, graph: Graph, images: Tensor, labels: Tensor, *, samples: int = 2, seed: int = 0
) -> GradientByLength:
    """Decompose the gradient of the cross-entropy by path length, in float64 and eval mode.

    A path takes the shortcut or the residual at each merge of :func:`archspec.residual_blocks`. With the Jacobian S of
    a block's shortcut and F of its residual at the activations of the forward pass, block by block from the loss,
    ``G_k = S^T G_k + F^T G_(k-1)``. The gradient is decomposed, not the forward function: an activation after a merge
    belongs to all paths. A block without a shortcut belongs to all paths too. Time is quadratic in the number of
    blocks, memory linear.

    Args:
        model: what :func:`archspec.build` made of ``graph``. It is copied, and stays as it is.
        graph: the network.
        images: (N, C, H, W).
        labels: (N,), the class of each image.
        samples: how many paths are sampled of each length. Each is measured on every image.
        seed: decides which paths are sampled.

    Raises:
        SpecError: E872, no block has a shortcut.
        TypeError, ValueError: an argument of the wrong type or out of range.

    Veit, Wilber and Belongie, "Residual Networks Behave Like Ensembles of Relatively Shallow Networks", 2016,
    section 5.

    >>> import archspec, torch
    >>> from archspec.lab.measures import gradient_by_length
    >>> graph = archspec.compile("resnet20_cifar", overrides={"params.width": 4}, input=(3, 8, 8))
    >>> images, labels = torch.randn(4, 3, 8, 8), torch.tensor([0, 1, 2, 3])
    >>> found = gradient_by_length(archspec.build(graph, seed=0), graph, images, labels)
    >>> found.counts, round(sum(found.signed), 9), found.error < 1e-12
    ((1, 9, 36, 84, 126, 126, 84, 36, 9, 1), 1.0, True)
    """
    arguments.instance(model, "model", nn.Module, "a model that `archspec.build` made")
    arguments.instance(graph, "graph", Graph, "a Graph, which `archspec.compile` gives")
    samples = arguments.whole(samples, "samples", 1)
    seed = arguments.seed(seed)
    blocks = [block for block in find_residual_blocks(graph) if block.merge]
    if not blocks:
        message = f"no block of `{cut(graph.name)}` has a shortcut, so there are no paths of different lengths"
        raise SpecError([Diagnostic("E872", message, help="measure a network with shortcuts")])
    tape = _Tape(model, graph, blocks, images, labels)
    exact, signed, error = tape.exact()
    return GradientByLength(tuple(_counts(blocks)), exact, signed, tape.sampled(samples, seed), error)


def _counts(blocks: Sequence[ResidualBlock]) -> list[int]:
    """How many paths there are of each length: a merge of n ways has one shortcut and n - 1 residual branches."""
    counts = [1]
    for block in blocks:
        ways = len(block.residuals)
        counts = [a + ways * b for a, b in zip([*counts, 0], [0, *counts], strict=True)]
    return counts


def _mean(values: Sequence[float]) -> float:
    total = sum(values)
    return sum(length * value for length, value in enumerate(values)) / total if total else math.nan


class _Tape:
    """The activations of a forward pass, and what leads back from the loss to the source of the first block."""

    def __init__(
        self, model: nn.Module, graph: Graph, blocks: Sequence[ResidualBlock], images: Tensor, labels: Tensor
    ) -> None:
        self.graph, self.blocks = graph, blocks
        self.functions = NodeFunctions(in_float64(copy.deepcopy(model)).eval())
        self.entry, self.end = blocks[0].source, graph.main
        with torch.no_grad():
            steps = self.functions.steps(graph, {self.end})
            self.values = run_steps(steps, {"input": images.to(torch.float64)}, keep=True)
        self.nodes = ancestors(graph.nodes, {self.end}, {self.entry})
        logits = self.values[self.end].detach().requires_grad_()
        loss = functional.cross_entropy(logits, labels, reduction="sum")
        (self.seed,) = torch.autograd.grad(loss, logits)
        self.labels = labels

    def exact(self) -> tuple[tuple[float, ...], tuple[float, ...], float]:
        """|G_k| and the signed share for each length, and how far the sum is from autograd's gradient."""
        routing = {block.merge: _longer(self._shortcut_of(block)) for block in self.blocks}
        start = GradientRows(torch.zeros(1, dtype=torch.int64), self.seed.unsqueeze(0))
        rows = self._back(start, routing)
        whole = self._gradient()
        found = rows.data.flatten(2)
        norms = found.norm(dim=2).mean(1)
        along = (found * whole.flatten(1)).sum(2) / whole.flatten(1).square().sum(1).clamp_min(1e-300)
        error = ((rows.data.sum(0) - whole).abs().max() / whole.abs().max().clamp_min(1e-300)).item()
        every = range(len(_counts(self.blocks)))
        by_length = dict(zip(rows.ids.tolist(), zip(norms.tolist(), along.mean(1).tolist(), strict=True), strict=True))
        return (
            tuple([by_length.get(length, (0.0, 0.0))[0] for length in every]),
            tuple([by_length.get(length, (0.0, 0.0))[1] for length in every]),
            error,
        )

    def sampled(self, samples: int, seed: int) -> tuple[float, ...]:
        """The mean norm of a single path of each length times the number of such paths."""
        sampler = PathSampler([len(block.residuals) for block in self.blocks], random.Random(seed))
        found: list[float] = []
        for first in range(0, len(self.blocks) + 1, GROUP):
            lengths = range(first, min(first + GROUP, len(self.blocks) + 1))
            choices = torch.tensor([sampler.path(length) for length in lengths for _ in range(samples)])
            routing = {
                block.merge: _chosen(choices[:, place], self._shortcut_of(block))
                for place, block in enumerate(self.blocks)
            }
            start = GradientRows(torch.arange(len(choices)), self.seed.expand(len(choices), *self.seed.shape))
            rows = self._back(start, routing)
            norms = torch.zeros(len(choices), dtype=torch.float64)
            norms[rows.ids] = rows.data.flatten(2).norm(dim=2).mean(1)
            means = norms.reshape(-1, samples).mean(1).tolist()
            found += [_times(mean, sampler.count(length)) for mean, length in zip(means, lengths, strict=True)]
            if sum(found[first:]) < NEGLIGIBLE * sum(found[:first]):
                break
        return (*found, *[0.0] * (len(self.blocks) + 1 - len(found)))

    def _shortcut_of(self, block: ResidualBlock) -> int:
        return self.graph.by_name[block.merge].inputs.index(block.shortcut)

    def _back(self, start: GradientRows, routing: dict[str, Routing]) -> GradientRows:
        return backward_rows(self.functions, self.graph, self.nodes, self.values, {self.end: start}, routing)[
            self.entry
        ]

    def _gradient(self) -> Tensor:
        """The gradient at the entry as autograd computes it, in one pass through all nodes."""
        entry = self.values[self.entry].detach().requires_grad_()
        known = {name: value for name, value in self.values.items() if name == "input"}
        steps = self.functions.steps(self.graph, {self.end}, {self.entry})
        output = run_steps(steps, {**known, self.entry: entry})[self.end]
        (found,) = torch.autograd.grad(functional.cross_entropy(output, self.labels, reduction="sum"), entry)
        return found


def _longer(shortcut: int) -> Routing:
    """All rows through each input of a merge, one longer through a residual; the ids are lengths."""
    return lambda rows, place: rows if place == shortcut else GradientRows(rows.ids + 1, rows.data)


def _chosen(choices: Tensor, shortcut: int) -> Routing:
    """Each row through one input of a merge; ``choices`` has 0 for the shortcut, n for the n-th residual."""

    def route(rows: GradientRows, place: int) -> GradientRows:
        way = 0 if place == shortcut else place + 1 if place < shortcut else place
        return rows.only(choices[rows.ids] == way)

    return route


def _times(norm: float, count: int) -> float:
    """Their product, also where the count is beyond a float."""
    return math.exp(math.log(norm) + math.log(count)) if norm > 0 else 0.0
