"""What data is: two splits of labeled images, and what a network must know about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from archspec.display import counted
from archspec.operations.shapes import Shape, show_shape
from archspec.wording import tagged

Augment = Literal["none", "crop-flip"]


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Labeled images.

    ``images`` is (N, C, H, W) of float32, with mean 0 and deviation 1 in each channel over the training images;
    ``labels`` is (N,) of int64.
    """

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return tagged(self, f"{counted(len(self), 'image')} of {show_shape(tuple(self.images.shape[1:]))}")


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """Images to train with and to test with.

    ``fingerprint`` is a hash of all images, labels and classes. ``augment`` says how training varies the images:
    ``crop-flip`` pads each by 4 pixels, crops it at random and mirrors half of them (He et al. 2015, section 4.2).
    ``source`` is what :func:`load_data` takes to read it again, in this folder or another: its name, with the whole
    path of its own folder if it was named.

    >>> from archspec.lab.data import load_data
    >>> data = load_data("digits")
    >>> data.input, len(data.classes), data.train
    ((1, 8, 8), 10, <Split 1,347 images of 1x8x8>)
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    fingerprint: str
    augment: Augment = "none"
    source: str = ""

    @property
    def input(self) -> Shape:
        """The shape of one image: channels, height, width."""
        return tuple(self.train.images.shape[1:])

    def __repr__(self) -> str:
        return tagged(self, f"{self.name}: {show_shape(self.input)}, {len(self.classes)} classes")
