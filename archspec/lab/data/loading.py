"""From the name of data to two normalized splits."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from archspec import arguments
from archspec.diagnostics import Diagnostic, SpecError, cut, did_you_mean
from archspec.lab.data.faults import unusable
from archspec.lab.data.sources import SOURCES
from archspec.lab.data.split import Data, Split
from archspec.lab.data.unsplit import Asked, Labeled, Unsplit
from archspec.wording import first_of

MAX_SIZE = 4096


def load_data(name: str, *, size: int | None = None, seed: int = 0) -> Data:
    """Labeled images by name.

    Args:
        name: ``digits``, ``mnist5k``, ``cifar10``, ``cifar100`` or ``synthetic``; ``cifar10:FOLDER`` and
            ``cifar100:FOLDER`` name the folder of the binary version; ``folder:PATH`` reads images, in a folder for
            each class.
        size: the height and width that images are resized to; without it, they keep their own.
        seed: decides which images of each class are for the test, where the data does not say so, and what synthetic
            data looks like.

    Returns:
        The data. In each channel, the training images have mean 0 and deviation 1.

    Raises:
        SpecError: E860, there is no such data; E861, it is not on this machine; E862, a file of it is damaged; E868,
            its images or classes do not make a data set.
        EnvironmentFault: E809, a package is not installed.
        TypeError: an argument of the wrong type.
        ValueError: the size or the seed is out of range.

    >>> from archspec.lab.data import load_data
    >>> load_data("digits", size=16)
    <Data digits: 1x16x16, 10 classes>
    """
    asked = Asked("", None if size is None else arguments.whole(size, "size", 1, MAX_SIZE), _seed(seed))
    word, colon, place = arguments.text(name, "name").partition(":")
    source = SOURCES.get(word)
    if source is None:
        help = f"the data sets are {', '.join(SOURCES)}"
        raise SpecError(
            [Diagnostic("E860", f"there is no data set `{cut(word)}`", hint=did_you_mean(word, SOURCES), help=help)]
        )
    if (source.place == "never" and colon) or (source.place == "must" and not place):
        wrong = "takes no folder" if colon and source.place == "never" else "needs a folder"
        help = f"write `{word}`" if source.place == "never" else f"write `{word}:PATH`, with the path of a folder"
        raise SpecError([Diagnostic("E860", f"the data set `{word}` {wrong}", help=help)])
    module, _, function = source.read.partition(":")
    read: Callable[[Asked], Unsplit] = getattr(importlib.import_module(module), function)
    data = _prepared(word, read(asked._replace(place=place)), asked)
    return replace(data, source=f"{word}:{Path(place).absolute()}" if place else word)


def _seed(seed: object) -> int:
    return arguments.whole(seed, "seed", 0, 2**63 - 1)


def _prepared(name: str, raw: Unsplit, asked: Asked) -> Data:
    """Split, resized and normalized data."""
    train, test = (raw.train, raw.test) if raw.test else _divided(raw.train, raw.classes, raw.test_share, asked.seed)
    images, others = (_resized(_scaled(each.images), asked.size) for each in (train, test))
    dimensions = (0, 2, 3)
    mean, deviation = images.mean(dimensions, keepdim=True), images.std(dimensions, keepdim=True)
    if not (varies := deviation > 0).any():
        raise unusable(f"all images of `{name}` are the same", "use images that differ")
    deviation = deviation.where(varies, 1.0)
    splits = (Split((images - mean) / deviation, train.labels), Split((others - mean) / deviation, test.labels))
    fingerprint = _fingerprint((train, test), raw.classes, asked.size)
    return Data(name, *splits, raw.classes, fingerprint, raw.augment)


def _scaled(images: Tensor) -> Tensor:
    return images.to(torch.float32) / 255 if images.dtype == torch.uint8 else images


def _resized(images: Tensor, size: int | None) -> Tensor:
    """Images of another size: means of areas where these are whole pixels, and otherwise interpolated."""
    if size is None or tuple(images.shape[2:]) == (size, size):
        return images
    if all(side % size == 0 for side in images.shape[2:]):
        return functional.interpolate(images, size=(size, size), mode="area")
    return functional.interpolate(images, size=(size, size), mode="bilinear", align_corners=False, antialias=True)


def _divided(labeled: Labeled, names: tuple[str, ...], share: float, seed: int) -> tuple[Labeled, Labeled]:
    """Two parts, with the same share of each class in the second, both in random order."""
    generator = torch.Generator().manual_seed(seed)

    def shuffled(positions: Tensor) -> Tensor:
        return positions[torch.randperm(len(positions), generator=generator)]

    counts = labeled.labels.bincount(minlength=len(names)).tolist()
    if single := [f"`{cut(name)}`" for name, count in zip(names, counts, strict=True) if count == 1]:
        message = f"classes with a single image, and none to test with: {first_of(single)}"
        raise unusable(message, "use at least 2 images of each class")
    classes = [shuffled((labeled.labels == label).nonzero().flatten()) for label in labeled.labels.unique()]
    cuts = [max(round(len(members) * share), 1) for members in classes]  # a class that nothing tests tells nothing
    test = shuffled(torch.cat([members[:cut_] for members, cut_ in zip(classes, cuts, strict=True)]))
    train = shuffled(torch.cat([members[cut_:] for members, cut_ in zip(classes, cuts, strict=True)]))
    return tuple(Labeled(labeled.images[part], labeled.labels[part]) for part in (train, test))  # type: ignore[return-value]  # two parts


def _fingerprint(parts: tuple[Labeled, Labeled], classes: tuple[str, ...], size: int | None) -> str:
    """A hash of all images, labels and classes, before arithmetic that another machine may round in another way."""
    digest = hashlib.sha256(repr((classes, size)).encode())
    for tensor in (tensor for part in parts for tensor in part):
        found: Any = tensor.contiguous().numpy()
        digest.update(repr((found.shape, found.dtype)).encode())
        digest.update(memoryview(found).cast("B"))
    return digest.hexdigest()
