"""Recalibrating batch norms: their running statistics measured anew, as averages over batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from archspec.lab.seeding import seeded

IMAGES, BATCH = 512, 128


def batch_norms(model: nn.Module) -> dict[str, _BatchNorm]:
    """The batch norms of a model that have running statistics, by name."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm) and module.track_running_stats
    }


def calibration_batches(images: Tensor) -> list[Tensor]:
    """Batches for the statistics: up to 512 images in random order, since those of one class give wrong ones."""
    generator = torch.Generator().manual_seed(seeded("calibration"))
    order = torch.randperm(len(images), generator=generator)[:IMAGES]
    batches = images[order].split(BATCH)
    return list(batches[:-1] if len(batches) > 1 and len(batches[-1]) < BATCH // 2 else batches)


@contextmanager
def measuring(norms: list[_BatchNorm]) -> Iterator[None]:
    """Within this, norms take the statistics of each batch, and their running statistics become averages of these."""
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # then torch averages over all batches
        norm.train()
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()


@torch.no_grad()
def recalibrate(model: nn.Module, images: Tensor) -> None:
    """Measure the running statistics of all batch norms of a model anew. The model is left in eval mode.

    >>> norm = nn.BatchNorm2d(1)
    >>> recalibrate(norm, torch.full((4, 1, 2, 2), 3.0))
    >>> norm.running_mean.item(), norm.running_var.item()
    (3.0, 0.0)
    """
    model.eval()
    with measuring(list(batch_norms(model).values())):
        for batch in calibration_batches(images):
            model(batch)
