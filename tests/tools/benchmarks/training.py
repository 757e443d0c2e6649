"""Training: a step of the trainer against a step of the same loop written by hand."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
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
    yield Case("train", work, peer, 1.03, ours, theirs, rounds=25)


@cache
def data() -> Data:
    return load_data("digits")


def network() -> nn.Module:
    return archspec.build(for_data("resnet20_cifar", data(), overrides={"params.width": 8}), seed=0)


def ours(number: int) -> float:
    """Processor seconds a step of the trainer."""
    return steps(number)[0]


def theirs(number: int) -> float:
    """Processor seconds a step of the loop."""
    return steps(number)[1]


@cache
def steps(number: int) -> tuple[float, float]:
    """Median processor seconds of a step of the trainer, and of the loop, for one epoch of both.

    After each step of the trainer comes one of the loop, so that whatever else the machine does slows both alike.
    """
    clock, step = time.process_time, loop()
    trainer, bare = list[float](), list[float]()
    begun = 0.0

    def tell(progress: Progress) -> None:
        nonlocal begun
        ended = clock()
        if progress.ended:
            return
        step()
        after = clock()
        if begun:  # the first step of both warms up
            trainer.append(ended - begun)
            bare.append(after - ended)
        begun = clock()

    train(network(), data(), Settings(epochs=1, batch=BATCH, lr=LR), progress=tell)
    return statistics.median(trainer), statistics.median(bare)


def loop() -> Callable[[], None]:
    """The steps of an epoch as one would write them."""
    model, images, labels = network(), data().train.images, data().train.labels
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9, weight_decay=1e-4)
    scheduler = OneCycleLR(optimizer, LR, total_steps=len(labels) // BATCH + 1, cycle_momentum=False)
    order, losses = torch.randperm(len(labels)), list[float]()

    def step() -> None:
        chosen = order[len(losses) * BATCH : (len(losses) + 1) * BATCH]
        loss = functional.cross_entropy(model(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())

    return step
