"""The order in which a training sees its images."""

from __future__ import annotations

import torch

from archspec.lab.seeding import seeded


def order(seed: int, epoch: int, number: int) -> torch.Tensor:
    """The positions of all images in the order of an epoch, from the seed and the epoch alone.

    >>> sorted(order(0, 1, 4).tolist())
    [0, 1, 2, 3]
    """
    return torch.randperm(number, generator=torch.Generator().manual_seed(seeded(seed, epoch, "order")))
