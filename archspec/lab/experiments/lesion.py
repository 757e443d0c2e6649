"""Lesions: what a trained network does without some of its blocks, or with its blocks in another order."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import Any, Unpack

from archspec import arguments
from archspec.diagnostics import Diagnostic, SpecError, cut
from archspec.door import door
from archspec.lab.cells import CellOutcome
from archspec.lab.data import Data
from archspec.lab.experiments.asking import ExperimentArguments, ask, with_common
from archspec.lab.experiments.conducting import Plan, circumstances, conduct
from archspec.lab.experiments.inquiry import Inquiry
from archspec.lab.experiments.lesion_views import blocks_of, claims, keeps, plots, tables
from archspec.lab.experiments.lesioned import LESIONED, weights_hash
from archspec.lab.experiments.runs import Runs, lost_runs, runs_of
from archspec.lab.experiments.variants import Variant, cells_of, refuse_without_blocks, variant
from archspec.lab.experiments.views import SMALL, curves, networks, resolution
from archspec.lab.results.results import Results
from archspec.passes.compiling import SpecLike
from archspec.weights.fitting import fit
from archspec.weights.misfits import TRANSFER

QUESTION = (
    "What does a trained network lose when one of its blocks is deleted? In a plain network, each layer needs the one "
    "before it. A residual network can be seen as a collection of many paths, and half of them bypass any given block."
)
USUAL = (1, 3, 5, 8, 12, 16)


@door
@with_common
def lesion(
    spec: SpecLike | None = None,
    *,
    weights: str | os.PathLike[str] | None = None,
    map: str | os.PathLike[str] | None = None,
    train: bool = False,
    sets: int = 1,
    deleted: Sequence[int] = USUAL,
    draws: int = 8,
    **common: Unpack[ExperimentArguments],
) -> Results:
    """Delete each block of a trained network, random sets of blocks, and exchange blocks (Veit et al. 2016, section 4).

    Args:
        spec: a spec; by default ``resnet56_cifar`` with 8, 16 and 32 channels, and a plain network of 20 layers.
        weights: a file of weights, in place of training the network and a plain one beside it.
        map: the key map of the weights, a file.
        train: says that the network is trained, as it is without ``weights``.
        sets: 1 deletes every block, 2 also every pair of blocks.
        deleted: how many of the blocks that keep their shape are deleted at once, at random.
        draws: how many random sets of each size are deleted, and how often blocks are exchanged.
        **common: what all experiments take; see :class:`ExperimentArguments`.

    Returns the results; the table ``blocks`` has the accuracy without each block, ``medians`` a summary.

    Raises:
        SpecError: E873, no blocks; E874, `weights` with `train`; or the spec, weights, data or engine is refused.
        EnvironmentFault, TypeError, ValueError: the folder cannot be used, a package is missing, or a value is wrong.

    >>> from archspec.lab import lesion
    >>> small = {"overrides": ["stages.count=1"], "trainer": {"epochs": 1}, "seeds": 1, "jobs": 0}
    >>> lesion(deleted=[1], draws=1, **small).table("blocks").column("block")[:3]
    ('layer1.0', 'layer2.0', 'layer3.0')
    """
    options = {**_source(weights, map, train), "sets": sets, "deleted": deleted, "draws": draws}
    return conduct(ask("lesion", spec, options, common), plan)


def _source(
    weights: str | os.PathLike[str] | None, map: str | os.PathLike[str] | None, train: bool
) -> dict[str, str | bool | None]:
    """Where the weights come from, as options.

    Raises:
        SpecError: E874, from a file and from training, or a map without weights.
        TypeError: `weights` or `map` is not a path.
    """
    given = (("weights", weights), ("map", map))
    files = {name: None if value is None else arguments.path(value, name) for name, value in given}
    if map is not None and weights is None:
        message = f"the key map `{cut(os.fspath(map))}` is given, but no weights whose keys it renames"
        raise SpecError([Diagnostic("E874", message, help="leave out `map`, or give `weights` too")])
    if weights is not None and train:
        message = f"the weights `{cut(os.fspath(weights))}` do not go with `train`, which trains new ones"
        raise SpecError([Diagnostic("E874", message, help="leave out `train` or the weights")])
    return {**files, "train": train}


def plan(inquiry: Inquiry, data: Data) -> Plan:
    """A cell for each network and each seed."""
    options = inquiry.options
    own = variant(inquiry, data, "residual" if inquiry.spec is None else "", [])
    own = dataclasses.replace(own, label=own.label or own.graph.name)
    refuse_without_blocks(own.graph)
    more: dict[str, Any] = {name: list(options[name]) if name == "deleted" else options[name] for name in _NAMES}
    variants, remarks, warnings = [own], list[str](), list[Diagnostic]()
    if options["weights"]:
        loaded = fit(own.graph, options["weights"], options["map"]).loaded  # refused before any work
        hashes = [weights_hash(options[name]) for name in ("weights", "map") if options[name]]
        more |= {"weights": options["weights"], "map": options["map"], "hashes": hashes}
        warnings += [_without_transfer(each) for each in loaded.remarks]
        remarks += [_sentence(each) for each in warnings]
        remarks.append("The weights come from one file, so the seeds differ only in which blocks they draw at random.")
        remarks.append("The network was not trained here, so the settings of the training had no effect.")
    elif plain := _plain(inquiry, data, own):
        variants.append(plain)
    else:
        remarks.append("No plain network is trained for comparison, because this one has no shortcuts to remove.")

    def summarize(outcomes: Sequence[CellOutcome]) -> Results:
        runs = runs_of(variants, outcomes, inquiry.seeds)
        images, classes = len(data.test), len(data.classes)
        trained = [] if options["weights"] else [curves(runs)]
        return Results(
            "lesion",
            "Lesions",
            QUESTION,
            circumstances(inquiry, data),
            tuple([each.variant.described() for each in runs]),
            (networks(runs), *tables(runs, classes), *trained),
            tuple(claims(runs, images, classes)),
            tuple(plots(runs, classes)),
            (*remarks, *_without_medians(runs[0]), resolution(runs, images), *([] if options["weights"] else [SMALL])),
            lost_runs(variants, outcomes, inquiry.seeds),
        )

    return Plan(cells_of(variants, data, inquiry, LESIONED, **more), summarize, warnings)


def _without_transfer(warning: Diagnostic) -> Diagnostic:
    """A warning about weights, without the argument that this experiment does not take."""
    if TRANSFER not in warning.mentions:
        return warning
    return dataclasses.replace(warning, help="give the spec that the weights were saved from", mentions=())


def _sentence(warning: Diagnostic) -> str:
    """The message of a warning as a sentence of a report."""
    return f"{warning.message[:1].upper()}{warning.message[1:]}."


def _without_medians(own: Runs) -> Iterator[str]:
    """Why the table of medians is empty, if it is."""
    found = blocks_of(own)
    if found and not any(keeps(block) for block in found):
        yield "No block keeps the shape of its input, so there are no medians; `blocks.csv` has every block."


_NAMES = ("sets", "deleted", "draws")


def _plain(inquiry: Inquiry, data: Data, own: Variant) -> Variant | None:
    """The network without shortcuts, of 20 layers if no spec is given; None if the spec cannot be without them."""
    depth = ["stages.count=3"] if inquiry.spec is None and not _sets(inquiry, "stages.count") else []
    try:
        label = "plain" if inquiry.spec is None else f"{own.label} without shortcuts"
        plain = variant(inquiry, data, label, [*depth, "shortcut=none"])
    except SpecError:  # a block that fixes its shortcut, for example
        return None
    return None if plain.graph.fingerprint == own.graph.fingerprint else plain


def _sets(inquiry: Inquiry, key: str) -> bool:
    """Whether an override sets a key."""
    texts = [each if isinstance(each, str) else each.text for each in inquiry.overrides]
    return any(text.partition("=")[0].strip() == key for text in texts)
