"""What a source reads, before it is split, resized and normalized."""

from __future__ import annotations

from typing import NamedTuple

import torch

from archspec.lab.data.split import Augment
from archspec.wording import brief


class Labeled(NamedTuple):
    """Images (N, C, H, W), uint8 from 0 to 255 or float32, and their labels (N,), int64."""

    images: torch.Tensor
    labels: torch.Tensor

    def __repr__(self) -> str:
        return brief(self)


class Unsplit(NamedTuple):
    """What a source has. Without ``test``, a part of each class of ``train`` is set aside: ``test_share`` of it."""

    train: Labeled
    classes: tuple[str, ...]
    test: Labeled | None = None
    test_share: float = 0.25
    augment: Augment = "none"

    def __repr__(self) -> str:
        return brief(self)


class Asked(NamedTuple):
    """How a caller asked for a source: the text after the colon, the size of the images, and the seed."""

    place: str
    size: int | None
    seed: int

    def __repr__(self) -> str:
        return brief(self)
