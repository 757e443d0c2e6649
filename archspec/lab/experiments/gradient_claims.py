"""What papers, and common belief, say of gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.lab.experiments.gradient_tables import autocorrelation, decades, mean_length, share, shrunk
from archspec.lab.experiments.runs import Runs
from archspec.lab.results.claim import LiteratureClaim
from archspec.lab.results.number import Number

VEIT = "Veit et al. 2016"


def claims(runs: Sequence[Runs]) -> Iterator[LiteratureClaim]:
    """What can be said of these networks: some claims need a plain one, some a residual one, some both."""
    residual = [each for each in runs if share(each, "start").n]
    plain = next((each for each in runs if each not in residual and _normed(each)), None)
    if plain:
        yield LiteratureClaim(
            "The gradient of a plain network with batch norm does not vanish toward its input",
            "He et al. 2015, section 4.1",
            f"log10 of the gradient at the first block over that at the last, initially ({plain.variant.label})",
            decades(plain, 0),
            remark="A positive effect means that it grows toward the input. Without norms, it would shrink.",
        )
    if plain and residual:
        yield from _both(plain, residual[0])
    if residual:
        yield from _shortcuts(residual[0])
        yield from _paths(max(residual, key=lambda each: mean_length(each, "start", "paths").mean or 0.0))


def _normed(runs: Runs) -> bool:
    return any(node.operation.name == "norm" for node in runs.variant.graph.nodes)


def _size(number: Number) -> Number:
    return Number.of([None if value is None else abs(value) for value in number.values])


def _both(plain: Runs, residual: Runs) -> Iterator[LiteratureClaim]:
    names = f"{plain.variant.label} and {residual.variant.label}"
    yield LiteratureClaim(
        "With shortcuts, the gradient changes less with depth",
        "He et al. 2016, section 2",
        f"powers of ten between the gradients at the first and last block, plain minus residual ({names})",
        _size(decades(plain, 0)).minus(_size(decades(residual, 0))),
    )
    yield LiteratureClaim(
        "Without shortcuts, the gradients of neighboring inputs are less correlated (they are shattered)",
        "Balduzzi et al. 2017, figure 1",
        f"correlation of the gradients of neighboring inputs, at initialization, residual minus plain ({names})",
        autocorrelation(residual, "start").minus(autocorrelation(plain, "start")),
    )


def _shortcuts(residual: Runs) -> Iterator[LiteratureClaim]:
    name = residual.variant.label
    half = Number(tuple([0.5] * len(residual.records)))
    yield LiteratureClaim(
        "Most of the gradient comes through the shortcuts",
        "He et al. 2016, section 2",
        f"share of the gradient through the shortcut, median over blocks, minus one half, after training ({name})",
        share(residual, "end").minus(half),
    )
    for place, when in (("start", "at initialization"), ("end", "after training")):
        found = shrunk(residual, place)
        yield LiteratureClaim(
            f"The gradient never shrinks on its way back through a block with an identity shortcut ({when})",
            'common belief, from "dL/dx = dL/dy (1 + dF/dx)"',
            f"minus the share of pairs of block and image in which it shrank, {when} ({name})",
            Number.of([None if value is None else 0.0 - value for value in found.values]),
            remark="dF/dx can be negative, and then 1 + dF/dx is less than 1.",
        )


def _paths(residual: Runs) -> Iterator[LiteratureClaim]:
    name = residual.variant.label
    every, found = (mean_length(residual, "end", which) for which in ("paths", "sampled"))
    yield LiteratureClaim(
        "The gradient comes through paths that are much shorter than most paths",
        f"{VEIT}, figure 6",
        f"mean length of all paths, minus the mean length weighted by the gradient, after training ({name})",
        every.minus(found),
    )
