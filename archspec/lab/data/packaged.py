"""Data that an installed package contains, read without importing the package."""

from __future__ import annotations

import gzip
import importlib.util
import io
import zlib
from importlib import resources

import numpy as np
import torch

from archspec.import_path import only_installed
from archspec.lab.data.faults import damaged, no_package
from archspec.lab.data.unsplit import Labeled


def digits_in(data: str, package: str, file: str, side: int, largest: int, install: str) -> Labeled:
    """Images of one channel and their labels, from a compressed table with an image and its label in each row.

    Args:
        data: the name of the data, for messages.
        package: the package to import, such as ``sklearn``; its code never runs.
        file: the path of the table in the package.
        side: the height and width of an image.
        largest: the largest value of a pixel.
        install: how to install the package.

    Raises:
        EnvironmentFault: E809, the package is not installed.
        SpecError: E862, the table is missing or damaged.
    """
    with only_installed():
        found = importlib.util.find_spec(package)
    if found is None:
        raise no_package(data, package, install)
    place = resources.files(importlib.util.module_from_spec(found)).joinpath(*file.split("/"))
    repair = install.replace("install", "install --force-reinstall", 1)
    try:
        rows = np.loadtxt(io.BytesIO(gzip.decompress(place.read_bytes())), delimiter=",", dtype=np.float32, ndmin=2)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise damaged(place, f"cannot be read: {error}", repair) from None
    labels, pixels = rows[:, -1], rows[:, :-1]
    if pixels.shape[1] != side * side or not ((pixels >= 0) & (pixels <= largest)).all():
        raise damaged(place, f"does not contain images of {side}x{side} pixels from 0 to {largest}", repair)
    images = torch.from_numpy(pixels.reshape(-1, 1, side, side) / np.float32(largest))
    return Labeled(images, torch.from_numpy(labels.astype(np.int64)))
