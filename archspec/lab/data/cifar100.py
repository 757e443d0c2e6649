"""CIFAR-100: as CIFAR-10, in 100 classes."""

from __future__ import annotations

from archspec.lab.data.cifar import Layout, read_binary
from archspec.lab.data.unsplit import Asked, Unsplit

LAYOUT = Layout(
    name="cifar100",
    archive="cifar-100-binary.tar.gz",
    folder="cifar-100-binary",
    train=("train.bin",),
    test="test.bin",
    records=(50_000, 10_000),
    labels=2,
    classes=100,
    names="fine_label_names.txt",
)


def read(asked: Asked) -> Unsplit:
    """The images of a folder."""
    return read_binary(LAYOUT, asked.place)
