"""What several experiments show of their runs."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.lab.experiments.runs import Runs
from archspec.lab.results.claim import sampling
from archspec.lab.results.table import ResultTable, TableColumn, TableValue

SMALL = (
    "By default, the networks are narrow, the images are small and the training is short. So the results say little "
    "about what such networks reach on ImageNet or CIFAR-10 after hours of training."
)


def networks(runs: Sequence[Runs]) -> ResultTable:
    """A row for each network: its keys, its size, and how it does after the last epoch."""
    keys = [*runs[0].variant.keys]
    columns = (
        TableColumn("network", "network"),
        *(TableColumn(key, key, spare=1) for key in keys),
        TableColumn("parameters", "parameters", spare=2),
        TableColumn("macs", "MACs", spare=3),
        TableColumn("train_accuracy", "training accuracy"),
        TableColumn("test_accuracy", "test accuracy"),
        TableColumn("loss", "training loss, mean of the last epoch"),
        TableColumn("diverged", "diverged"),
    )
    return ResultTable(
        "networks", "After the last epoch, accuracies in eval mode", columns, tuple([_row(each, keys) for each in runs])
    )


def _row(runs: Runs, keys: Sequence[str]) -> tuple[TableValue, ...]:
    net = runs.variant.described()
    own = [runs.variant.keys[key] for key in keys]
    lost = f"{runs.diverged} of {len(runs.records)}"
    return (net.label, *own, net.parameters, net.macs, runs.train_accuracy, runs.test_accuracy, runs.loss, lost)


def curves(runs: Sequence[Runs]) -> ResultTable:
    """A row for each network and epoch."""
    names = ("loss", "accuracy", "test_loss", "test_accuracy")
    columns = [TableColumn(name, name.replace("_", " ")) for name in ("network", "epoch", *names)]
    rows: list[tuple[TableValue, ...]] = [
        (each.variant.label, number + 1, *(each.epoch(number, name) for name in names))
        for each in runs
        for number in range(each.variant.settings.epochs)
    ]
    return ResultTable("curves", "By epoch", tuple(columns), tuple(rows), brief=False)


def resolution(runs: Sequence[Runs], images: int) -> str:
    """What the number of test images lets one see."""
    known = [each.test_accuracy for each in runs if each.test_accuracy.n]
    best = max(known, key=lambda number: number.mean or 0.0, default=None)
    error = sampling(best, images=images) if best else 0.0
    return (
        f"Test accuracies come from {images:,} images. With other images, the best accuracy would change by about "
        f"{100 * error:.1f} points (one standard error). A difference of that size may be due to chance, however many "
        "seeds there are."
    )
