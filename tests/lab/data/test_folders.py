"""Images in folders by class: which modes, sizes and layouts are read, and what is said of the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archspec.lab.data import load_data
from archspec.lab.data.folder import read as read_folder
from archspec.lab.data.unsplit import Asked

from .test_sources import fault


def images(folder: Path, classes: str, number: int = 3, mode: str = "RGB", size: tuple[int, int] = (6, 4)) -> None:
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(number):
            color = 40 * label + 10 * i if mode == "L" else (40 * label + 10 * i, 0, 9 * i)
            Image.new(mode, size, color).save(folder / name / f"{i}.png")


def test_a_folder_of_images_by_class(tmp_path: Path) -> None:
    images(tmp_path, "ba")
    (tmp_path / "a" / "notes.txt").write_text("not an image")
    data = load_data(f"folder:{tmp_path}", size=4)
    assert data.classes == ("a", "b")
    assert data.input == (3, 4, 4)
    assert (len(data.train), len(data.test)) == (4, 2)
    assert sorted(data.test.labels.tolist()) == [0, 1]


def test_a_folder_of_gray_images_has_one_channel_and_its_own_test(tmp_path: Path) -> None:
    images(tmp_path / "train", "ab", mode="L")
    images(tmp_path / "test", "ab", mode="L", number=2)
    data = load_data(f"folder:{tmp_path}")
    assert data.input == (1, 4, 6)
    assert (len(data.train), len(data.test)) == (6, 4)
    assert data.test.labels.tolist() == [0, 0, 1, 1]


def test_gray_images_among_colored_ones_have_three_channels(tmp_path: Path) -> None:
    images(tmp_path, "ab")
    Image.new("L", (6, 4), 7).save(tmp_path / "a" / "gray.png")
    assert load_data(f"folder:{tmp_path}").input == (3, 4, 6)


def test_a_folder_whose_parts_have_other_classes(tmp_path: Path) -> None:
    images(tmp_path / "train", "ab")
    images(tmp_path / "val", "ac")
    found = fault(f"folder:{tmp_path}")
    assert found.code == "E868"
    assert found.message.endswith("differ: `b`, `c`")


@pytest.mark.parametrize("classes", ["", "a"])
def test_a_folder_with_too_few_classes(classes: str, tmp_path: Path) -> None:
    images(tmp_path, classes)
    assert fault(f"folder:{tmp_path}").code == "E868"


@pytest.mark.parametrize("number", [0, 1])
def test_a_class_with_too_few_images(number: int, tmp_path: Path) -> None:
    images(tmp_path, "ab", number=number)
    assert fault(f"folder:{tmp_path}").code == "E868"


def test_images_that_are_all_the_same(tmp_path: Path) -> None:
    images(tmp_path, "ab")
    for file in tmp_path.rglob("*.png"):
        Image.new("RGB", (6, 4)).save(file)
    assert fault(f"folder:{tmp_path}").code == "E868"


def test_a_channel_that_is_the_same_everywhere_is_zero(tmp_path: Path) -> None:
    images(tmp_path, "ab")
    assert not load_data(f"folder:{tmp_path}").train.images[:, 1].any()


def test_images_of_several_sizes(tmp_path: Path) -> None:
    images(tmp_path, "ab")
    Image.new("RGB", (5, 5)).save(tmp_path / "b" / "0.png")
    found = fault(f"folder:{tmp_path}")
    assert found.code == "E868"
    assert "6x4 pixels" in found.message
    assert "5x5" in found.message
    assert load_data(f"folder:{tmp_path}", size=5).input == (3, 5, 5)


@pytest.mark.parametrize("content", [b"", b"not an image", "half"])
def test_an_image_that_cannot_be_read(content: bytes | str, tmp_path: Path) -> None:
    images(tmp_path, "ab", size=(60, 40))
    file = tmp_path / "a" / "1.png"
    file.write_bytes(file.read_bytes()[:90] if isinstance(content, str) else content)
    found = fault(f"folder:{tmp_path}")
    assert found.code == "E862"
    assert "1.png" in found.message


ODD: dict[str, Callable[[np.ndarray], Image.Image]] = {
    "gray": lambda rows: Image.fromarray(rows[..., 0]),
    "gray of 16 bits": lambda rows: Image.fromarray(rows[..., 0].astype(np.uint16) * 257),
    "black and white": lambda rows: Image.fromarray(rows[..., 0] > 127),
    "gray with alpha": lambda rows: Image.fromarray(np.stack([rows[..., 0], rows[..., 1]], 2), "LA"),
    "palette": lambda rows: Image.fromarray(rows).quantize(64),
    "alpha": lambda rows: Image.fromarray(np.concatenate([rows, rows[..., :1]], 2), "RGBA"),
}


@pytest.mark.parametrize("kind", ODD)
def test_images_of_other_modes(kind: str, tmp_path: Path) -> None:
    """Gray has one channel; alpha is left out; a palette is looked up; 16 bits become 8."""
    images(tmp_path, "ab", mode="L" if "gray" in kind or "black" in kind else "RGB")
    rows = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    image = ODD[kind](rows)
    image.save(tmp_path / "a" / "1.png")
    found = read_folder(Asked(str(tmp_path), None, 0)).train.images[1].permute(1, 2, 0).numpy()
    if kind == "palette":
        assert np.array_equal(found, np.asarray(image.convert("RGB")))
    elif kind == "black and white":
        assert np.array_equal(found[..., 0], (rows[..., 0] > 127) * np.uint8(255))
    else:
        assert np.array_equal(found, rows[..., : found.shape[2]])


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_an_image_whose_white_is_unknown(kind: type, tmp_path: Path) -> None:
    images(tmp_path, "ab")
    Image.fromarray(np.ones((4, 6), kind)).save(tmp_path / "a" / "1.tif")
    found = fault(f"folder:{tmp_path}")
    assert found.code == "E862"
    assert "1.tif" in found.message
    assert "without a largest one" in found.message


def test_what_reads_the_data_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another folder, too, as an engine's process may be."""
    images(tmp_path / "mine", "ab")
    monkeypatch.chdir(tmp_path)
    data = load_data("folder:mine")
    monkeypatch.chdir("/")
    assert load_data(data.source).fingerprint == data.fingerprint
    assert load_data("digits").source == "digits"


@pytest.mark.parametrize("place", ["nowhere", "a\0b", "x" * 5000])
def test_a_folder_that_does_not_exist(place: str) -> None:
    assert fault(f"folder:{place}").code == "E861"
