"""Ablation: a grid of any keys of a spec and of its training, compared seed by seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Unpack

from archspec.door import door
from archspec.lab.cells import CellOutcome
from archspec.lab.data import Data
from archspec.lab.experiments.ablate_views import comparison, plots
from archspec.lab.experiments.asking import ExperimentArguments, ask, with_common
from archspec.lab.experiments.conducting import Plan, circumstances, conduct
from archspec.lab.experiments.inquiry import Inquiry
from archspec.lab.experiments.over import axes, grid, no_grid, refuse_clash, texts_of
from archspec.lab.experiments.presets import PRESETS, PresetGrid
from archspec.lab.experiments.runs import Runs, lost_runs, runs_of
from archspec.lab.experiments.trained import TRAINED
from archspec.lab.experiments.variants import cells_of, variant
from archspec.lab.experiments.views import SMALL, curves, networks, resolution
from archspec.lab.results.results import LostRun, Results
from archspec.language.overrides import settings_of
from archspec.passes.compiling import SpecLike

QUESTION = "Which of these choices matters, and by how much? Each network is compared with another, seed by seed."
LOOK = (
    "Each small mark is a seed, and each large one the mean. Only a difference larger than the spread of seeds counts."
)


@door
@with_common
def ablate(
    spec: SpecLike | None = None,
    *,
    over: Mapping[str, Sequence[Any]] | Iterable[str] = (),
    preset: str | None = None,
    **common: Unpack[ExperimentArguments],
) -> Results:
    """Train every network of a grid of choices, and compare each with the one that has an axis's first value.

    Args:
        spec: the spec whose keys are set; by default ``resnet56_cifar`` with 8, 16 and 32 channels.
        over: the keys with their values: a mapping such as ``{"shortcut": ["zero-pad", "none"], "lr": [0.02, 0.1]}``,
            or texts as on the command line, ``KEY=V1,V2``. A key of :class:`archspec.lab.training.Settings` sets the
            training, any other the spec.
        preset: a grid of the literature with its claims, in place of ``over``: ``shortcuts``, ``norm`` or ``orders``.
        **common: what all experiments take; see :class:`ExperimentArguments`.

    Returns:
        The results. The table ``networks`` has sizes, accuracies and losses, ``comparison`` the paired differences.

    Raises:
        SpecError: E891, ``over`` gives no grid; a spec is refused, and a note says in which network; or the data or the
            engine is refused.
        EnvironmentFault: the folder has something else or cannot be written, or a package is missing.
        TypeError, ValueError: a value that an argument does not take.

    >>> from archspec.lab.experiments.ablate import ablate
    >>> grid = {"shortcut": ["zero-pad", "none"], "lr": [0.01, 0.1]}
    >>> small = {"seeds": 1, "data": "synthetic", "trainer": {"epochs": 1}, "jobs": 0}
    >>> ablate(over=grid, overrides=["stages.count=1"], **small).table("networks").column("lr")
    ('0.01', '0.1', '0.01', '0.1')
    """
    texts = texts_of(over)
    options = {"over": texts, "preset": preset}
    return conduct(ask("ablate", spec, options, common), plan)


def plan(inquiry: Inquiry, data: Data) -> Plan:
    """A cell for each network of the grid and each seed."""
    preset = PRESETS[inquiry.options["preset"]] if inquiry.options["preset"] else None
    if preset and inquiry.options["over"]:
        raise no_grid("a preset has a grid of its own, and `over` gives another", inquiry.options["over"][0])
    found = axes(preset.over if preset else inquiry.options["over"])
    refuse_clash(found, inquiry.options["over"], inquiry)
    asked = _with_preset(inquiry, preset) if preset else inquiry
    variants = [
        variant(asked, data, point.label, point.overrides, keys=point.keys, **point.settings) for point in grid(found)
    ]

    def summarize(outcomes: Sequence[CellOutcome]) -> Results:
        runs = runs_of(variants, outcomes, asked.seeds)
        lost = lost_runs(variants, outcomes, asked.seeds)
        results = _results(asked, data, runs, lost, preset)
        return dataclasses.replace(
            results, circumstances=dataclasses.replace(results.circumstances, command=inquiry.command)
        )

    return Plan(cells_of(variants, data, asked, TRAINED), summarize)


def _with_preset(inquiry: Inquiry, preset: PresetGrid) -> Inquiry:
    """What is asked, with what the preset sets below it."""
    overrides = (*preset.overrides, *settings_of(inquiry.overrides))
    return dataclasses.replace(inquiry, overrides=overrides, trainer={**preset.trainer, **inquiry.trainer})


def _results(
    inquiry: Inquiry, data: Data, runs: Sequence[Runs], lost: tuple[LostRun, ...], preset: PresetGrid | None
) -> Results:
    images, classes = len(data.test), len(data.classes)
    return Results(
        "ablate",
        preset.title if preset else "Ablation",
        preset.question if preset else QUESTION,
        circumstances(inquiry, data),
        tuple([each.variant.described() for each in runs]),
        (networks(runs), comparison(runs, images), curves(runs)),
        tuple(preset.claims(runs, images, classes)) if preset else (),
        plots(runs, classes, preset.look if preset else LOOK),
        (*(preset.remarks if preset else ()), resolution(runs, images), SMALL),
        lost,
    )
