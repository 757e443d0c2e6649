"""CIFAR-10: 50,000 images of 3x32x32 to train with and 10,000 to test with, in 10 classes."""

from __future__ import annotations

from archspec.lab.data.cifar import Layout, read_binary
from archspec.lab.data.unsplit import Asked, Unsplit

LAYOUT = Layout(
    name="cifar10",
    archive="cifar-10-binary.tar.gz",
    folder="cifar-10-batches-bin",
    train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    test="test_batch.bin",
    records=(10_000,) * 6,
    labels=1,
    classes=10,
    names="batches.meta.txt",
)


def read(asked: Asked) -> Unsplit:
    """The images of a folder."""
    return read_binary(LAYOUT, asked.place)
