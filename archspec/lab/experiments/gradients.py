"""Gradients and activations at every block, at initialization and while networks are trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Unpack

from archspec.door import door
from archspec.lab.cells import CellOutcome
from archspec.lab.data import Data
from archspec.lab.experiments.asking import ExperimentArguments, ask, with_common
from archspec.lab.experiments.conducting import Plan, circumstances, conduct
from archspec.lab.experiments.gradient_cell import GRADIENTS
from archspec.lab.experiments.gradient_claims import claims
from archspec.lab.experiments.gradient_plots import plots
from archspec.lab.experiments.gradient_tables import tables
from archspec.lab.experiments.inquiry import Inquiry
from archspec.lab.experiments.runs import lost_runs, runs_of
from archspec.lab.experiments.variants import Variant, cells_of, refuse_without_blocks, variant
from archspec.lab.experiments.views import SMALL, networks
from archspec.lab.results.results import Results
from archspec.passes.compiling import SpecLike, checked

QUESTION = (
    "What happens to the gradient on its way from the loss to the first block, at initialization and after training? "
    "How much of it comes through the shortcuts, and through how many residual branches does it pass?"
)
OWN: Mapping[str, tuple[str, ...]] = {
    "plain": ("shortcut=none",),
    "residual": (),
    "pre-activation": ("activation_order=pre",),
    "deep residual": ("stages.count=18",),
}
"""The networks without a spec, as overrides of ``resnet56_cifar``."""

NOTES = (
    "Gradients are measured on one batch in training mode. In a plain network without norms, they would shrink toward "
    "the input.",
    "Paths decompose the gradient at the activations of one forward pass, not the function that the network computes. "
    "In a post-activation network, an activation follows each sum and belongs to all paths. Veit et al. derive their "
    "result for pre-activation.",
    "|G_k| is the norm of the sum over all paths of length k. Paths partly cancel, so it is much smaller than what "
    "Veit et al. report: the norm of a single path, multiplied by the number of paths.",
)


@door
@with_common
def gradients(
    specs: Sequence[SpecLike] | SpecLike | None = None,
    *,
    steps: Sequence[int] = (20,),
    images: int = 128,
    path_images: int = 8,
    **common: Unpack[ExperimentArguments],
) -> Results:
    """Measure gradients and activations at every block, and compare them with what the graph alone predicts.

    Args:
        specs: a spec or several; by default a plain network of 56 layers, residual ones of 56 and 110, and one of 56 in
            pre-activation.
        steps: after how many steps of the training the blocks are measured, besides the beginning and the end.
        images: how many training images the gradient is that of.
        path_images: how many of them have their gradient decomposed by path length.
        **common: what all experiments take; see :class:`ExperimentArguments`.

    Returns:
        The results. The table ``blocks`` has the gradient and the activations of every block at every measured step,
        ``summary`` the ratio of first and last block, ``shares`` what comes through shortcuts, and ``lengths`` the
        gradient by path length.

    Raises:
        SpecError: E873, a network has no blocks; a spec, the data or the engine is refused.
        EnvironmentFault: the folder has something else or cannot be written, or a package is missing.
        TypeError, ValueError: a value that an argument does not take.

    >>> from archspec.lab.experiments.gradients import gradients
    >>> small = {"overrides": ["stages.count=1"], "trainer": {"epochs": 1}, "seeds": 1, "jobs": 0}
    >>> gradients(["plain20_cifar"], images=32, **small).table("summary").column("step")
    (0, 20, 21)
    """
    options = {"steps": steps, "images": images, "path_images": path_images}
    return conduct(ask("gradients", None, options, common, specs=_several(specs)), plan)


def _several(specs: Sequence[SpecLike] | SpecLike | None) -> tuple[SpecLike, ...]:
    given: object = specs
    if given is None:
        return ()
    if isinstance(given, list | tuple):
        return tuple([checked(each, "specs") for each in given])
    return (checked(specs, "specs"),)  # type: ignore[arg-type]  # a Graph is one spec


def plan(inquiry: Inquiry, data: Data) -> Plan:
    """A cell for each network and each seed."""
    variants = _variants(inquiry, data)
    more = {name: list(value) if name == "steps" else value for name, value in inquiry.options.items()}

    def summarize(outcomes: Sequence[CellOutcome]) -> Results:
        runs = runs_of(variants, outcomes, inquiry.seeds)
        made = tuple(tables(runs))
        measured = next(each for each in made if each.name == "summary").column("step")
        return Results(
            "gradients",
            "Gradients at every block",
            QUESTION,
            circumstances(inquiry, data),
            tuple([each.variant.described() for each in runs]),
            (*made, networks(runs)),
            tuple(claims(runs)),
            tuple(plots(runs)),
            (*NOTES, *_unreached(inquiry.options["steps"], measured), *_cut(inquiry, data), SMALL),
            lost_runs(variants, outcomes, inquiry.seeds),
        )

    return Plan(cells_of(variants, data, inquiry, GRADIENTS, **more), summarize)


def _unreached(steps: Sequence[int], measured: Sequence[object]) -> Iterator[str]:
    """Which steps were asked for and not measured."""
    if beyond := [step for step in steps if step not in measured]:
        yield f"The training ended before step {', '.join(map(str, beyond))}, so nothing was measured after it."


def _cut(inquiry: Inquiry, data: Data) -> Iterator[str]:
    """How many images were asked for, and how many were there."""
    images, paths = (inquiry.options[name] for name in ("images", "path_images"))
    if images > len(data.train):
        yield f"The gradient is that of {len(data.train):,} images, not {images:,}: the data has only so many."
    if paths > (there := min(images, len(data.train))):
        yield f"The gradient of {there:,} images, not {paths:,}, is split by path length: it has only so many."


def _variants(inquiry: Inquiry, data: Data) -> list[Variant]:
    if not inquiry.specs:
        made = [(kind, variant(inquiry, data, kind, [*overrides])) for kind, overrides in OWN.items()]
        return [dataclasses.replace(each, label=f"{kind.removeprefix('deep ')} {each.layers}") for kind, each in made]
    found: dict[str, Variant] = {}
    for number, spec in enumerate(inquiry.specs, start=1):
        own = variant(dataclasses.replace(inquiry, spec=spec), data, f"spec {number}", [])
        refuse_without_blocks(own.graph)
        label = own.graph.name if own.graph.name not in found else f"{own.graph.name} ({number})"
        found[label] = dataclasses.replace(own, label=label)
    return list(found.values())
