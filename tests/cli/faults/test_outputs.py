"""Where results go: files that must not be written over, disks that fill up, streams that nobody reads."""

from __future__ import annotations

import json
import linecache
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

import pytest

from archspec.diagnostics import EnvironmentFault
from archspec.files import replacing
from tests.cli import process
from tests.cli.conftest import SMALL, Run

OLD = b"what was there"
VERIFY = ["verify", "small.yaml", "--against", "torchvision:resnet18", "--map"]
BUILD = ["build", "small.yaml", "-o"]


def leftovers() -> list[str]:
    return [path.name for path in Path().rglob(".archspec-*")]


# -- the key map, whose name may end in anything -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "options", "code", "said"),
    [
        ("old.json", [], "E805", "--force"),
        ("small.yaml", ["--force"], "E806", "the spec itself"),
        ("base.yaml", ["--force"], "E806", "a file that the spec reads"),
        ("to-small", ["--force"], "E806", "a link"),
        ("to-nothing", ["--force"], "E806", "a link"),
        ("loop", ["--force"], "E806", "a link"),
        ("pipe", ["--force"], "E806", "not a regular file"),
        ("/dev/full", ["--force"], "E806", "not a regular file"),
        (".", ["--force"], "E806", "a folder"),
        ("missing/map.json", [], "E806", "does not exist"),
        ("old.json/map.json", [], "E806", "cannot be written"),
        ("/proc/map.json", [], "E806", "cannot be written"),
        ("x" * 300, [], "E806", "cannot be written"),
        ("\udcff/map.json", [], "E806", "cannot be written"),
    ],
    ids=lambda value: ascii(value)[:20] if isinstance(value, str) else "",
)
def test_a_map_that_cannot_be_written(
    target: str, options: list[str], code: str, said: str, here: Path, run: Run
) -> None:
    """It is refused before any work, so that this takes no time."""
    Path("base.yaml").write_text(SMALL)
    Path("small.yaml").write_text("archspec: 1\nname: small\nextends: base\n")
    Path("old.json").write_bytes(OLD)
    Path("to-small").symlink_to("small.yaml")
    Path("to-nothing").symlink_to("nothing")
    Path("loop").symlink_to("loop")
    os.mkfifo("pipe")
    before = {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    found = run(*VERIFY, target, *options)
    assert (found.status, found.out) == (3, "")
    assert found.err.startswith(f"error[{code}]: ")
    assert said in found.err
    assert {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before
    assert not leftovers()


# -- interrupts --------------------------------------------------------------------------------------------------------


def test_an_interrupt_at_any_line_before_the_work_leaves_nothing(here: Path) -> None:
    """KeyboardInterrupt is raised at the first line of opening the output, then at the second, and so on."""
    for number in range(1, 1000):
        passed = 0

        def interrupt(frame: FrameType, event: str, argument: object) -> object:
            nonlocal passed
            if frame.f_code.co_filename.endswith(("contextlib.py", "test_outputs.py")):
                return interrupt
            line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
            if event == "line" and line != "try:":  # which is no instruction, so that nothing can be raised there
                passed += 1
                if passed == number:  # noqa: B023
                    raise KeyboardInterrupt
            return interrupt

        manager = replacing(Path("out"))
        before = sys.gettrace()  # what measures coverage, if it is
        sys.settrace(interrupt)  # type: ignore[arg-type]
        try:
            manager.__enter__()
        except KeyboardInterrupt:
            assert not leftovers(), f"line {number}"
        else:
            break
        finally:
            sys.settrace(before)
    assert number > 5
    assert len(leftovers()) == 1
    manager.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert not leftovers()


BUSY = """
import pathlib, time
pathlib.Path("busy").touch()
time.sleep(60)
"""


def interrupted(arguments: list[str], number: signal.Signals, folder: Path) -> tuple[int, bytes, bytes]:
    """The end of a process that is sent a signal while it imports torch, for which a module stands that takes long."""
    (folder / "slow").mkdir()
    (folder / "slow/torch.py").write_text(BUSY)
    path = os.pathsep.join(filter(None, [str(folder / "slow"), os.environ.get("PYTHONPATH")]))
    with subprocess.Popen(
        process.words(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=process.environment(PYTHONPATH=path),
        cwd=folder,
    ) as running:
        end = time.monotonic() + process.SECONDS
        while not (folder / "busy").exists():
            assert running.poll() is None, running.communicate()
            assert time.monotonic() < end
            time.sleep(0.01)
        running.send_signal(number)
        out, errors = running.communicate(timeout=process.SECONDS)
    return running.returncode, out, errors


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (signal.SIGINT, 130, b"\narchspec: interrupted\n"),
        (signal.SIGTERM, 143, b""),
        (signal.SIGHUP, 129, b""),
        (signal.SIGKILL, -signal.SIGKILL, b""),
    ],
    ids=["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"],
)
@pytest.mark.parametrize("command", [BUILD, VERIFY], ids=["build", "verify"])
def test_a_signal_keeps_the_old_file(
    command: list[str], number: signal.Signals, status: int, said: bytes, small: Path, here: Path
) -> None:
    target = Path("out.safetensors" if command is BUILD else "out.json")
    target.write_bytes(OLD)
    assert interrupted([*command, target.name, "--force"], number, here) == (status, b"", said)
    assert target.read_bytes() == OLD
    assert not leftovers()  # a temporary file is only there while it is written


# -- disks -------------------------------------------------------------------------------------------------------------

LONG = [
    ["show", "resnet152", "--graph"],
    ["analyze", "resnet152", "--per", "layer", "--format", "csv"],
    ["diff", "resnet18", "resnet152", "--format", "json"],
    ["check", "resnet18", "--format", "sarif"],
]


@pytest.mark.parametrize("unbuffered", [None, "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("arguments", LONG, ids=lambda arguments: arguments[0])
def test_a_disk_that_fills_up_in_the_middle(arguments: list[str], unbuffered: str | None, tmp_path: Path) -> None:
    """The system takes a part of what is written; what is lost must be said, and the status must not be 0."""
    command = ["sh", "-c", 'ulimit -f 2 && "$@" > out', "sh", *process.words(*arguments)]
    env = process.environment(PYTHONUNBUFFERED=unbuffered, **process.UNMEASURED)
    found = subprocess.run(command, capture_output=True, env=env, cwd=tmp_path, timeout=60, check=False)
    assert found.returncode == 3
    assert found.stderr == b"archspec: the output cannot be written: file too large\n"
    assert (tmp_path / "out").stat().st_size <= 2048


def test_output_without_a_buffer_is_the_same() -> None:
    """A pipe takes 64 KiB at a time."""
    arguments = ["show", "resnet152", "--graph", "--format", "json"]
    outputs = {process.archspec(*arguments, env={"PYTHONUNBUFFERED": value}).stdout for value in (None, "1")}
    (only,) = outputs
    assert len(only) > 100_000
    json.loads(only)


@pytest.mark.slow
def test_a_disk_that_fills_up_while_weights_are_saved(small: Path, here: Path) -> None:
    Path("out.safetensors").write_bytes(OLD)
    arguments = [*BUILD, "out.safetensors", "--force"]
    found = process.shell('ulimit -f 4 && "$@"', *arguments, env=process.UNMEASURED, cwd=here)
    assert (found.returncode, found.stdout) == (3, b"")
    assert found.stderr.startswith(b"error[E806]: `out.safetensors` cannot be written: ")
    assert b"File too large" in found.stderr
    assert Path("out.safetensors").read_bytes() == OLD
    assert not leftovers()


def test_a_disk_that_is_full_while_a_file_is_made_safe(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems say only in the end that there is no space."""
    Path("out").write_bytes(OLD)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFault) as raised, replacing(Path("out"), force=True) as temporary:
        temporary.write_bytes(b"new")
    assert raised.value.diagnostic.code == "E806"
    assert Path("out").read_bytes() == OLD
    assert not leftovers()


# -- streams -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", LONG, ids=lambda arguments: arguments[0])
def test_the_first_line_is_enough(arguments: list[str]) -> None:
    found = process.shell('"$@" | head -1', *arguments)
    assert found.stdout.count(b"\n") == 1
    assert (found.returncode, found.stderr) == (0, b"")


@pytest.mark.parametrize("arguments", LONG, ids=lambda arguments: arguments[0])
def test_a_device_that_is_full(arguments: list[str]) -> None:
    found = process.shell('"$@" > /dev/full', *arguments)
    assert found.returncode == 3
    assert found.stderr == b"archspec: the output cannot be written: no space left on device\n"


@pytest.mark.parametrize("closing", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed(closing: str, tmp_path: Path) -> None:
    """Else the next file that is opened would be a standard stream, and be written into."""
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "wrong.yaml").write_text(SMALL.replace("basic", "basik"))
    for status, arguments in (
        (0, ["analyze", "small.yaml"]),
        (1, ["check", "wrong.yaml", "--format", "github"]),
    ):
        found = process.shell(f'"$@" {closing}', *arguments, cwd=tmp_path)
        assert found.returncode == status, found.stderr
        assert b"Traceback" not in found.stderr
    assert (tmp_path / "small.yaml").read_text() == SMALL
