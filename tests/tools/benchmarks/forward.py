"""What a built model takes to run, against torchvision's with the same weights."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

import archspec
from tests.support.reference import torchvision_model
from tests.tools.benchmarks.measure import Case, Timed, timed

AIM = 1.03
THEIRS = "torchvision's, same weights"
FAMILIES: dict[str, dict[str, Any]] = {
    "alexnet": {},
    "convnext_tiny": {},
    "densenet121": {},
    "efficientnet_b0": {},
    "efficientnet_v2_s": {},
    "googlenet": {"aux_logits": False, "init_weights": False, "transform_input": True},
    "inception_v3": {"aux_logits": False, "init_weights": False, "transform_input": True},
    "mnasnet1_0": {},
    "mobilenet_v2": {},
    "mobilenet_v3_large": {},
    "regnet_x_400mf": {},
    "regnet_y_400mf": {},
    "resnet18": {},
    "resnext50_32x4d": {},
    "shufflenet_v2_x1_0": {},
    "squeezenet1_0": {},
    "vgg11_bn": {},
    "wide_resnet50_2": {},
}
"""One network of each family of torchvision's classifiers that the zoo has, and what torchvision's is made with."""


def cases() -> Iterator[Case]:
    """Every ratio that a forward pass has to reach."""
    for batch in (1, 8):
        ours, theirs = forward("resnet50", batch)
        work = f"one forward pass of resnet50, batch {batch}"
        yield Case(f"forward-{batch}", work, THEIRS, AIM, ours, theirs, rounds=15, spread=True)
    for name in FAMILIES:
        ours, theirs = forward(name, 8)
        yield Case(name, f"one forward pass of {name}, batch 8", THEIRS, AIM, ours, theirs, rounds=11)


def forward(name: str, batch: int) -> tuple[Timed, Timed]:
    """A forward pass of each side in eval mode; the models are made when they are first asked for.

    In time of the processor: on a busy machine, passes of seconds wait for other processes.
    """

    def of(side: int) -> Timed:
        def take(number: int) -> float:
            *models, example = pair(name, batch)
            with torch.no_grad():
                return timed(lambda: models[side](example), time.process_time)

        return take

    return of(0), of(1)


@lru_cache(1)  # some are large
def pair(name: str, batch: int) -> tuple[nn.Module, nn.Module, Tensor]:
    """Ours and theirs with equal weights and results, and what they read."""
    theirs = torchvision_model(name, **FAMILIES.get(name, {})).eval()
    ours = archspec.build(name, weights=theirs.state_dict()).eval()
    example = torch.randn(batch, *archspec.compile(name).input)
    with torch.no_grad():
        if not torch.equal(ours(example), theirs(example)):
            raise AssertionError(f"{name} gives other outputs than torchvision's")
    return ours, theirs, example
