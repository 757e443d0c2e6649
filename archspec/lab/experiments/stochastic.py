"""Random depth in training, and what sub-networks of a residual network can do: the ensemble view."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Unpack

from archspec.diagnostics import Diagnostic, SpecError
from archspec.door import door
from archspec.lab.cells import CellOutcome
from archspec.lab.data import Data
from archspec.lab.experiments.asking import ExperimentArguments, ask, with_common
from archspec.lab.experiments.conducting import Plan, circumstances, conduct
from archspec.lab.experiments.inquiry import Inquiry
from archspec.lab.experiments.runs import Runs, lost_runs, runs_of
from archspec.lab.experiments.subnetworks import SUBNETWORKS, removable
from archspec.lab.experiments.variants import Variant, cells_of, variant
from archspec.lab.experiments.views import SMALL, curves, networks, resolution
from archspec.lab.results.claim import LiteratureClaim, sampling
from archspec.lab.results.number import Number
from archspec.lab.results.plot import Curve, Plot, PlotPanel
from archspec.lab.results.results import LostRun, Results
from archspec.lab.results.table import ResultTable, TableColumn, TableValue
from archspec.passes.compiling import SpecLike

QUESTION = (
    "Is a residual network an ensemble of networks of many depths? If so, it should still work without some of its "
    "blocks, and training that drops blocks at random should train the shorter networks too."
)
VEIT, HUANG = "Veit et al. 2016", "Huang et al. 2016"
USUAL = (1, 3, 5, 8, 12, 16)


@door
@with_common
def stochastic(
    spec: SpecLike | None = None,
    *,
    drop: float = 0.5,
    deleted: Sequence[int] = USUAL,
    draws: int = 8,
    **common: Unpack[ExperimentArguments],
) -> Results:
    """Train a network with and without random depth, and test both without random sets of their blocks.

    Args:
        spec: a spec with residual blocks; by default ``resnet56_cifar`` with 8, 16 and 32 channels. Its
            ``drop_path`` is set.
        drop: the probability that training drops the residual of the last block; it rises linearly from the first
            (Huang et al. 2016, section 3).
        deleted: how many of the blocks that keep their shape are deleted at once, after training.
        draws: how many random sets of each size are deleted.
        **common: what all experiments take; see :class:`ExperimentArguments`.

    Returns:
        The results. The table ``subnetworks`` has the accuracy by the number of deleted blocks.

    Raises:
        SpecError: E893, the network has fewer residual blocks than are to be deleted; the spec, the data or the engine
            is refused.
        EnvironmentFault: the folder has something else or cannot be written, or a package is missing.
        TypeError, ValueError: a value that an argument does not take.

    >>> from archspec.lab.experiments.stochastic import stochastic
    >>> small = {"overrides": ["stages.count=2"], "trainer": {"epochs": 1}, "seeds": 1, "jobs": 0}
    >>> stochastic(deleted=[1, 2], draws=1, **small).table("subnetworks").column("deleted")
    (0, 1, 2, 0, 1, 2)
    """
    options = {"drop": drop, "deleted": deleted, "draws": draws}
    return conduct(ask("stochastic", spec, options, common), plan)


def plan(inquiry: Inquiry, data: Data) -> Plan:
    """A cell for each of the two trainings and each seed."""
    drop = inquiry.options["drop"]
    formula = f"drop_path={drop:g} * (number + 1) / blocks"
    variants = [
        variant(inquiry, data, "fixed depth", ["drop_path=0"], keys={"drop": "0"}),
        variant(inquiry, data, "random depth", [formula], keys={"drop": f"{drop:g}"}),
    ]
    deleted = _deleted(inquiry, variants[0])

    def summarize(outcomes: Sequence[CellOutcome]) -> Results:
        runs = runs_of(variants, outcomes, inquiry.seeds)
        return _results(inquiry, data, runs, deleted, lost_runs(variants, outcomes, inquiry.seeds))

    more = {"deleted": list(deleted), "draws": inquiry.options["draws"]}
    return Plan(cells_of(variants, data, inquiry, SUBNETWORKS, **more), summarize)


def _deleted(inquiry: Inquiry, own: Variant) -> tuple[int, ...]:
    """How many blocks are deleted at once; of the usual numbers, those that the network has.

    Raises:
        SpecError: E893, it has fewer.
    """
    blocks, asked = len(removable(own.graph)), tuple(sorted(set(inquiry.options["deleted"])))
    if asked == USUAL:
        asked = tuple([number for number in asked if number <= blocks])
    if not asked or asked[-1] > blocks:
        most = asked[-1] if asked else 1
        message = f"`{own.graph.name}` has {blocks} residual blocks that keep their shape, so {most} cannot be deleted"
        help = "delete fewer blocks" if blocks else "use a network whose blocks have shortcuts"
        raise SpecError([Diagnostic("E893", message, own.graph.written_at("stages"), help=help)])
    return asked


def _results(
    inquiry: Inquiry, data: Data, runs: Sequence[Runs], deleted: tuple[int, ...], lost: tuple[LostRun, ...]
) -> Results:
    images, classes = len(data.test), len(data.classes)
    return Results(
        "stochastic",
        "Random depth and the accuracy of sub-networks",
        QUESTION,
        circumstances(inquiry, data),
        tuple([each.variant.described() for each in runs]),
        (networks(runs), _table(runs, deleted), curves(runs)),
        tuple(_claims(runs, deleted, images, classes)),
        (_plot(runs, deleted, classes),),
        (
            "Only blocks that keep the shape of their input are deleted. The norms keep the statistics of the whole "
            "network.",
            resolution(runs, images),
            SMALL,
        ),
        lost,
    )


def accuracy(runs: Runs, number: int, among: Callable[[Sequence[float]], float] = statistics.fmean) -> Number:
    """The test accuracy with ``number`` blocks deleted: for each seed, the mean over its sets, or another summary."""
    if number == 0:
        return runs.test_accuracy
    return runs.number(lambda r: among(next(each["accuracy"] for each in r["sets"] if each["deleted"] == number)))


def _table(runs: Sequence[Runs], deleted: tuple[int, ...]) -> ResultTable:
    columns = (
        TableColumn("network", "network"),
        TableColumn("deleted", "blocks deleted"),
        TableColumn("accuracy", "test accuracy, mean of the sets"),
        TableColumn("worst", "worst set"),
        TableColumn("best", "best set"),
    )
    rows: list[tuple[TableValue, ...]] = [
        (each.variant.label, number, *(accuracy(each, number, among) for among in (statistics.fmean, min, max)))
        for each in runs
        for number in (0, *deleted)
    ]
    return ResultTable("subnetworks", "Without several blocks at random", columns, tuple(rows))


def _claims(runs: Sequence[Runs], deleted: tuple[int, ...], images: int, classes: int) -> Iterator[LiteratureClaim]:
    fixed, random_ = runs
    few, many = (accuracy(fixed, number) for number in (deleted[0], deleted[-1]))
    yield LiteratureClaim(
        f"A residual network without {_blocks(deleted[0])} does not fall to chance",
        f"{VEIT}, figure 3",
        "test accuracy minus chance",
        few.minus(Number(tuple([1 / classes] * len(few.values)))),
        sampling(few, images=images),
    )
    if len(deleted) > 1:
        yield LiteratureClaim(
            "The more blocks are deleted, the lower the accuracy",
            f"{VEIT}, figure 5",
            f"test accuracy without {_blocks(deleted[0])} minus without {_blocks(deleted[-1])}",
            few.minus(many),
            sampling(few, many, images=images),
        )
    means = [
        Number(
            tuple(
                [_mean([accuracy(each, number).values[seed] for number in deleted]) for seed in range(len(few.values))]
            )
        )
        for each in (random_, fixed)
    ]
    yield LiteratureClaim(
        "Training with random depth trains the sub-networks too",
        f"{HUANG}, section 3",
        "test accuracy of the sub-networks, random depth minus fixed depth, averaged over the numbers deleted",
        means[0].minus(means[1]),
        sampling(*means, images=images),
    )
    yield LiteratureClaim(
        "Training with random depth makes the whole network better",
        f"{HUANG}, table 1",
        "test accuracy of the whole network, random depth minus fixed depth",
        random_.test_accuracy.minus(fixed.test_accuracy),
        sampling(random_.test_accuracy, fixed.test_accuracy, images=images),
        remark="The paper trains for 500 epochs. These images are easy, so few epochs suffice to fit them.",
    )


def _blocks(number: int) -> str:
    return "one block" if number == 1 else f"{number} blocks"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def _plot(runs: Sequence[Runs], deleted: tuple[int, ...], classes: int) -> Plot:
    numbers = (0, *deleted)
    panels = []
    for title, among in (("Mean of the sets", statistics.fmean), ("Worst set", min)):
        shown = [
            Curve(
                each.variant.label,
                numbers,
                tuple([accuracy(each, n, among) for n in numbers]),
                color,
                dashed=color == 1,
            )
            for color, each in enumerate(runs)
        ]
        level = (1 / classes, "chance")
        panels.append(
            PlotPanel(title, "blocks deleted", "test accuracy", tuple(shown), bottom=0, top=1.03, level=level)
        )
    look = (
        "See whether the accuracy falls gradually as blocks are deleted, or at once. With random depth in training, it "
        "falls later, because the shorter networks were trained too."
    )
    return Plot("subnetworks", "Accuracy of sub-networks (band: all seeds)", tuple(panels), look)
