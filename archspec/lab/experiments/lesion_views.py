"""What lesions show: losses of accuracy by block, by the number deleted and by order, and what papers say of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from archspec.lab.experiments.runs import Runs
from archspec.lab.results.claim import LiteratureClaim, sampling
from archspec.lab.results.number import Number
from archspec.lab.results.plot import Curve, Plot, PlotPanel
from archspec.lab.results.table import ResultTable, TableColumn, TableValue

VEIT = "Veit et al. 2016"
TAUS = (0.9, 0.7, 0.5, 0.0)
"""Reorderings are shown in groups: those whose tau is at least the first of these, the second, and so on."""


def accuracies(runs: Runs, name: str = "accuracy") -> tuple[Number, ...]:
    """The test accuracy without each block; ``recalibrated`` is that with statistics measured anew."""
    return tuple([_block(runs, place, lambda block: block[name]) for place in range(len(blocks_of(runs)))])


def blocks_of(runs: Runs) -> Sequence[Mapping[str, Any]]:
    """The blocks of a network, of any run that has them."""
    found: Iterable[Sequence[Mapping[str, Any]]] = (r["blocks"] for r in runs.records if r and r["blocks"])
    return next(iter(found), ())


def _block(runs: Runs, place: int, read: Callable[[Any], float | None]) -> Number:
    return runs.number(lambda record: read(record["blocks"][place]))


def lost(runs: Runs, name: str = "accuracy", keep: Callable[[Any], bool] = lambda block: True) -> list[Number]:
    """How much accuracy is lost without each of the blocks that ``keep`` takes."""
    base = runs.test_accuracy
    every = zip(blocks_of(runs), accuracies(runs, name), strict=True)
    return [base.minus(number) for block, number in every if keep(block) and number.n]


def over(numbers: Sequence[Number], among: Callable[[Sequence[float]], float]) -> Number:
    """A summary over blocks, seed by seed."""
    if not numbers:
        return Number(())
    by_seed = zip(*[number.values for number in numbers], strict=True)
    known = [[value for value in values if value is not None] for values in by_seed]
    return Number(tuple([among(values) if values else None for values in known]))


def keeps(block: Mapping[str, Any]) -> bool:
    """Whether a block has the same shape before and after it."""
    return bool(block["keeps_shape"])


def changes(block: Mapping[str, Any]) -> bool:
    """Whether a block has fewer positions after it than before."""
    return bool(block["downsamples"])


def tables(runs: Sequence[Runs], classes: int) -> Iterator[ResultTable]:
    """The numbers of all surgery."""
    yield _medians(runs, classes)
    yield _by_block(runs)
    columns = (
        TableColumn("network", "network"),
        TableColumn("deleted", "blocks deleted"),
        TableColumn("accuracy", "test accuracy, mean of the sets"),
        TableColumn("worst", "worst set"),
    )
    rows: list[tuple[TableValue, ...]] = [
        (each.variant.label, number, without(each, number), without(each, number, min))
        for each in runs
        for number in numbers(each)
    ]
    yield ResultTable("sets", "Without several blocks at random, of those that keep their shape", columns, tuple(rows))
    yield _by_order(runs)
    pairs = [row for each in runs for row in _pairs(each)]
    if pairs:
        names = ("network", "first", "second", "accuracy")
        titles = ("network", "first block", "second block", "test accuracy")
        head = tuple([TableColumn(name, title) for name, title in zip(names, titles, strict=True)])
        yield ResultTable("pairs", "Without each pair of blocks", head, tuple(pairs), brief=False)


def _medians(runs: Sequence[Runs], classes: int) -> ResultTable:
    columns = (
        TableColumn("network", "network"),
        TableColumn("accuracy", "test accuracy, whole"),
        TableColumn("median", "median drop without one block"),
        TableColumn("worst", "largest drop"),
        TableColumn("downsampling", "median drop, downsampling blocks", spare=2),
        TableColumn("recalibrated", "median drop, norms recalibrated", spare=1),
        TableColumn("chance", "drop to chance", spare=3),
    )
    rows = []
    for each in runs:
        kept, chance = lost(each, keep=keeps), Number(tuple([1 / classes] * len(each.records)))
        rows.append(
            (
                each.variant.label,
                each.test_accuracy,
                over(kept, statistics.median),
                over(kept, max),
                over(lost(each, keep=changes), statistics.median),
                over(lost(each, "recalibrated", keeps), statistics.median),
                each.test_accuracy.minus(chance),
            )
        )
    title = "Test accuracy lost without one block, of the blocks that keep their shape"
    return ResultTable("medians", title, columns, tuple(rows))


def _by_block(runs: Sequence[Runs]) -> ResultTable:
    columns = (
        TableColumn("network", "network"),
        TableColumn("block", "block"),
        TableColumn("kind", "shortcut"),
        TableColumn("downsamples", "downsamples"),
        TableColumn("accuracy", "test accuracy without it"),
        TableColumn("lost", "lost"),
        TableColumn("recalibrated", "accuracy, norms recalibrated"),
    )
    rows: list[tuple[TableValue, ...]] = []
    for each in runs:
        both = zip(blocks_of(each), accuracies(each), accuracies(each, "recalibrated"), strict=True)
        for block, plain, healed in both:
            mark = "yes" if block["downsamples"] else "no"
            lost = each.test_accuracy.minus(plain)
            rows.append((each.variant.label, block["scope"], block["kind"], mark, plain, lost, healed))
    return ResultTable("blocks", "Without each block", columns, tuple(rows), brief=False)


def numbers(runs: Runs) -> list[int]:
    """How many blocks were deleted at once."""
    return [each["deleted"] for each in next((r["sets"] for r in runs.records if r and r["sets"]), [])]


def without(runs: Runs, number: int, among: Callable[[Sequence[float]], float] = statistics.fmean) -> Number:
    """The accuracy without ``number`` blocks, summarized over the sets."""
    return runs.number(lambda r: among(next(each["accuracy"] for each in r["sets"] if each["deleted"] == number)))


def _pairs(runs: Runs) -> Iterator[tuple[TableValue, ...]]:
    able = [block["scope"] for block in blocks_of(runs) if block["accuracy"] is not None]
    every = [r["pairs"] if r and r["pairs"] else None for r in runs.records]
    for place, pair in enumerate(next(filter(None, every), ())):
        found = Number.of([pairs and pairs[place]["accuracy"] for pairs in every])
        yield runs.variant.label, able[pair["first"]], able[pair["second"]], found


def ordered(runs: Runs, low: float, high: float) -> Number:
    """The mean accuracy of the reorderings whose tau is at least ``low`` and below ``high``."""

    def read(record: Any) -> float | None:
        found = [each["accuracy"] for each in record["orders"] if low <= each["tau"] < high]
        return statistics.fmean(found) if found else None

    return runs.number(read)


def _groups() -> list[tuple[str, float, float]]:
    tops = (1.0, *TAUS[:-1])
    return [(f"{low:g} to {high:g}", low, high) for low, high in zip(TAUS, tops, strict=True)]


def _by_order(runs: Sequence[Runs]) -> ResultTable:
    columns = (
        TableColumn("network", "network"),
        TableColumn("tau", "Kendall's tau"),
        TableColumn("accuracy", "test accuracy"),
    )
    found = [(each.variant.label, name, ordered(each, low, high)) for each in runs for name, low, high in _groups()]
    return ResultTable(
        "orders", "With blocks exchanged within a stage", columns, tuple([row for row in found if row[2].n])
    )


def claims(runs: Sequence[Runs], images: int, classes: int) -> Iterator[LiteratureClaim]:
    """What papers say of lesions of residual networks; nothing of a network without shortcuts."""
    own, plain = runs[0], runs[1] if len(runs) > 1 else None
    if all(block["kind"] == "none" for block in blocks_of(own)):
        return
    base, kept, shrinking = own.test_accuracy, lost(own, keep=keeps), lost(own, keep=changes)
    median, error = over(kept, statistics.median), sampling(base, base, images=images)
    chance = Number(tuple([1 / classes] * len(base.values)))
    if kept:
        half = Number.of([None if each is None else each / 2 for each in base.minus(chance).values])
        yield LiteratureClaim(
            "Deleting one block of a residual network changes its accuracy little",
            f"{VEIT}, figure 3",
            "half of the drop to chance minus the median drop in accuracy without one block",
            half.minus(median),
            error,
        )
    if plain:
        yield from _beside_plain(own, plain, images, classes)
    if kept and shrinking:
        yield LiteratureClaim(
            "Only blocks that downsample hurt when they are deleted",
            f"{VEIT}, figure 3",
            "smallest drop in accuracy without a downsampling block, minus the largest without any other",
            over(shrinking, min).minus(over(kept, max)),
            error,
            remark="The first block often matters most: all other blocks add to the channels that it makes.",
        )
    sizes = numbers(own)
    if len(sizes) > 1:
        yield LiteratureClaim(
            "The more blocks are deleted, the lower the accuracy",
            f"{VEIT}, figure 5a",
            f"test accuracy without {sizes[0]}, minus without {sizes[-1]} blocks",
            without(own, sizes[0]).minus(without(own, sizes[-1])),
            error,
        )
    known = [found for _, low, high in _groups() if (found := ordered(own, low, high)).n]
    if len(known) > 1:
        yield LiteratureClaim(
            "The more blocks are exchanged, the lower the accuracy",
            f"{VEIT}, figure 5b",
            "test accuracy with the fewest blocks exchanged, minus with the most",
            known[0].minus(known[-1]),
            error,
        )


def _beside_plain(own: Runs, plain: Runs, images: int, classes: int) -> Iterator[LiteratureClaim]:
    without_one = over([number for number in accuracies(plain) if number.n], statistics.median)
    chance = Number(tuple([1 / classes] * len(without_one.values)))
    twice = Number.of([None if each is None else (each + 1 / classes) / 2 for each in plain.test_accuracy.values])
    yield LiteratureClaim(
        "Deleting one block of a plain network takes it to chance",
        f"{VEIT}, figure 3",
        "accuracy half-way between the whole network and chance, minus the median accuracy without one block",
        twice.minus(without_one),
        sampling(plain.test_accuracy, without_one, images=images),
        remark=f"The median is {without_one.text()}, chance is {chance.text('.2f').partition(' ')[0]}.",
    )
    losses = [over(lost(each, keep=keeps), statistics.median) for each in (plain, own)]
    if all(each.n for each in losses):
        yield LiteratureClaim(
            "A plain network needs each of its blocks more than a residual one does",
            f"{VEIT}, section 4.1",
            "median drop in accuracy without one block, plain minus residual",
            losses[0].minus(losses[1]),
            sampling(plain.test_accuracy, own.test_accuracy, images=images),
        )


def plots(runs: Sequence[Runs], classes: int) -> Iterator[Plot]:
    """The figures."""
    panels = []
    for each in runs:
        blocks = blocks_of(each)
        places = tuple(range(1, len(blocks) + 1))
        shrinking = [place for place, block in zip(places, blocks, strict=True) if block["downsamples"]]
        found = accuracies(each)
        curves = [
            Curve("norms as trained", places, found, 0),
            Curve("norms recalibrated", places, accuracies(each, "recalibrated"), 1, dashed=True),
        ]
        if shrinking:
            marked = tuple([found[place - 1].mean for place in shrinking])
            curves.append(Curve("downsamples", tuple(shrinking), marked, 2, marks="points"))
        level = (1 / classes, "chance")
        title = each.variant.label[:1].upper() + each.variant.label[1:]
        panels.append(
            PlotPanel(title, "block deleted", "test accuracy", tuple(curves), bottom=0, top=1.03, level=level)
        )
    look = "Without any single block, a plain network falls to chance. A residual one loses little without most blocks."
    yield Plot("blocks", "Accuracy without one block (band: all seeds)", tuple(panels), look)
    yield _by_number(runs, classes)


def _by_number(runs: Sequence[Runs], classes: int) -> Plot:
    level = (1 / classes, "chance")
    sets = [
        Curve(
            each.variant.label, (0, *numbers(each)), (each.test_accuracy, *(without(each, n) for n in numbers(each))), c
        )
        for c, each in enumerate(runs)
    ]
    moved = []
    for color, each in enumerate(runs):
        points = [(each.variant.label, one["tau"], one["accuracy"]) for r in each.records if r for one in r["orders"]]
        places, heights = tuple([point[1] for point in points]), tuple([point[2] for point in points])
        if points:
            moved.append(Curve(each.variant.label, places, heights, color, marks="points"))
    panels = [
        PlotPanel(
            "Blocks deleted at random", "blocks deleted", "test accuracy", tuple(sets), bottom=0, top=1.03, level=level
        )
    ]
    if moved:
        title = "Blocks exchanged within a stage"
        panels.append(PlotPanel(title, "Kendall's tau", "test accuracy", tuple(moved), bottom=0, top=1.03, level=level))
    look = "The accuracy falls gradually, like that of an ensemble that loses some of its members."
    return Plot("sets", "Accuracy without sets of blocks, and in other orders", tuple(panels), look)
