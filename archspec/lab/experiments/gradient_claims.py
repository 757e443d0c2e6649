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
            "The gradient of a plain network with batch norm does not vanish towards its input",
            "He et al. 2015, section 4.1",
            f"norm at the first block over that at the last, at initialization, log10 ({plain.variant.label})",
            decades(plain, 0),
            remark="It grows towards the input; without norms it would shrink.",
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
        "Shortcuts keep the gradient nearer to one size at all depths",
        "He et al. 2016, section 2",
        f"decades between first and last block, plain minus residual ({names})",
        _size(decades(plain, 0)).minus(_size(decades(residual, 0))),
    )
    yield LiteratureClaim(
        "Without shortcuts, gradients of neighboring inputs are unrelated: they are shattered",
        "Balduzzi et al. 2017, figure 1",
        f"autocorrelation at lag 1 at initialization, residual minus plain ({names})",
        autocorrelation(residual, "start").minus(autocorrelation(plain, "start")),
    )


def _shortcuts(residual: Runs) -> Iterator[LiteratureClaim]:
    name = residual.variant.label
    half = Number(tuple([0.5] * len(residual.records)))
    yield LiteratureClaim(
        "Most of the gradient comes through the shortcuts",
        "He et al. 2016, section 2",
        f"median share through the shortcut minus one half, trained ({name})",
        share(residual, "end").minus(half),
    )
    for place, when in (("start", "at initialization"), ("end", "trained")):
        found = shrunk(residual, place)
        yield LiteratureClaim(
            f"Backward through an identity block, the gradient is always at least as large ({when})",
            'common belief, from "dL/dx = dL/dy (1 + dF/dx)"',
            f"minus the share of (block, image) in which it shrank, {when} ({name})",
            Number.of([None if value is None else -value for value in found.values]),
            remark="dF/dx has no sign: it can take away from the 1.",
        )


def _paths(residual: Runs) -> Iterator[LiteratureClaim]:
    name = residual.variant.label
    every, found = (mean_length(residual, "end", which) for which in ("paths", "sampled"))
    yield LiteratureClaim(
        "The gradient comes through paths that are much shorter than most paths",
        f"{VEIT}, figure 6",
        f"mean length of all paths minus that of the sampled gradient, trained ({name})",
        every.minus(found),
    )
