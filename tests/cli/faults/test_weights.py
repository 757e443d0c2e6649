"""Files of strangers beside a spec: weights and key maps that are no such thing, or too much of it."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import archspec
from tests.cli.conftest import SMALL, Run

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[State, Path]:
    """The state dict of the small network, and a file of it."""
    state = archspec.build(SMALL, seed=0).state_dict()
    path = tmp_path_factory.mktemp("weights") / "good.pth"
    torch.save(state, path)
    return state, path


def zip_bomb(path: Path) -> None:
    """64 MiB of zeros in a few hundred KiB; nothing but patience keeps it from being 64 GiB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("archive/data.pkl", "w", force_zip64=True) as stream:
            for _ in range(4):
                stream.write(bytes(1 << 24))
        archive.writestr("archive/version", "3\n")


def laughs() -> dict[str, Any]:
    """Two to the power of sixty values, in a file of two kilobytes."""
    found: dict[str, Any] = {}
    for _ in range(60):
        found = {"a": found, "b": found}
    return found


def header(content: object, data: bytes = b"1234") -> bytes:
    """A file of safetensors with such a header."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(**changes: Any) -> dict[str, Any]:
    return {"fc.bias": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **changes}}


FILES: dict[str, tuple[str, Callable[[Path, State], object], str]] = {
    "a link to itself": (".pth", lambda path, state: path.symlink_to(path.name), "E801"),
    "a link to nothing": (".pth", lambda path, state: path.symlink_to("nothing"), "E801"),
    "a pipe": (".pth", lambda path, state: os.mkfifo(path), "E803"),
    "a device": (".pth", lambda path, state: path.symlink_to("/dev/zero"), "E803"),
    "a folder": (".safetensors", lambda path, state: path.mkdir(), "E803"),
    "an archive that unpacks without end": (".pth", lambda path, state: zip_bomb(path), "E808"),
    "an archive of nothing": (".pth", lambda path, state: zipfile.ZipFile(path, "w").close(), "E808"),
    "a pickle of brackets": (".pth", lambda path, state: path.write_bytes(b"\x80\x02" + b"]" * 100_000 + b"."), "E808"),
    "a pickle of a long number": (
        ".pth",
        lambda path, state: path.write_bytes(b"\x80\x02\x8b\xff\xff\xff\x7f1"),
        "E808",
    ),
    "a pickle without memory": (".pth", lambda path, state: path.write_bytes(b"\x80\x02r\xff\xff\xff\xff."), "E808"),
    "a billion laughs": (".pth", lambda path, state: torch.save(laughs(), path), "E808"),
    "tensors and other things": (".pth", lambda path, state: torch.save({**state, "epoch": {}}, path), "E808"),
    "a negative size": (".safetensors", lambda path, state: path.write_bytes(header(tensor(shape=[-1]))), "E808"),
    "a size that overflows": (
        ".safetensors",
        lambda path, state: path.write_bytes(header(tensor(shape=[2**62, 2**62]))),
        "E808",
    ),
    "data beyond the end": (
        ".safetensors",
        lambda path, state: path.write_bytes(header(tensor(shape=[2**28], data_offsets=[0, 2**30]))),
        "E808",
    ),
    "a deep header": (".safetensors", lambda path, state: path.write_bytes(header(b'{"a":' * 50_000)), "E808"),
    "a header of zeros": (".safetensors", lambda path, state: path.write_bytes(header(bytes(100))), "E808"),
}


@pytest.mark.parametrize("kind", FILES)
def test_what_is_no_weights_file(kind: str, weights: tuple[State, Path], small: Path, run: Run) -> None:
    suffix, make, code = FILES[kind]
    path = Path(f"w{suffix}")
    make(path, weights[0])
    found = run("build", "small.yaml", "--weights", path.name, "-o", "out.safetensors")
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith(f"error[{code}]: ")
    assert ("is compressed" in found.err) == ("without end" in kind)
    assert sorted(each.name for each in Path().iterdir()) == ["small.yaml", path.name]


VALUES: dict[str, tuple[Callable[[], torch.Tensor], str, str]] = {
    "nested": (
        lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
        "E808",
        "contains a nested tensor",
    ),
    "quantized": (
        lambda: torch.quantize_per_tensor(torch.zeros(5), 0.1, 0, torch.qint8),
        "E808",
        "contains a quantized tensor",
    ),
    "sparse": (lambda: torch.zeros(5).to_sparse(), "E808", "a sparse tensor"),
    "complex": (lambda: torch.zeros(5, dtype=torch.complex64), "E807", "`fc.bias` is complex"),
    "without storage": (lambda: torch.zeros(5, device="meta"), "E808", "a tensor on the meta device"),
}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors", "ignore:torch.quantize")
@pytest.mark.parametrize("transfer", [False, True], ids=["whole", "transfer"])
@pytest.mark.parametrize("kind", VALUES)
def test_values_that_are_no_plain_numbers(
    kind: str, transfer: bool, weights: tuple[State, Path], small: Path, run: Run
) -> None:
    make, code, said = VALUES[kind]
    torch.save({**weights[0], "fc.bias": make()}, "w.pth")
    found = run("build", "small.yaml", "--weights", "w.pth", *(["--transfer"] if transfer else []))
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith(f"error[{code}]: ")
    assert said in found.err


@pytest.mark.parametrize("size", [2**20, 2**40], ids=["large", "larger than any memory"])
def test_a_size_that_is_only_claimed(size: int, weights: tuple[State, Path], small: Path, run: Run) -> None:
    """One number that a stride of zero repeats: nothing may copy it, whether the network has the key or not."""
    for key in ("fc.bias", "extra"):
        torch.save({**weights[0], key: torch.zeros(1).expand(size)}, "w.pth")
        assert "error[E807]" in run("build", "small.yaml", "--weights", "w.pth").err
        assert run("build", "small.yaml", "--weights", "w.pth", "--transfer").status == 0


def test_a_tensor_beside_a_state_dict(weights: tuple[State, Path], small: Path, run: Run) -> None:
    """A tensor of several numbers is neither true nor false."""
    torch.save({"state_dict": weights[0], "mean": torch.zeros(3)}, "w.pth")
    found = run("build", "small.yaml", "--weights", "w.pth")
    assert found.status == 0, found.err
    assert "W820" in found.err


MAPS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "E820"),
    "UTF-16": ('{"keys": {}}'.encode("utf-16"), "E820"),
    "a zero at the end": (b'{"keys": {"fc.bias": "fc.bias"}}\0', "E820"),
    "brackets": (b"[" * 200_000, "E820"),
    "mappings": (b'{"keys":' * 100_000, "E820"),
    "digits": (b'{"keys": {"fc.bias": ' + b"9" * 10_000 + b"}}", "E820"),
    "not a number": (b'{"keys": NaN}', "E820"),
    "a key twice": (b'{"keys": {"fc.bias": "fc.bias", "fc.bias": "fc.weight"}}', "E820"),
    "no text": (b'{"keys": {"fc.bias": null}}', "E820"),
    "an attack on a terminal": (b'{"keys": {"\\u001b[31m\\u202e": "fc.bias"}}', "E821"),
    "a surrogate": (b'{"keys": {"fc.bias": "\\ud800"}}', "E807"),
}


@pytest.mark.parametrize("kind", MAPS)
def test_what_is_no_key_map(kind: str, weights: tuple[State, Path], small: Path, run: Run) -> None:
    data, code = MAPS[kind]
    Path("map.json").write_bytes(data)
    found = run("build", "small.yaml", "--weights", str(weights[1]), "--map", "map.json")
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith(f"error[{code}]: ")
    assert all(line.isprintable() for line in found.err.split("\n"))


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a link to itself", "a link to nothing"])
def test_a_key_map_that_is_no_file(kind: str, weights: tuple[State, Path], small: Path, run: Run) -> None:
    _, make, code = FILES[kind]
    make(Path("map.json"), weights[0])
    found = run("build", "small.yaml", "--weights", str(weights[1]), "--map", "map.json")
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith(f"error[{code}]: ")


@pytest.mark.parametrize("beside", ["weights", "map", "link to the weights"])
def test_what_is_read_is_not_written_over(beside: str, weights: tuple[State, Path], small: Path, run: Run) -> None:
    """The names are told apart by the file, not by the text."""
    Path("w.pth").write_bytes(weights[1].read_bytes())
    Path("map.json").write_text(json.dumps({"keys": {key: key for key in weights[0]}}))
    read = {"weights": "w.pth", "map": "map.json", "link to the weights": "w.pth"}[beside]
    os.link(read, "out.safetensors")
    if beside.startswith("link"):
        Path("other.pth").symlink_to("w.pth")
    name = "other.pth" if beside.startswith("link") else "w.pth"
    before = Path(read).read_bytes()
    command = ["build", "small.yaml", "--weights", name, "--map", "map.json", "-o", "out.safetensors", "--force"]
    found = run(*command)
    assert (found.status, found.out) == (3, "")
    assert "what the weights are read from" in found.err
    assert Path(read).read_bytes() == before
