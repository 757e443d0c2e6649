"""The cell of most experiments: one network, trained once from one seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from archspec.graph.graph import Graph
from archspec.lab.data import Data, load_data
from archspec.lab.training import Diverged, Epoch, Progress, Settings, evaluate, for_data, train
from archspec.language.load import load
from archspec.weights.building import build

TRAINED = "archspec.lab.experiments.trained:trained"


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A network after training, and what the cell says of it; None in place of the model if its loss diverged."""

    graph: Graph
    data: Data
    model: nn.Module | None
    record: Mapping[str, Any]


def trained(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Train a network. ``inputs`` has the ``spec`` as text, the ``source`` of the data, ``settings`` and ``seed``.

    Returns ``epochs``, each with ``loss`` and ``accuracy`` of training and of the test; ``train`` and ``test``, the
    loss and accuracy at the end, in eval mode; and ``diverged``, the step and epoch if the loss was not finite.
    """
    return train_network(inputs).record


def train_network(inputs: Mapping[str, Any]) -> TrainedNetwork:
    """Train a network as :func:`trained` does, and keep it."""
    data, seed = data_of(inputs), inputs["seed"]
    graph = for_data(load(inputs["spec"]), data)
    model = build(graph, seed=seed)
    epochs: list[Epoch] = []

    def keep(progress: Progress) -> None:
        if progress.ended:
            epochs.append(progress.ended)

    lost: Diverged | None = None
    try:
        train(model, data, Settings(**inputs["settings"]), seed=seed, progress=keep)
    except Diverged as error:
        lost = error
    record: dict[str, Any] = {"epochs": [epoch_record(epoch) for epoch in epochs], "train": None, "test": None}
    record["diverged"] = {"step": lost.step, "epoch": lost.epoch} if lost else None
    if lost:
        return TrainedNetwork(graph, data, None, record)
    with torch.no_grad():
        record |= {
            name: evaluate(model, split)._asdict() for name, split in (("train", data.train), ("test", data.test))
        }
    return TrainedNetwork(graph, data, model, record)


def data_of(inputs: Mapping[str, Any]) -> Data:
    """The data of a cell: ``inputs`` has its ``source``, its ``fingerprint``, and the ``size`` if it is resized.

    Raises:
        ValueError: this machine has other data than the one where the experiment began.
    """
    data = load_data(inputs["source"], size=inputs.get("size"))
    if data.fingerprint != inputs["fingerprint"]:
        raise ValueError(f"the data `{inputs['data']}` here is other data than where the experiment began")
    return data


def epoch_record(epoch: Epoch) -> dict[str, float]:
    """An epoch without its time, which differs from run to run."""
    return {name: getattr(epoch, name) for name in ("loss", "accuracy", "test_loss", "test_accuracy")}
