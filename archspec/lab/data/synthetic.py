"""Patterns with noise: data that needs no file and that a small network learns in seconds."""

from __future__ import annotations

import torch
from torch.nn import functional

from archspec.lab.data.unsplit import Asked, Labeled, Unsplit

CLASSES, EACH, SIZE = 10, 64, 32


def read(asked: Asked) -> Unsplit:
    """Images of 3x32x32 or of the size asked for: a smooth pattern for each of 10 classes, and noise on each image."""
    generator = torch.Generator().manual_seed(asked.seed)
    size = asked.size or SIZE
    coarse = torch.randn(CLASSES, 3, 4, 4, generator=generator)
    patterns = functional.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=False)
    labels = torch.arange(CLASSES).repeat_interleave(EACH)
    noise = torch.randn(CLASSES * EACH, 3, size, size, generator=generator)
    return Unsplit(Labeled(patterns[labels] + noise, labels), tuple(map(str, range(CLASSES))))
