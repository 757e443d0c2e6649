"""Your own images: a folder for each class, read by Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from archspec.diagnostics import Mention, cut
from archspec.display import counted
from archspec.lab.data.faults import damaged, missing, no_package, unusable
from archspec.lab.data.unsplit import Asked, Labeled, Unsplit
from archspec.wording import first_of, reason_of

if TYPE_CHECKING:
    from PIL.Image import Image

TESTS = ("test", "val")
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
LAYOUT = "put the images into `PATH/CLASS/`; or into `PATH/train/CLASS/` and `PATH/test/CLASS/`, with equal classes"
MAX_VALUES = 2**31
"""Values of all images together: 8 GiB as float32."""

SIZE = Mention("size", "`size=64`", "64")

GRAY = ("1", "L", "LA")
"""The modes of Pillow for images of one channel."""

DEEP = "I;16"
"""How Pillow's modes for gray values from 0 to 65,535 begin."""

UNBOUND = ("I", "F")
"""The modes of Pillow for values without a largest one."""


def read(asked: Asked) -> Unsplit:
    """The images of a folder, by class. If all are gray, they have one channel, otherwise three.

    With a size, each is scaled until its shorter side has it, and its middle is cut out. Without one, all must have
    the same size.

    Raises:
        EnvironmentFault: E809, Pillow is not installed.
        SpecError: E861, there is no such folder; E862, an image cannot be read; E868, the folder has no classes, the
            classes of the two parts differ, or the images differ in size.
    """
    path = Path(asked.place)
    try:
        exists = path.is_dir()
    except (OSError, ValueError):
        exists = False
    if not exists and _is_there(path):
        raise missing(f"`{cut(path)}` is not a folder", LAYOUT)
    if not exists:
        raise missing(f"the folder `{cut(path)}` does not exist", LAYOUT)
    test = next((path / name for name in TESTS if (path / name).is_dir()), None)
    train = path / "train" if test and (path / "train").is_dir() else path
    parts = [train] if train == path or test is None else [train, test]
    if test is None and [each.name for each in path.iterdir() if each.is_dir() and each.name[:1] != "."] == ["train"]:
        raise unusable(f"`{cut(path)}` contains `train/`, but `test/` is missing", LAYOUT)
    files = [_by_class(part) for part in parts]
    classes = tuple(files[0])
    if differing := sorted(set(files[0]) ^ set(files[-1])):
        names = first_of([f"`{cut(name)}`" for name in differing])
        raise unusable(f"the classes of `{cut(parts[0])}` and `{cut(parts[-1])}` differ: {names}", LAYOUT)
    if len(classes) < 2:
        raise unusable(f"`{cut(train)}` contains {counted(len(classes), 'folder')} of images, not 2 or more", LAYOUT)
    arrays = _arrays(files, asked.size)
    found = [
        Labeled(images, torch.tensor([label for label, each in enumerate(part.values()) for _ in each]))
        for images, part in zip(_stacked(arrays, files), files, strict=True)
    ]
    return Unsplit(found[0], classes, found[1] if len(found) > 1 else None)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _by_class(folder: Path) -> dict[str, list[Path]]:
    """The images of each folder inside this one, both in the order of their names."""
    try:
        inside = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
        found = {each.name: sorted(_images(each)) for each in inside}
    except OSError as error:
        raise unusable(f"`{cut(folder)}` cannot be read: {reason_of(error)}", LAYOUT) from None
    if empty := [f"`{cut(name)}`" for name, files in found.items() if not files]:
        raise unusable(f"folders in `{cut(folder)}` contain no images: {first_of(empty)}", LAYOUT)
    return found


def _images(folder: Path) -> Iterator[Path]:
    return (each for each in folder.iterdir() if each.suffix.lower() in SUFFIXES and not each.name.startswith("."))


def _arrays(files: list[dict[str, list[Path]]], size: int | None) -> list[list[np.ndarray]]:
    """The images of each part, refused before they fill the memory."""
    found: list[list[np.ndarray]] = []
    values = 0
    for part in files:
        found.append([])
        for file in chain(*part.values()):
            found[-1].append(_array(file, size))
            values += found[-1][-1].size
            if values > MAX_VALUES:
                raise unusable("the images do not fit in 8 GiB", f"choose a smaller size: {SIZE.text}", SIZE)
    return found


def _array(file: Path, size: int | None) -> np.ndarray:
    """An image as (C, H, W) of uint8."""
    try:
        from PIL import Image  # an extra of its own, and only this data needs it
    except ImportError:
        raise no_package("folder", "Pillow, which reads images", "pip install pillow") from None
    try:
        with Image.open(file) as image:
            shown = _shown(image)
            found = np.asarray(_fitted(shown, size) if size else shown)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise damaged(
            file, f"cannot be read as an image: {cut(error, 100)}", "remove the file, or save it again"
        ) from None
    return found[None] if found.ndim == 2 else found.transpose(2, 0, 1)


def _shown(image: Image) -> Image:
    """An image with 8 bits a value, of one channel or three.

    Raises:
        ValueError: its values have no largest one, so that white is unknown.
    """
    from PIL import Image  # as above

    if image.mode in UNBOUND:
        raise ValueError("its pixels are numbers without a largest one, not 8 or 16 bits")
    if image.mode.startswith(DEEP):  # Pillow would cut what is above 255
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image.convert("L" if image.mode in GRAY else "RGB")


def _fitted(image: Image, size: int) -> Image:
    """The middle of an image, scaled until its shorter side is ``size``."""
    from PIL import ImageOps  # as above

    return ImageOps.fit(image, (size, size))


def _stacked(parts: list[list[np.ndarray]], files: list[dict[str, list[Path]]]) -> list[torch.Tensor]:
    """The images of each part as one tensor, all with the same channels."""
    whole = [array for part in parts for array in part]
    names = [file for part in files for each in part.values() for file in each]
    for array, file in zip(whole, names, strict=True):
        if array.shape[1:] != whole[0].shape[1:]:
            sizes = [f"{each.shape[2]}x{each.shape[1]}" for each in (whole[0], array)]
            message = f"`{cut(names[0])}` has {sizes[0]} pixels and `{cut(file)}` has {sizes[1]}"
            raise unusable(message, f"choose one size for all: {SIZE.text}", SIZE)
    channels = max(len(array) for array in whole)
    return [
        torch.from_numpy(np.stack([array.repeat(channels // len(array), axis=0) for array in part])) for part in parts
    ]
