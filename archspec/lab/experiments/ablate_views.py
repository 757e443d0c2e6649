"""What an ablation shows: paired differences along each axis, and figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.lab.experiments.runs import Runs
from archspec.lab.results.claim import UNRESOLVED, LiteratureClaim, sampling
from archspec.lab.results.number import Number
from archspec.lab.results.plot import Curve, Plot, PlotPanel
from archspec.lab.results.table import ResultTable, TableColumn, TableValue

MOST_CURVES, MOST_ROWS = 8, 24
SHORT = {"test_accuracy": "test accuracy", "loss": "training loss of the last epoch"}


def comparison(runs: Sequence[Runs], images: int) -> ResultTable:
    """Each network against the one that differs from it only by an axis's first value."""
    columns = (
        TableColumn("key", "key"),
        TableColumn("value", "value"),
        TableColumn("against", "against"),
        *([TableColumn("others", "others")] if len(runs[0].variant.keys) > 1 else []),
        TableColumn("test_accuracy", "test accuracy"),
        TableColumn("accuracy_verdict", "accuracy is"),
        TableColumn("loss", "training loss"),
        TableColumn("loss_verdict", "loss is"),
    )
    title = "Difference from the first value of each key, seed by seed"
    rows = tuple(_compared(runs, images))
    return ResultTable("comparison", title, columns, rows, brief=len(rows) <= MOST_ROWS)


def _compared(runs: Sequence[Runs], images: int) -> Iterator[tuple[TableValue, ...]]:
    by_keys = {tuple(each.variant.keys.items()): each for each in runs}
    for key, first in runs[0].variant.keys.items():
        for each in runs:
            value = each.variant.keys[key]
            if value == first:
                continue
            base = by_keys[tuple({**each.variant.keys, key: first}.items())]
            others = [", ".join(f"{name}={given}" for name, given in each.variant.keys.items() if name != key)]
            accuracy, loss = each.test_accuracy.minus(base.test_accuracy), each.loss.minus(base.loss)
            error = sampling(each.test_accuracy, base.test_accuracy, images=images)
            yield (
                key,
                value,
                first,
                *filter(None, others),
                accuracy,
                _verdict(accuracy, error),
                loss,
                _verdict(loss, 0.0),
            )


def _verdict(difference: Number, error: float) -> str:
    """Whether a difference is larger than its margin, by the rule of the claims; empty without a difference."""
    if difference.mean is None:
        return ""
    claim = LiteratureClaim("", "", "", difference, error)
    return UNRESOLVED if claim.verdict == UNRESOLVED else "higher" if claim.verdict == "agrees" else "lower"


def plots(runs: Sequence[Runs], classes: int, look: str) -> tuple[Plot, ...]:
    """The figure of the grid; the curves of every network, if there are few."""
    found = [_by_value(runs, classes, look)]
    if len(runs) <= MOST_CURVES:
        found.append(_by_epoch(runs, classes))
    return tuple(found)


def _by_value(runs: Sequence[Runs], classes: int, look: str) -> Plot:
    """The last axis lies along the panels; each combination of the others is a curve."""
    *others, along = runs[0].variant.keys
    values = [*dict.fromkeys(each.variant.keys[along] for each in runs)]
    numeric = len(values) > 2 and all(map(_is_number, values))
    groups = [*dict.fromkeys(tuple(each.variant.keys[key] for key in others) for each in runs)]
    panels = []
    for name in ("loss", "test_accuracy"):
        curves = []
        for number, group in enumerate(groups):
            own = [each for each in runs if tuple(each.variant.keys[key] for key in others) == group]
            places = tuple([float(each.variant.keys[along]) if numeric else float(i) for i, each in enumerate(own)])
            label = (
                ", ".join(f"{key}={value}" for key, value in zip(others, group, strict=True))
                or "mean (small: each seed)"
            )
            heights = tuple([getattr(each, name) for each in own])
            curves.append(Curve(label, places, heights, number, number % 2 == 1, "line" if numeric else "points"))
        accuracy = name == "test_accuracy"
        panels.append(
            PlotPanel(
                "Test" if accuracy else "Training",
                along,
                SHORT[name],
                tuple(curves),
                log_x=numeric and min(map(float, values)) > 0 and max(map(float, values)) > 8 * min(map(float, values)),
                log_y=not accuracy,
                categories=() if numeric else tuple(values),
                bottom=0 if accuracy else None,
                top=1.03 if accuracy else None,
                level=(1 / classes, "chance") if accuracy else None,
            )
        )
    return Plot("grid", f"After the last epoch, by {along}", tuple(panels), look)


def _by_epoch(runs: Sequence[Runs], classes: int) -> Plot:
    panels = []
    for name, title, height in (("loss", "Training", "loss"), ("test_accuracy", "Test", "accuracy")):
        curves = [
            Curve(
                each.variant.label,
                tuple(range(1, each.variant.settings.epochs + 1)),
                tuple([each.epoch(number, name) for number in range(each.variant.settings.epochs)]),
                color,
                dashed=color % 2 == 1,
            )
            for color, each in enumerate(runs)
        ]
        level = (1 / classes, "chance") if height == "accuracy" else None
        top = 1.03 if level else None
        panels.append(
            PlotPanel(
                title,
                "epoch",
                height,
                tuple(curves),
                log_y=not level,
                bottom=0 if level else None,
                top=top,
                level=level,
            )
        )
    return Plot(
        "curves", "By epoch (band: all seeds)", tuple(panels), "See how early the curves separate, and how far."
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
