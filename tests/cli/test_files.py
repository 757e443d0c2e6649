"""An output is written whole or not at all, and never over something that it should not be written over."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.diagnostics import EnvironmentFault
from archspec.files import replacing, staging

from .conftest import Run

OLD = b"what was there"


def refused(found: object, code: str, *words: str) -> None:
    assert (found.status, found.out) == (3, "")  # type: ignore[attr-defined]
    err: str = found.err  # type: ignore[attr-defined]
    assert err.startswith(f"error[{code}]: ")
    assert all(word in err for word in words)
    assert not leftovers()


def leftovers() -> list[str]:
    return [path.name for path in Path().rglob(".archspec-*")]


def save(run: Run, *options: str, output: str = "out.safetensors") -> object:
    return run("build", "small.yaml", "-o", output, *options)


def test_a_file_that_exists_is_kept_without_force(small: Path, run: Run) -> None:
    Path("out.safetensors").write_bytes(OLD)
    refused(save(run), "E805", "out.safetensors", "--force")
    assert Path("out.safetensors").read_bytes() == OLD
    assert run("build", "small.yaml", "-o", "out.safetensors", "--force").status == 0
    assert Path("out.safetensors").stat().st_size > len(OLD)
    assert not leftovers()


def test_permissions_are_those_of_the_file_or_of_the_umask(small: Path, run: Run) -> None:
    mask = os.umask(0o027)
    try:
        save(run)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(Path("out.safetensors").stat().st_mode) == 0o640
    Path("out.safetensors").chmod(0o604)
    save(run, "--force")
    assert stat.S_IMODE(Path("out.safetensors").stat().st_mode) == 0o604


def test_the_spec_and_what_it_reads_are_never_written_over(small: Path, run: Run) -> None:
    """A name ends in `.safetensors`, so it takes a hard link to name a spec; a spec may have any name all the same."""
    Path("net.yaml").write_text("archspec: 1\nname: net\nextends: small\n")
    for name in ("small", "net"):
        os.link(f"{name}.yaml", f"{name}.safetensors")
        before = Path(f"{name}.yaml").read_bytes()
        found = run("build", "net.yaml", "-o", f"{name}.safetensors", "--force")
        refused(found, "E806", f"{name}.safetensors", "spec")
        assert Path(f"{name}.yaml").read_bytes() == before


@pytest.mark.parametrize("target", ["elsewhere", "missing", "link.safetensors"])
def test_links_are_not_followed(target: str, small: Path, run: Run) -> None:
    Path("elsewhere").write_bytes(OLD)
    Path("link.safetensors").symlink_to(target)
    refused(save(run, "--force", output="link.safetensors"), "E806", "it is a link")
    assert Path("elsewhere").read_bytes() == OLD
    assert not Path("missing").exists()


def test_what_is_no_regular_file(small: Path, run: Run) -> None:
    Path("folder.safetensors").mkdir()
    refused(save(run, "--force", output="folder.safetensors"), "E806", "folder")
    os.mkfifo("pipe.safetensors")
    refused(save(run, "--force", output="pipe.safetensors"), "E806", "regular file")


@pytest.mark.parametrize(
    "output",
    [
        "missing/out.safetensors",
        "small.yaml/out.safetensors",
        "/proc/out.safetensors",  # where nobody may write, root neither
        "x" * 300 + ".safetensors",
        "\udcff/out.safetensors",
    ],
)
def test_a_place_that_cannot_be_written(output: str, small: Path, run: Run) -> None:
    refused(save(run, output=output), "E806", "cannot be written")


def test_the_reason_is_known_before_any_work(here: Path, run: Run) -> None:
    """Building takes long; that the file exists is said first."""
    Path("out.safetensors").write_bytes(OLD)
    found = run("build", "resnet152", "-o", "out.safetensors", "--limit", "nodes=100000")
    refused(found, "E805")


# -- replacing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_what_fails_leaves_the_old_file(error: type[BaseException], here: Path) -> None:
    Path("out").write_bytes(OLD)

    def half(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        assert Path("out").read_bytes() == OLD
        raise error

    with pytest.raises(error), replacing(Path("out"), force=True) as temporary:
        half(temporary)
    assert Path("out").read_bytes() == OLD
    assert not leftovers()


def test_a_disk_that_is_full_leaves_the_old_file(here: Path) -> None:
    Path("out").write_bytes(OLD)
    with pytest.raises(EnvironmentFault) as raised, replacing(Path("out"), force=True):
        Path("/dev/full").write_bytes(b"x")
    assert raised.value.diagnostic.code == "E806"
    assert "no space left" in raised.value.diagnostic.message
    assert Path("out").read_bytes() == OLD
    assert not leftovers()


def test_a_file_that_appears_in_the_meantime_is_kept(here: Path) -> None:
    with pytest.raises(EnvironmentFault) as raised, replacing(Path("out")):
        Path("out").write_bytes(OLD)
    assert raised.value.diagnostic.code == "E805"
    assert Path("out").read_bytes() == OLD
    assert not leftovers()


def test_a_file_system_without_links(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*args: object, **kwargs: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", unsupported)
    with replacing(Path("out")) as temporary:
        temporary.write_bytes(b"new")
    assert Path("out").read_bytes() == b"new"
    with pytest.raises(EnvironmentFault), replacing(Path("two")):
        Path("two").write_bytes(OLD)
    assert Path("two").read_bytes() == OLD
    assert not leftovers()


# -- several files -----------------------------------------------------------------------------------------------------


def test_files_that_belong_together_are_written_together(here: Path) -> None:
    with staging(Path("net.onnx")) as staged:
        assert staged.name == "net.onnx"
        staged.write_bytes(b"model")
        staged.with_name("net.onnx.data").write_bytes(b"weights")
        assert not Path("net.onnx").exists()
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == {
        "net.onnx": b"model",
        "net.onnx.data": b"weights",
    }


def together(last: Callable[[], object], *, force: bool = False) -> None:
    """Write a model and its weights; ``last`` happens when both are complete, and not yet in their place."""
    with staging(Path("net.onnx"), force=force) as staged:
        staged.write_bytes(b"model")
        staged.with_name("net.onnx.data").write_bytes(b"weights")
        last()


def test_if_the_first_of_them_exists_none_is_written(here: Path) -> None:
    second = Path("net.onnx.data")
    with pytest.raises(EnvironmentFault, match=r"`net\.onnx\.data` already exists"):
        together(lambda: second.write_bytes(OLD))
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == {second.name: OLD}


def test_if_the_first_of_them_cannot_be_written_none_is(here: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"`net\.onnx\.data` cannot be written: it is a folder"):
        together(Path("net.onnx.data").mkdir, force=True)
    assert [path.name for path in Path().iterdir()] == ["net.onnx.data"]


def test_if_the_last_of_them_cannot_be_moved_the_first_goes(here: Path) -> None:
    with pytest.raises(EnvironmentFault, match="E805"):
        together(lambda: Path("net.onnx").write_bytes(OLD))
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == {"net.onnx": OLD}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_what_fails_between_them_leaves_none(error: type[BaseException], here: Path) -> None:
    def failing() -> None:
        raise error

    with pytest.raises((error, EnvironmentFault)):
        together(failing)
    assert not list(Path().iterdir())
