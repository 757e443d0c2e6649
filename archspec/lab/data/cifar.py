"""The binary version of CIFAR-10 and CIFAR-100 (Krizhevsky 2009): records of labels and 3x32x32 bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from archspec.diagnostics import cut
from archspec.files import regular_file
from archspec.lab.data.faults import damaged, missing
from archspec.lab.data.unsplit import Labeled, Unsplit
from archspec.wording import Brief, first_of

SIDE = 32
PIXELS = 3 * SIDE * SIDE
HOME = "https://www.cs.toronto.edu/~kriz"


@dataclass(frozen=True, slots=True, repr=False)
class Layout(Brief):
    """Where the records are.

    ``labels`` bytes come before the pixels of each record, and the last of them is the class. ``records`` are in each
    file. ``names`` is the file with the names of the classes.
    """

    name: str
    archive: str
    folder: str
    train: tuple[str, ...]
    test: str
    records: tuple[int, ...]
    labels: int
    classes: int
    names: str


def read_binary(layout: Layout, place: str) -> Unsplit:
    """The images of a folder, with pixels from 0 to 255.

    Args:
        layout: which files are in it.
        place: the folder; if empty, the folder that the archive makes, in the current one.

    Raises:
        SpecError: E861, there is no such folder or it lacks files; E862, a file has another size, or a label is no
            class.
    """
    folder = _folder(layout, Path(place or layout.folder))
    files = (*layout.train, layout.test)
    lacking = [f"`{each}`" for each in files if not (folder / each).is_file()]
    if lacking:
        raise missing(f"`{cut(folder)}` does not contain {first_of(lacking)} of `{layout.name}`", _fetch(layout))
    parts = [_part(layout, folder / file, number) for file, number in zip(files, layout.records, strict=True)]
    images, labels = (torch.cat(each) for each in zip(*parts[:-1], strict=True))
    return Unsplit(Labeled(images, labels), _classes(layout, folder), parts[-1], augment="crop-flip")


def _folder(layout: Layout, given: Path) -> Path:
    """The folder with the files: the one that was named, or the archive's folder in it."""
    try:
        found = next((each for each in (given / layout.folder, given) if each.is_dir()), None)
    except (OSError, ValueError):
        found = None
    if found is None:
        raise missing(f"the folder `{cut(given)}`, for the data `{layout.name}`, does not exist", _fetch(layout))
    return found


def _fetch(layout: Layout) -> str:
    return (
        f"fetch {HOME}/{layout.archive} (the binary version), unpack it with `tar xzf {layout.archive}`, and name the "
        f"folder: `{layout.name}:PATH/{layout.folder}`; without a path, it is searched in the current folder"
    )


def _part(layout: Layout, file: Path, records: int) -> Labeled:
    length = layout.labels + PIXELS
    with regular_file(file, str(file)) as stream:
        found = stream.read(records * length + 1)
    if len(found) != records * length:
        size = f"{len(found):,} bytes" if len(found) < records * length else "more"
        raise damaged(file, f"has {size}, and {records * length:,} are expected", _fetch(layout))
    rows = np.frombuffer(bytearray(found), dtype=np.uint8).reshape(records, length)
    labels = torch.from_numpy(rows[:, layout.labels - 1].astype(np.int64))
    if (wrong := labels >= layout.classes).any():
        first = int(wrong.nonzero()[0])
        raise damaged(
            file, f"has the class {int(labels[first])} in record {first}, of {layout.classes}", _fetch(layout)
        )
    return Labeled(torch.from_numpy(rows[:, layout.labels :].reshape(records, 3, SIDE, SIDE)), labels)


def _classes(layout: Layout, folder: Path) -> tuple[str, ...]:
    """The names of the classes, or their numbers if the file of names is missing."""
    try:
        names = tuple((folder / layout.names).read_text(encoding="utf-8").split())
    except (OSError, ValueError):
        names = ()
    return names if len(names) == layout.classes else tuple(map(str, range(layout.classes)))
