"""The figures of ``gradients``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from archspec.lab.experiments.gradient_tables import (
    at_block,
    blocks,
    by_length,
    decades,
    longest,
    mean_length,
    predicted,
    steps,
)
from archspec.lab.experiments.runs import Runs
from archspec.lab.results.number import Number
from archspec.lab.results.plot import Curve, Plot, PlotPanel


def plots(runs: Sequence[Runs]) -> Iterator[Plot]:
    """Norms and activations along the blocks, and the gradient by path length."""
    yield _norms(runs)
    yield _activations(runs)
    deepest = max(runs, key=lambda each: mean_length(each, "start", "paths").mean or 0.0)
    if longest(deepest):
        yield _lengths(deepest)


def _depths(count: int) -> tuple[float, ...]:
    """Where the blocks are between the input, 0, and the output, 1."""
    return tuple([(number + 1) / count for number in range(count)])


def _norms(runs: Sequence[Runs]) -> Plot:
    start, end = list[Curve](), list[Curve]()
    for color, each in enumerate(runs):
        count = len(blocks(each))
        for place, curves in ((0, start), (len(steps(each)) - 1, end)):
            found = tuple([decades(each, place, number) for number in range(count)])
            curves.append(Curve(each.variant.label, _depths(count), found, color))
        guess = [block.gradient_norm for block in predicted(each).blocks]
        if guess and min(guess) > 0:
            heights = tuple([math.log10(norm) for norm in guess])
            start.append(Curve(f"{each.variant.label}, predicted", _depths(len(guess)), heights, color, dashed=True))
    x, y = "depth of the block (0: input, 1: output)", "log10 of gradient / last block's"
    panels = (
        PlotPanel("At initialization", x, y, tuple(start), dashed="predicted from the graph alone"),
        PlotPanel("After training", x, y, tuple(end)),
    )
    look = (
        "Read each curve from right to left, as the gradient flows. Without shortcuts, it grows by powers of ten on "
        "its way to the input, because of the norms. With shortcuts, it grows far less."
    )
    return Plot("gradient_norm", "The gradient at every block", panels, look)


def _activations(runs: Sequence[Runs]) -> Plot:
    panels = []
    for title, place in (("At initialization", 0), ("After training", -1)):
        curves = []
        for color, each in enumerate(runs):
            count = len(blocks(each))
            found = tuple([at_block(each, place, number, "variance") for number in range(count)])
            curves.append(Curve(each.variant.label, _depths(count), found, color))
        x = "depth of the block (0: input, 1: output)"
        panels.append(PlotPanel(title, x, "variance of activations", tuple(curves), log_y=True))
    look = (
        "Each residual adds variance, so the variance rises from block to block within a stage. In a plain network, "
        "the norm of each block resets it to the same value."
    )
    return Plot("activations", "Activations at every block", tuple(panels), look)


def _lengths(runs: Runs) -> Plot:
    places = tuple(range(longest(runs) + 1))
    panels = []
    titles = {
        "sampled": "One path's gradient times their number",
        "exact": "Norm of the sum of all paths, |G_k|",
        "signed": "Contribution to the gradient, with sign",
    }
    for name, title in titles.items():
        curves = []
        for color, (place, label) in enumerate((("start", "at initialization"), ("end", "after training"))):
            found = [by_length(runs, place, name, length) for length in places]
            shares = found if name == "signed" else _of_their_sum(found)
            curves.append(Curve(label, places, tuple(shares), color, dashed=color == 1))
        panels.append(PlotPanel(title, "residual branches taken", "share of the gradient", tuple(curves)))
    look = (
        f"A path takes, at each block, either the shortcut or the residual branch. Most paths through "
        f"{runs.variant.label} take about half of the {longest(runs)} residual branches, but most of the gradient "
        "comes through paths that take far fewer."
    )
    return Plot("path_lengths", f"The gradient by path length, {runs.variant.label}", tuple(panels), look)


def _of_their_sum(numbers: Sequence[Number]) -> list[Number]:
    """Each number as a share of the sum of all, seed by seed."""
    sums = [sum([value or 0.0 for value in values]) for values in zip(*[each.values for each in numbers], strict=True)]
    return [
        Number.of(
            [
                None if value is None or not total else value / total
                for value, total in zip(each.values, sums, strict=True)
            ]
        )
        for each in numbers
    ]
