"""The degradation problem: plain networks against residual ones at several depths (He et al. 2015, figures 1 and 6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Unpack

from archspec.display import counted
from archspec.door import door
from archspec.lab.cells import CellOutcome
from archspec.lab.data import Data
from archspec.lab.experiments.asking import ExperimentArguments, ask, with_common
from archspec.lab.experiments.conducting import Plan, circumstances, conduct
from archspec.lab.experiments.inquiry import Inquiry
from archspec.lab.experiments.runs import Runs, lost_runs, runs_of
from archspec.lab.experiments.trained import TRAINED
from archspec.lab.experiments.variants import Variant, cells_of, variant
from archspec.lab.experiments.views import SMALL, curves, networks, resolution
from archspec.lab.results.claim import LiteratureClaim, sampling
from archspec.lab.results.plot import Curve, Plot, PlotPanel
from archspec.lab.results.results import LostRun, Results
from archspec.passes.compiling import SpecLike

QUESTION = (
    "Does a deeper network fit its training images better? A deep plain network can compute all that a shallower one "
    "can, yet He et al. found that training makes it worse. With shortcuts, they found that it does not."
)
HE = "He et al. 2015"
KINDS = ("plain", "residual")


@door
@with_common
def degradation(
    spec: SpecLike | None = None,
    *,
    plain: Sequence[int] = (3, 9),
    residual: Sequence[int] = (3, 9, 18),
    **common: Unpack[ExperimentArguments],
) -> Results:
    """Train plain and residual networks of several depths, and compare them.

    Args:
        spec: a spec with residual blocks; by default ``resnet56_cifar`` with 8, 16 and 32 channels. Its
            ``stages.count`` and, for the plain networks, ``shortcut`` are set.
        plain: the blocks of each stage of the plain networks: 3 and 9 are 20 and 56 layers of ``resnet56_cifar``.
        residual: the same of the residual networks.
        **common: what all experiments take; see :class:`ExperimentArguments`.

    Returns:
        The results. The table ``networks`` has the final accuracies and losses, ``curves`` those of every epoch.

    Raises:
        SpecError: the spec, the data or the engine is refused.
        EnvironmentFault: the folder has something else or cannot be written, or a package is missing.
        TypeError, ValueError: a value that an argument does not take.

    >>> from archspec.lab.experiments.degradation import degradation
    >>> found = degradation(plain=[1], residual=[1], seeds=1, data="synthetic", trainer={"epochs": 1}, jobs=0)
    >>> found.table("networks").column("network")
    ('plain 8', 'residual 8')
    """
    options = {"plain": plain, "residual": residual}
    return conduct(ask("degradation", spec, options, common), plan)


def plan(inquiry: Inquiry, data: Data) -> Plan:
    """A cell for each network and seed.

    Raises:
        ValueError: there is no network to train.
    """
    if not inquiry.options["plain"] and not inquiry.options["residual"]:
        raise ValueError("`plain` and `residual` are both empty: at least one takes a number of blocks, such as [3]")
    variants = [
        _variant(inquiry, data, kind, count) for kind in ("plain", "residual") for count in inquiry.options[kind]
    ]

    def summarize(outcomes: Sequence[CellOutcome]) -> Results:
        runs = runs_of(variants, outcomes, inquiry.seeds)
        return _results(inquiry, data, runs, lost_runs(variants, outcomes, inquiry.seeds))

    return Plan(cells_of(variants, data, inquiry, TRAINED), summarize)


def _variant(inquiry: Inquiry, data: Data, kind: str, count: int) -> Variant:
    keys = [f"stages.count={count}", *(["shortcut=none"] if kind == "plain" else [])]
    found = variant(inquiry, data, f"{kind} with {counted(count, 'block')} a stage", keys, keys={"kind": kind})
    return replace(found, label=f"{kind} {found.layers}")


def _results(inquiry: Inquiry, data: Data, runs: Sequence[Runs], lost: tuple[LostRun, ...]) -> Results:
    images = len(data.test)
    return Results(
        "degradation",
        "Degradation: plain and residual networks by depth",
        QUESTION,
        circumstances(inquiry, data),
        tuple([each.variant.described() for each in runs]),
        (networks(runs), curves(runs)),
        tuple(_claims(runs, images)),
        (_by_epoch(runs, len(data.classes)), _by_depth(runs, len(data.classes))),
        (resolution(runs, images), SMALL),
        lost,
    )


def _claims(runs: Sequence[Runs], images: int) -> Iterator[LiteratureClaim]:
    plain, residual = (sorted((r for r in runs if r.variant.keys["kind"] == kind), key=_layers) for kind in KINDS)
    if len(plain) > 1:
        shallow, deep = plain[0], plain[-1]
        yield LiteratureClaim(
            f"A plain network of {_layers(deep)} layers fits its training images worse than one of {_layers(shallow)}",
            f"{HE}, figure 1",
            f"training accuracy of {shallow.variant.label} minus {deep.variant.label}",
            shallow.train_accuracy.minus(deep.train_accuracy),
        )
    pairs = [(p, r) for p in plain for r in residual if _layers(p) == _layers(r)]
    if pairs:
        one, other = pairs[-1]
        yield LiteratureClaim(
            f"With shortcuts, the network of {_layers(other)} layers fits its training images better than without",
            f"{HE}, figure 6",
            f"training accuracy of {other.variant.label} minus {one.variant.label}",
            other.train_accuracy.minus(one.train_accuracy),
        )
    for deep in residual[1:]:
        shallow = residual[0]
        yield LiteratureClaim(
            f"A residual network of {_layers(deep)} layers has a higher test accuracy than one of {_layers(shallow)}",
            f"{HE}, table 6",
            f"test accuracy of {deep.variant.label} minus {shallow.variant.label}",
            deep.test_accuracy.minus(shallow.test_accuracy),
            sampling(deep.test_accuracy, shallow.test_accuracy, images=images),
        )


def _layers(runs: Runs) -> int:
    return runs.variant.layers


def _by_epoch(runs: Sequence[Runs], classes: int) -> Plot:
    depths = sorted({_layers(each) for each in runs})
    panels = []
    for name, title in (
        ("accuracy", "Training images, mean over each epoch"),
        ("test_accuracy", "Test images, after each epoch"),
    ):
        shown = [
            Curve(
                each.variant.label,
                tuple(range(1, each.variant.settings.epochs + 1)),
                tuple([each.epoch(number, name) for number in range(each.variant.settings.epochs)]),
                color=depths.index(_layers(each)),
                dashed=each.variant.keys["kind"] == "plain",
            )
            for each in runs
        ]
        chance = (1 / classes, "chance")
        panels.append(PlotPanel(title, "epoch", "accuracy", tuple(shown), bottom=0, top=1.03, level=chance))
    look = (
        "The dashed curves are plain networks, the solid ones residual. If a deeper plain network stays below a "
        "shallower one on its training images too, the cause is not overfitting: training itself finds a worse "
        "network. The curves on the left are means over the steps of an epoch, in training mode, while the weights "
        "still change. The table above has all training images after the last epoch, in eval mode, so the two differ."
    )
    return Plot("curves", "Accuracy by epoch (band: all seeds)", tuple(panels), look)


def _by_depth(runs: Sequence[Runs], classes: int) -> Plot:
    shown = []
    for color, kind in enumerate(KINDS):
        own = sorted((each for each in runs if each.variant.keys["kind"] == kind), key=_layers)
        if own:
            x, y = tuple(map(_layers, own)), tuple([each.train_accuracy for each in own])
            shown.append(Curve(kind, x, y, 1 - color, dashed=kind == "plain"))
    panel = PlotPanel(
        "After the last epoch",
        "layers",
        "training accuracy",
        tuple(shown),
        bottom=0,
        top=1.03,
        level=(1 / classes, "chance"),
    )
    look = (
        "See whether the plain curve falls with depth while the residual one does not. Accuracy is that of the table."
    )
    return Plot("depth", "Training accuracy by depth (band: all seeds)", (panel,), look)
