"""The cell of ``gradients``: one network while it is trained, and the gradients and activations at its blocks."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from archspec.graph.graph import Graph
from archspec.graph.residual import find_residual_blocks
from archspec.lab.data import Data
from archspec.lab.experiments.trained import data_of, epoch_record
from archspec.lab.measures import (
    gradient_autocorrelation,
    gradient_by_length,
    gradient_flow,
    shortcut_shares,
)
from archspec.lab.measures.calibration import recalibrate
from archspec.lab.seeding import seeded
from archspec.lab.training import Diverged, Epoch, Progress, Settings, evaluate, for_data, train
from archspec.language.load import load
from archspec.weights.building import build

GRADIENTS = "archspec.lab.experiments.gradient_cell:gradients_of"


def gradients_of(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Train a network, and measure it before the first step, after some steps, and at the end.

    ``inputs`` are those of :func:`archspec.lab.experiments.trained.trained`, the ``steps`` after which the gradients
    are measured, the number of ``images`` of a batch, and of those for paths, ``path_images``. Of the result, ``flow``
    has the blocks at each step; ``shares``, ``lengths`` and ``autocorrelation`` are of the ``start`` and the ``end``.
    """
    data, seed = data_of(inputs), inputs["seed"]
    graph = for_data(load(inputs["spec"]), data)
    model = build(graph, seed=seed)
    measured = _Probe(graph, data, inputs)
    measured.flow(0, model)
    start = measured.whole(model)
    epochs: list[Epoch] = []
    last = 0

    def after(progress: Progress) -> None:
        nonlocal last
        if progress.ended:
            epochs.append(progress.ended)
        if progress.step != last and progress.step in inputs["steps"]:
            measured.flow(progress.step, model)
        last = progress.step

    record: dict[str, Any] = {"diverged": None, "train": None, "test": None, "start": start, "end": None}
    try:
        train(model, data, Settings(**inputs["settings"]), seed=seed, progress=after)
    except Diverged as error:
        record["diverged"] = {"step": error.step, "epoch": error.epoch}
    else:
        if last not in inputs["steps"]:
            measured.flow(last, model)
        splits = (("train", data.train), ("test", data.test))
        record |= {name: evaluate(model, split)._asdict() for name, split in splits}
        record["end"] = measured.whole(model, trained=True)
    return {**record, "epochs": [epoch_record(epoch) for epoch in epochs], "flow": measured.flows}


class _Probe:
    """What is measured of one network, on the same images each time."""

    def __init__(self, graph: Graph, data: Data, inputs: Mapping[str, Any]) -> None:
        self.graph, self.data, self.inputs = graph, data, inputs
        self.flows: list[dict[str, Any]] = []
        self.residual = any(block.merge for block in find_residual_blocks(graph))

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        """What dropout draws depends on the seed alone, and the training draws what it would without measuring."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seeded(self.inputs["seed"], "gradients", "dropout"))
            yield

    def _images(self, count: int) -> tuple[Tensor, Tensor]:
        """Training images in an order that depends on the seed alone."""
        generator = torch.Generator().manual_seed(seeded(self.inputs["seed"], "gradients"))
        chosen = torch.randperm(len(self.data.train), generator=generator)[:count]
        return self.data.train.images[chosen], self.data.train.labels[chosen]

    def flow(self, step: int, model: nn.Module) -> None:
        """Measure every block after a step."""
        images, labels = self._images(self.inputs["images"])
        with self._drawing():
            blocks = [asdict(block) for block in gradient_flow(model, self.graph, images, labels)]
        names = ("scope", "downsamples", "mean", "variance", "within", "between", "gradient_norm")
        self.flows.append({"step": step, "blocks": [{name: block[name] for name in names} for block in blocks]})

    def whole(self, model: nn.Module, *, trained: bool = False) -> dict[str, Any]:
        """How gradients vary with the input, come through shortcuts, and are distributed over path lengths."""
        (first, last), labels = self._images(2)
        with self._drawing():
            correlation = gradient_autocorrelation(model, self.graph, first, last, int(labels[0]))
        found: dict[str, Any] = {"autocorrelation": correlation, "shares": [], "lengths": None}
        if not self.residual:
            return found
        if not trained:  # statistics that no training has measured
            model = copy.deepcopy(model)
            recalibrate(model, self.data.train.images)
        images, labels = self._images(self.inputs["images"])
        found["shares"] = [asdict(share) for share in shortcut_shares(model, self.graph, images, labels)]
        count = self.inputs["path_images"]
        seed = self.inputs["seed"]
        lengths = gradient_by_length(model, self.graph, images[:count], labels[:count], samples=4, seed=seed)
        low, high = lengths.interval()
        found["lengths"] = {
            **{name: list(getattr(lengths, name)) for name in ("exact", "signed", "sampled")},
            "means": {**lengths.means, "paths": self._mean_of_paths()},
            "low": low,
            "high": high,
            "error": lengths.error,
        }
        return found

    def _mean_of_paths(self) -> float:
        """The mean length of all paths, whatever gradient goes through them."""
        ways = [len(block.residuals) for block in find_residual_blocks(self.graph) if block.merge]
        return sum(number / (number + 1) for number in ways)
