"""Random crops and flips, as a function of the seed, the epoch and the image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from archspec.lab.seeding import seeded

PAD = 4

Change = Callable[[Tensor, Tensor], Tensor]
"""Images (B, C, H, W) and their positions (B,) in the split, to the images as they are in this epoch."""


def crop_flip(seed: int, epoch: int, number: int) -> Change:
    """How each of ``number`` images is varied in an epoch: padded by 4, cropped at random, and half of them flipped.

    The padding is zeros, which are the mean of normalized images (He et al. 2015, section 4.2). What happens to an
    image does not depend on its batch, so that one process and several do the same.
    """
    generator = torch.Generator().manual_seed(seeded(seed, epoch, "augment"))
    corners = torch.randint(2 * PAD + 1, (number, 2), generator=generator)
    flips = torch.rand(number, generator=generator) < 0.5

    def changed(images: Tensor, positions: Tensor) -> Tensor:
        height, width = images.shape[2:]
        places = positions.to(corners.device)
        rows = corners[places, 0, None] + torch.arange(height)
        columns = torch.arange(width).expand(len(places), width)
        columns = corners[places, 1, None] + torch.where(flips[places, None], columns.flip(1), columns)
        rows, columns = rows.to(images.device), columns.to(images.device)
        padded = functional.pad(images, (PAD,) * 4)
        batch = torch.arange(len(places), device=images.device)[:, None, None]
        return padded[batch, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()

    return changed


def change_of(augment: str, seed: int, epoch: int, number: int) -> Change | None:
    """What data with this ``augment`` does to its images in an epoch; None for nothing."""
    return crop_flip(seed, epoch, number) if augment == "crop-flip" else None
