"""A weights file made by an attacker: archives that two readers read differently, and pickles that ask for more than
the file has. Each is refused before it is read, and what `torch.save` writes is not."""

from __future__ import annotations

import io
import pickle
import resource
import struct
import sys
import time
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import archspec
from archspec.weights import read
from archspec.weights.archive import AmbiguousArchive, entries
from tests.support.timing import allowed

STATE = {"fc.weight": torch.arange(12.0).reshape(3, 4), "fc.bias": torch.zeros(3), "n": torch.tensor(7)}


def saved(value: object, **how: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, **how)
    return stream.getvalue()


def refused(data: bytes, path: Path) -> archspec.Diagnostic:
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    with pytest.raises(archspec.SpecError) as error:
        read(path)
    assert time.process_time() - begun < allowed(5)
    if sys.platform == "linux":
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB
    (fault,) = error.value.diagnostics
    assert fault.code == "E808"
    return fault


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weights.pth"


# -- what torch writes -------------------------------------------------------------------------------------------------

GOOD: dict[str, Callable[[], object]] = {
    "state": lambda: STATE,
    "empty tensor": lambda: {"a": torch.zeros(0, 3)},
    "every dtype": lambda: {
        str(dtype): torch.zeros(3, dtype=dtype)
        for dtype in (
            *(torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8),
            *(torch.uint8, torch.bool, torch.complex64, torch.complex128, torch.float8_e4m3fn, torch.uint16),
        )
    },
    "shared": lambda: {"a": STATE["n"], "b": STATE["n"]},
    "views": lambda: {"a": STATE["fc.weight"][1:], "b": STATE["fc.weight"].T, "c": torch.zeros(1).expand(5)},
    "model": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).state_dict(),
    "parameters": lambda: dict(nn.Linear(3, 3).named_parameters()),
    "many": lambda: {f"layer{n}.weight": torch.zeros(2) for n in range(500)},
    "checkpoint": lambda: {
        "state_dict": STATE,
        "epoch": 3,
        "best": 0.5,
        "name": "r",
        "milestones": Counter({30: 1}),
        "done": {1, 2},
        "nothing": None,
        "big": 2**70,
        "args": OrderedDict(lr=0.1, steps=[1, 2], betas=(0.9, 0.99)),
    },
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kind", list(GOOD))
def test_what_torch_saves_is_read(kind: str, zipped: bool, path: Path) -> None:
    value = GOOD[kind]()
    if kind == "every dtype" and not zipped:  # torch cannot read the newer ones from its old format
        value = {"a": torch.zeros(3, dtype=torch.float16), "b": torch.zeros(3, dtype=torch.complex64)}
    path.write_bytes(saved(value, _use_new_zipfile_serialization=zipped))
    assert list(read(path)) == list(torch.load(path, weights_only=True))


@pytest.mark.parametrize("kind", list(GOOD))
def test_the_entries_are_those_that_zipfile_finds(kind: str) -> None:
    data = saved(GOOD[kind]())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        expected = {info.filename: archive.read(info) for info in archive.infolist()}
    found = {name: data[start : start + size] for name, (start, size) in entries(io.BytesIO(data)).items()}
    assert found == expected


# -- archives that are not what torch writes ---------------------------------------------------------------------------


def parts(data: bytes) -> tuple[bytes, bytes, bytes]:
    """The files of an archive, its directory, and its last 98 bytes: the end, and before it the end for large ones."""
    end = len(data) - 98
    (start,) = struct.unpack("<L", data[-6:-2])
    return data[:start], data[start:end], data[end:]


def ending(count: int, length: int, start: int, comment: bytes = b"") -> bytes:
    return struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, length, start, len(comment)) + comment


def rewritten(data: bytes, change: Callable[[zipfile.ZipInfo, bytes], Any], **how: Any) -> bytes:
    """An archive written by `zipfile`."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", **how) as new:
        for info in old.infolist():
            for name, content in change(info, old.read(info)):
                new.writestr(name, content)
    return stream.getvalue()


def same(info: zipfile.ZipInfo, content: bytes) -> list[tuple[str, bytes]]:
    return [(info.filename, content)]


def two_directories(data: bytes) -> bytes:
    """The directory that Python finds lies right before the end; the one that miniz finds, where the locator says."""
    files, directory, _ = parts(data)
    count = directory.count(b"PK\1\2")
    far = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 0, 0, 0, 0, count, count, len(directory), len(files))
    near = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 0, 0, 0, 0, 0, 0, 0, len(files) + len(directory) + 56)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(files) + len(directory), 1)
    return files + directory + far + near + locator + ending(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)


def hidden(data: bytes) -> bytes:
    """A whole archive inside another one, behind its files."""
    files, directory, tail = parts(data)
    return files + data + directory + tail


def changed(data: bytes, mark: bytes, offset: int, value: bytes, which: int = 0) -> bytes:
    """Bytes of a header that begins with `mark`."""
    at = -1
    for _ in range(which + 1):
        at = data.index(mark, at + 1)
    return data[: at + offset] + value + data[at + offset + len(value) :]


BAD: dict[str, Callable[[bytes], bytes]] = {
    "two directories": two_directories,
    "an archive behind the files": hidden,
    "one archive after another": lambda data: data + data,
    "another one after it": lambda data: data + saved({"b": torch.zeros(9)}),
    "text before": lambda data: b"text" + data,
    "a zip before": lambda data: rewritten(data, same) + data,
    "text after": lambda data: data + b"text",
    "a comment": lambda data: data[:-2] + struct.pack("<H", 4) + b"text",
    "an end in the comment": lambda data: data[:-2] + struct.pack("<H", 22) + ending(0, 0, 0),
    "without the large end": lambda data: (
        b"".join(parts(data)[:2]) + ending(1, len(parts(data)[1]), len(parts(data)[0]))
    ),
    "fewer entries": lambda data: changed(
        changed(data, b"PK\5\6", 8, b"\1\0\1\0"), b"PK\6\6", 24, struct.pack("<2Q", 1, 1)
    ),
    "another count in the end": lambda data: changed(data, b"PK\5\6", 8, b"\2\0\2\0"),
    "another start in the end": lambda data: changed(data, b"PK\5\6", 16, b"\0\0\0\0"),
    "another start in the large end": lambda data: changed(data, b"PK\6\6", 48, bytes(8)),
    "another length": lambda data: changed(data, b"PK\6\6", 40, bytes(8)),
    "a locator elsewhere": lambda data: changed(data, b"PK\6\7", 8, bytes(8)),
    "several disks": lambda data: changed(data, b"PK\5\6", 4, b"\1\0"),
    "compressed": lambda data: rewritten(data, same, compression=zipfile.ZIP_DEFLATED),
    "a bomb": lambda data: rewritten(
        data,
        lambda info, content: [(info.filename, bytes(50_000_000) if "data/" in info.filename else content)],
        compression=zipfile.ZIP_DEFLATED,
    ),
    "a method that it is not": lambda data: changed(data, b"PK\1\2", 10, b"\x08\0"),
    "a method in the local header": lambda data: changed(data, b"PK\3\4", 8, b"\x08\0"),
    "a larger size": lambda data: changed(data, b"PK\1\2", 24, b"\0\0\0\x10"),
    "a larger size of both": lambda data: changed(data, b"PK\1\2", 20, b"\0\0\0\x10\0\0\0\x10"),
    "a smaller size of both": lambda data: changed(data, b"PK\1\2", 20, b"\1\0\0\0\1\0\0\0"),
    "another checksum": lambda data: changed(data, b"PK\1\2", 16, b"abcd"),
    "another name in the local header": lambda data: changed(data, b"PK\3\4", 30, b"x"),
    "another name in the directory": lambda data: changed(data, b"PK\1\2", 46, b"x"),
    "an entry over another": lambda data: changed(data, b"PK\1\2", 42, bytes(4), which=1),
    "flags of encryption": lambda data: changed(data, b"PK\1\2", 8, b"\1\x08"),
    "other flags": lambda data: changed(data, b"PK\3\4", 6, b"\0\x08"),
    "a name twice": lambda data: rewritten(data, lambda info, content: [(info.filename, content)] * 2),
    "a name in two cases": lambda data: rewritten(
        data, lambda info, content: [(info.filename, content), (info.filename.upper(), content)]
    ),
    "two folders": lambda data: rewritten(
        data, lambda info, content: [(info.filename, content), (f"other/{info.filename}", content)]
    ),
    "truncated": lambda data: data[:-10],
    "only the beginning": lambda data: data[:200],
    "nothing but the end": lambda data: b"PK\3\4" + ending(0, 0, 4),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", list(BAD))
def test_an_archive_that_readers_may_read_differently(kind: str, path: Path) -> None:
    refused(BAD[kind](saved(STATE)), path)


@given(st.data())
def test_an_archive_with_any_bytes_changed_is_refused_or_the_same(drawn: st.DataObject) -> None:
    """Where it is accepted, Python's reader finds the same files in it."""
    data = bytearray(saved(STATE))
    for _ in range(drawn.draw(st.integers(1, 4))):
        place = drawn.draw(st.one_of(st.integers(0, len(data) - 1), st.integers(len(data) - 600, len(data) - 1)))
        data[place] = drawn.draw(st.sampled_from([0, 1, 8, 80, 255]) | st.integers(0, 255))
    try:
        found = entries(io.BytesIO(bytes(data)))
    except AmbiguousArchive:
        return
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        assert set(found) == set(archive.namelist())
        for info in archive.infolist():
            assert found[info.filename][1] == info.file_size == info.compress_size


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_listed(data: bytes) -> None:
    for each in (data, b"PK\3\4" + data, data + ending(1, len(data), 0)):
        with pytest.raises(AmbiguousArchive):
            entries(io.BytesIO(each))


# -- pickles -----------------------------------------------------------------------------------------------------------


class Call:
    """A call that a pickle makes."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def with_pickle(change: Callable[[bytes], bytes]) -> bytes:
    """An archive with another pickle, written as torch writes them: stored, with sizes in the local headers."""
    return rewritten(
        saved(STATE),
        lambda info, content: [(info.filename, change(content) if info.filename.endswith(".pkl") else content)],
    )


def test_an_archive_of_zipfile_is_read_too(path: Path) -> None:
    path.write_bytes(with_pickle(lambda content: content))
    assert read(path)["fc.weight"].equal(STATE["fc.weight"])


LONG = [["a"] * 9] * 100_000
TEXT = "a" * 100_000
CALLS: dict[str, Callable[[], Any]] = {
    "bytearray": lambda: Call(bytearray, 2**33),
    "a tensor of any size": lambda: Call(torch.Tensor, 100_000, 100_000),
    "another tensor of any size": lambda: Call(torch.DoubleTensor, 100_000, 100_000),
    "a copy of a view": lambda: Call(
        torch._utils._rebuild_device_tensor_from_cpu_tensor, torch.zeros(1).expand(2**33), torch.float64, "cpu", False
    ),
    "a quantized tensor": lambda: Call(
        torch._utils._rebuild_qtensor, torch.zeros(1).storage(), 0, (2**33,), (1,), (1, 1.0, 0), False, None
    ),
    "a sparse tensor": lambda: torch.zeros(3).to_sparse(),
    "many copies of a list": lambda: [Call(OrderedDict, LONG) for _ in range(1000)],
    "many sets": lambda: [Call(set, LONG) for _ in range(1000)],
    "many texts": lambda: [Call(__import__("_codecs").encode, TEXT, "latin1") for _ in range(100_000)],
    "another codec": lambda: Call(__import__("_codecs").encode, "\xe9" * 100_000, "punycode"),
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kind", list(CALLS))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_pickle_that_makes_more_than_it_has(kind: str, zipped: bool, path: Path) -> None:
    refused(saved({"a": CALLS[kind](), **STATE}, _use_new_zipfile_serialization=zipped), path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_storage_larger_than_its_data(zipped: bool, path: Path) -> None:
    """torch would read beyond the data of an archive, and reserve the memory before it reads an old file."""
    small, large = b"K\x0c", b"J\xff\xff\xff\x7f"
    old = b"cpuq\x05K\x0c"
    data = saved(STATE, _use_new_zipfile_serialization=zipped)
    if zipped:
        data = with_pickle(lambda content: _replaced(content, small, large))
    else:
        data = _replaced(data, old[-2:], large)
    assert "larger than the file" in refused(data, path).message


def _replaced(content: bytes, old: bytes, new: bytes) -> bytes:
    assert old in content
    return content.replace(old, new, 1)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "value", [STATE, {"a": bytearray(9)}, {"a": 2**5000}, {"a": b"x" * 9}, {"a": "x"}], ids=lambda value: str(value)[:9]
)
def test_pickles_of_python_are_refused(protocol: int, value: object, path: Path) -> None:
    refused(pickle.dumps(value, protocol), path)


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"\x80\x02",
            b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f",
            b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f",
        ),
        *(
            b"\x80\x02\x8b\xff\xff\xff\x7f",
            b"\x80\x02X\xff\xff\xff\xff",
            b"\x80\x02r\xff\xff\xff\xff.",
            b"\x80\x02h\x09.",
        ),
        *(b"\x80\x02" + b"(" * 1_000_000, b"\x80\x02]" + b"2" * 100_000, b"\x80\x02" + b"]" * 1_000_000 + b"."),
    ],
)
def test_pickles_of_no_values(data: bytes, path: Path) -> None:
    refused(data, path)


def test_a_tar(path: Path) -> None:
    import tarfile

    with tarfile.open(path, "w") as archive:
        for name in ("storages", "tensors", "pickle"):
            info = tarfile.TarInfo(name)
            info.size = 4
            archive.addfile(info, io.BytesIO(b"abcd"))
    refused(path.read_bytes(), path)


# -- safetensors -------------------------------------------------------------------------------------------------------


def header(text: str, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(text) if length is None else length) + text.encode() + data


TENSORS = {
    "a long header": header("{}", length=2**63),
    "a header longer than the file": header("{}", length=50_000_000),
    "overlapping": header(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        bytes(4),
    ),
    "a hole": header('{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', bytes(8)),
    "more data": header('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(9)),
    "a shape of another size": header('{"a":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4]}}', bytes(4)),
    "a shape that overflows": header('{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'),
    "offsets beyond the end": header('{"a":{"dtype":"F32","shape":[1000],"data_offsets":[0,4000]}}', bytes(4)),
    "a name twice": header(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        bytes(8),
    ),
    "deep": header("[" * 1_000_000),
}


@pytest.mark.parametrize("kind", list(TENSORS))
def test_a_file_of_safetensors_that_is_not_sound(kind: str, tmp_path: Path) -> None:
    refused(TENSORS[kind], tmp_path / "weights.safetensors")


def test_a_sparse_file_of_any_size(tmp_path: Path) -> None:
    for name in ("weights.pth", "weights.safetensors"):
        path = tmp_path / name
        with path.open("wb") as stream:
            stream.truncate(2**40)
        begun = time.process_time()
        with pytest.raises(archspec.SpecError) as error:
            read(path)
        assert [fault.code for fault in error.value.diagnostics] == ["E808"]
        assert time.process_time() - begun < allowed(5)


def test_the_tensors_are_those_of_torch(path: Path) -> None:
    path.write_bytes(saved(STATE))
    found: dict[str, Tensor] = dict(read(path))
    assert all(found[key].equal(value) for key, value in STATE.items())
