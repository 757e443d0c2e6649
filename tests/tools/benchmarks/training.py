"""Training: a step of the trainer against a step of the same loop written by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache

import torch
from torch import nn
from torch.nn import functional
from torch.optim.lr_scheduler import OneCycleLR

import archspec
from archspec.lab.data import Data, load_data
from archspec.lab.training import Progress, Settings, for_data, train
from tests.tools.benchmarks.measure import Case

LR, BATCH = 0.05, 64


def cases() -> Iterator[Case]:
    """The ratio that a step has to reach."""
    work = "a step of `archspec.lab.training.train`, resnet20_cifar at width 8 on digits"
    peer = "a loop with torch's optimizer and scheduler that adds up the loss"
    yield Case("train", work, peer, 1.03, ours, theirs, rounds=25, spread=True)


@cache
def data() -> Data:
    return load_data("digits")


def network() -> nn.Module:
    return archspec.build(for_data("resnet20_cifar", data(), overrides={"params.width": 8}), seed=0)


def ours(number: int) -> float:
    """Processor seconds a step, from the end of the first step to the end of the last."""
    ends: list[float] = []

    def tell(progress: Progress) -> None:
        if not progress.ended:
            ends.append(time.process_time())

    train(network(), data(), Settings(epochs=1, batch=BATCH, lr=LR), progress=tell)
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def theirs(number: int) -> float:
    """The same of a loop as one would write it."""
    model, images, labels = network(), data().train.images, data().train.labels
    steps = len(labels) // BATCH
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9, weight_decay=1e-4)
    scheduler = OneCycleLR(optimizer, LR, total_steps=steps + 1, cycle_momentum=False)
    order, total, ends = torch.randperm(len(labels)), 0.0, list[float]()
    for step in range(steps):
        chosen = order[step * BATCH : (step + 1) * BATCH]
        loss = functional.cross_entropy(model(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        total += loss.item()
        ends.append(time.process_time())
    return (ends[-1] - ends[0]) / (len(ends) - 1)
