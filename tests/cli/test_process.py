"""What only a process shows: streams that break, signals, a terminal, an environment that lacks something."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from . import process
from .conftest import SMALL

TABLE = b"resnet18.yaml: ok, 11,689,512 parameters, 1.81 G MACs, 18 layers\n"


# -- streams -----------------------------------------------------------------------------------------------------------


def test_a_pipe_whose_reader_is_gone_is_no_fault() -> None:
    """The reader is gone before the first byte, so that the end does not depend on how much a pipe holds."""
    reader, writer = os.pipe()
    os.close(reader)
    found = process.archspec("list", stdout=writer)
    os.close(writer)
    assert found.returncode in (0, -signal.SIGPIPE)
    assert found.stderr == b""


def test_the_first_line_of_a_long_output() -> None:
    found = process.shell('"$@" | head -1', "show", "resnet152", "--graph", "--format", "json")
    assert (found.stdout, found.stderr) == (b"{\n", b"")


@pytest.mark.parametrize("arguments", [["check", "resnet18"], ["list"], ["--help"], ["schema"]], ids=" ".join)
def test_a_full_disk_behind_standard_output(arguments: list[str]) -> None:
    found = process.shell('"$@" > /dev/full', *arguments)
    assert found.returncode == 3
    assert b"the output cannot be written: no space left on device" in found.stderr
    assert b"Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("arguments", "status"), [(["check", "nothing"], 1), (["chek"], 2), (["check", "resnet18"], 0)]
)
def test_messages_that_cannot_be_written_change_no_status(arguments: list[str], status: int) -> None:
    assert process.shell('"$@" 2> /dev/full', *arguments).returncode == status


def test_streams_that_are_closed() -> None:
    found = process.shell('"$@" <&-', "check", "-")
    assert (found.returncode, found.stdout) == (1, b"")
    assert found.stderr.startswith(b"error[E804]")
    assert process.shell('"$@" >&-', "check", "resnet18").returncode == 0
    assert process.shell('"$@" 2>&-', "check", "nothing").returncode == 1
    assert process.shell('"$@" <&- >&- 2>&-', "check", "resnet18").returncode == 0


def test_data_and_messages_keep_their_order(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("archspec: 1\nname: bad\n")
    found = process.shell('"$@" 2>&1', "check", "resnet18", "bad.yaml", "resnet34", cwd=tmp_path)
    kinds = [line[:8] for line in found.stdout.decode().splitlines() if re.match(r"resnet|bad", line)]
    assert kinds == ["resnet18", "bad.yaml", "resnet34"]


# -- the environment ---------------------------------------------------------------------------------------------------

ASCII = {"LC_ALL": "C", "LANG": None, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": None}
FOREIGN = SMALL.replace("name: small\n", 'name: small\nsummary: "é 東京 🙂"\ntags: [ü, "\\u202E"]\n')


def test_a_locale_of_ascii(tmp_path: Path) -> None:
    import archspec

    (tmp_path / "small.yaml").write_text(FOREIGN, encoding="utf-8")
    found = process.archspec("show", "small.yaml", env=dict(ASCII), cwd=tmp_path)
    assert (found.returncode, found.stderr) == (0, b"")
    shown = archspec.load(found.stdout.decode("ascii")).document.value
    assert shown["summary"] == "é 東京 🙂"
    assert shown["tags"] == ["ü", "\u202e"]
    (tmp_path / "bad.yaml").write_text(FOREIGN.replace("basic", "básic"), encoding="utf-8")
    found = process.archspec("check", "bad.yaml", env=dict(ASCII), cwd=tmp_path)
    assert found.returncode == 1
    excerpt, marks = found.stderr.decode("ascii").splitlines()[1:3]
    assert excerpt[marks.index("^") :].startswith("\\u00e1sic,")  # the character that no expression may have


def test_a_home_that_cannot_be_read_or_written() -> None:
    found = process.archspec("check", "resnet18", env={"HOME": "/proc/nothing", "XDG_CACHE_HOME": "/proc/nothing"})
    assert (found.returncode, found.stdout, found.stderr) == (0, TABLE, b"")


def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    def gone(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        (tmp_path / "gone").mkdir()
        return process.shell('cd gone && rmdir ../gone && "$@"', *arguments, cwd=tmp_path)

    (tmp_path / "small.yaml").write_text(SMALL)
    found = gone("check", "resnet18", str(tmp_path / "small.yaml"))
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith(TABLE)
    found = gone("check", "./small.yaml")
    assert found.returncode == 1
    assert found.stderr.startswith(b"error[E801]: ")
    found = gone("build", str(tmp_path / "small.yaml"), "-o", str(tmp_path / "small.safetensors"))
    assert found.returncode == 0, found.stderr
    found = gone("build", "resnet18", "-o", "small.safetensors")
    assert found.returncode == 3
    assert found.stderr.startswith(b"error[E806]: ")


def test_words_that_are_not_utf_8(tmp_path: Path) -> None:
    found = subprocess.run(
        [*process.words("check"), b"\xff\xfe.yaml"],
        capture_output=True,
        env=process.environment(),
        timeout=process.SECONDS,
        check=False,
    )
    assert found.returncode == 1
    assert found.stderr.startswith(b"error[E801]: ")


def test_what_is_no_regular_file_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    for name, code in {"pipe.yaml": "E803", "/dev/zero": "E803", "loop.yaml": "E801"}.items():
        found = process.archspec("check", name, cwd=tmp_path)
        assert found.returncode == 1
        assert found.stderr.startswith(f"error[{code}]: ".encode())


# -- signals -----------------------------------------------------------------------------------------------------------

WAITING = """
import sys, time
import archspec, safetensors.torch
from archspec_cli.main import main

def save(tensors, path, metadata):
    with open(path, "wb") as stream:
        stream.write(b"half")
        stream.flush()
        print("writing", flush=True)
        time.sleep(60)

archspec.confirm = lambda *arguments, **options: None  # takes seconds
safetensors.torch.save_file = save
sys.argv = ["archspec", "build", "small.yaml", "-o", "out.safetensors", "--force"]
sys.exit(main())
"""


def ended(program: str, ready: bytes, number: signal.Signals, folder: Path) -> tuple[int, bytes, bytes]:
    """The status, the output after the line `ready`, and the errors of a program that then gets a signal."""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=process.environment(),
        cwd=folder,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == ready
        running.send_signal(number)
        out, errors = running.communicate(timeout=process.SECONDS)
    return running.returncode, out, errors


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -signal.SIGKILL)],
    ids=["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"],
)
def test_an_end_in_the_middle_of_a_write(number: signal.Signals, status: int, tmp_path: Path) -> None:
    """The old file stays as it was, and no temporary one beside it, unless the process could do nothing any more."""
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "out.safetensors").write_bytes(b"old")
    found, _, errors = ended(WAITING, b"writing\n", number, tmp_path)
    assert found == status
    assert b"Traceback" not in errors
    assert (tmp_path / "out.safetensors").read_bytes() == b"old"
    temporary = [path.name for path in tmp_path.glob(".archspec-*")]
    assert len(temporary) == (number == signal.SIGKILL)


LOSING = """
import sys, time
import torch
from archspec_cli.main import main

convolve = torch.nn.Conv2d.forward

def lose(self, input):
    print("running", flush=True)
    torch.nn.Conv2d.forward = convolve
    try:
        time.sleep(60)
    except BaseException:
        pass
    {then}

torch.nn.Conv2d.forward = lose
sys.argv = ["archspec", "build", "small.yaml", "-o", "out.safetensors"]
sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "then"),
    [(signal.SIGHUP, "raise RuntimeError('a kernel failed')"), (signal.SIGTERM, "return convolve(self, input)")],
    ids=["made another exception", "swallowed"],
)
def test_an_end_that_is_lost_inside_torch(number: signal.Signals, then: str, tmp_path: Path) -> None:
    """What torch imports while it computes shapes has a bare `except:` here and there. No spec is at fault for it."""
    (tmp_path / "small.yaml").write_text(SMALL)
    found = ended(LOSING.format(then=then), b"running\n", number, tmp_path)
    assert found == (128 + number, b"", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_an_interrupt_while_waiting_for_standard_input() -> None:
    with subprocess.Popen(
        process.words("check", "resnet18", "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=process.environment(),
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == TABLE
        running.send_signal(signal.SIGINT)
        out, errors = running.communicate(timeout=process.SECONDS)
    assert (running.returncode, out) == (130, b"")
    assert b"Traceback" not in errors


# -- a terminal --------------------------------------------------------------------------------------------------------

STYLES = re.compile(r"\x1b\[[0-9;]*m")
STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


def plain(text: str) -> str:
    """What stays on a screen, without styles, and without space at the ends of lines."""
    return "\n".join(line.rstrip() for line in STEERING.sub("", text).split("\n"))


def test_a_table_on_a_terminal_is_that_of_a_pipe() -> None:
    for arguments in (["list"], ["list", "operations"], ["show", "resnet18", "--graph"], ["explain"]):
        status, text = process.on_terminal(arguments, columns=600)
        assert status == 0
        assert plain(text) == process.archspec(*arguments).stdout.decode()


def test_a_narrow_terminal_folds_and_loses_nothing() -> None:
    status, text = process.on_terminal(["list", "zoo"], columns=50)
    wide = process.archspec("list", "zoo").stdout.decode()
    assert status == 0
    assert max(len(line) for line in plain(text).split("\n")) <= 50
    # Words of a summary that are wider than its column are folded too; names, by which people call specs, are not.
    assert sorted("".join(plain(text).split())) == sorted("".join(wide.split()))
    assert {line.split()[0] for line in wide.splitlines()} <= set(plain(text).split())


def test_building_on_a_terminal_shows_progress_and_then_the_table() -> None:
    status, text = process.on_terminal(["build", "resnet18"])
    assert status == 0
    progress, _, report = text.rpartition("\x1b[?25h")  # the cursor is shown again
    for words in ("compiling", "building with torch", "confirming the shapes of 69 nodes"):
        assert words in progress
    assert "\x1b[1mtotal" in report
    assert "every shape confirmed by torch" in plain(report)


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_a_terminal_without_colours(env: dict[str, str | None]) -> None:
    for arguments in (["list", "blocks"], ["check", "nothing"]):
        _, text = process.on_terminal(arguments, env=env)
        assert "\x1b" not in text
    _, text = process.on_terminal(["check", "nothing"])
    assert STYLES.search(text)


def test_a_failure_on_a_terminal_leaves_the_cursor_as_it_was(tmp_path: Path) -> None:
    status, text = process.on_terminal(["build", "nothing/small.yaml"])
    assert status == 1
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h")
    assert "error[E801]" in plain(text)
