"""Random networks, and how well each of them trains: the score against the final loss."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy

import archspec

EPOCHS, BATCH, RATE = 3, 64, 0.05
SHORTCUTS = ("none", "zero-pad", "projection", "projection-all")
ORDERS = ("post", "pre", "norm-after-add", "act-before-add", "act-only-pre")
NORMS = ("batch", "batch", "batch", "none", "{type: group, groups: 2}")
"""Batch norm in three of five networks."""


def drawn(seed: int, count: int) -> Iterator[list[str]]:
    """The settings of random networks, from 8 to 110 layers."""
    draw = random.Random(seed)
    for _ in range(count):
        width = draw.choice((4, 6, 8, 12, 16))
        count_of_blocks = min(18, max(1, round(math.exp(draw.uniform(0, math.log(18.5))))))
        yield [
            f"stages.count={count_of_blocks}",
            f"stages.channels=[{width}, {2 * width}, {4 * width}]",
            f"stem={{use: cifar, width: {width}}}",
            f"shortcut={draw.choice(SHORTCUTS)}",
            f"activation_order={draw.choice(ORDERS)}",
            f"norm={draw.choice(NORMS)}",
            "input=[1, 8, 8]",
        ]


def load(settings: list[str]) -> archspec.Spec:
    """The spec of a random network."""
    return archspec.load("resnet56_cifar", overrides=settings)


def final_loss(spec: archspec.Spec, seed: int = 0) -> float:
    """The mean loss of the last epoch; infinite where it is not a number."""
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1)
    images = (images - images.mean()) / images.std()
    labels = torch.tensor(data.target)
    model = archspec.build(spec, seed=seed).train()
    steps = len(images) // BATCH
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS * steps)
    generator, losses = torch.Generator().manual_seed(seed), [0.0]
    for _ in range(EPOCHS):
        losses = []
        for chosen in torch.randperm(len(images), generator=generator)[: steps * BATCH].split(BATCH):
            loss = cross_entropy(model(images[chosen]), labels[chosen])
            if not math.isfinite(loss.item()):
                return math.inf
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    return sum(losses) / len(losses)


def train_all(seed: int, count: int, file: Path) -> None:
    """Train random networks and write a line for each into ``file``; those that it has already are left out."""
    torch.set_num_threads(1)
    done = file.read_text().count("\n") if file.exists() else 0
    for number, settings in enumerate(drawn(seed, count)):
        if number < done:
            continue
        start = time.process_time()
        found: dict[str, Any] = {"settings": settings, "loss": final_loss(load(settings))}
        found["seconds"] = round(time.process_time() - start, 2)
        with file.open("a") as lines:
            lines.write(json.dumps(found) + "\n")
