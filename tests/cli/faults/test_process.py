"""What a process inherits: a locale, a home, a working directory, limits, a terminal or none. For every command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import process
from tests.cli.conftest import SMALL

LIGHT = [["check", "SPEC"], ["analyze", "SPEC"], ["show", "SPEC"], ["diff", "SPEC", "resnet18"]]
ASCII = {"LC_ALL": "C", "LANG": None, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": None}
NOWHERE = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), "/proc/nothing")


def words(command: list[str], spec: str) -> list[str]:
    return [spec if word == "SPEC" else word for word in command]


@pytest.mark.parametrize("command", LIGHT[1:], ids=lambda command: command[0])
def test_a_locale_of_ascii(command: list[str], tmp_path: Path) -> None:
    """Everything that is written is ASCII, and the file's name too, which Python cannot decode."""
    text = SMALL.replace("name: small\n", 'name: small\nsummary: "é 東京 🙂"\n')
    (tmp_path / "größe.yaml").write_text(text, encoding="utf-8")
    found = process.archspec(*words(command, "größe.yaml"), env=dict(ASCII), cwd=tmp_path)
    assert (found.returncode, found.stderr) == (0, b"")
    assert found.stdout.isascii()
    (tmp_path / "größe.yaml").write_text(text.replace("basic", "básic"), encoding="utf-8")
    found = process.archspec(*words(command, "größe.yaml"), env=dict(ASCII), cwd=tmp_path)
    assert found.returncode == 1
    assert found.stderr.isascii()
    assert b"b\\u00e1sic" in found.stderr


@pytest.mark.parametrize("form", ["sarif", "github", "json"])
def test_forms_for_machines_in_a_locale_of_ascii(form: str, tmp_path: Path) -> None:
    (tmp_path / "größe.yaml").write_text(SMALL.replace("basic", "básic"), encoding="utf-8")
    found = process.archspec("check", "größe.yaml", "--format", form, env=dict(ASCII), cwd=tmp_path)
    assert (found.returncode, found.stderr) == (1, b"")
    if form == "sarif":
        (result,) = json.loads(found.stdout)["runs"][0]["results"]
        where = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert os.path.basename(where).startswith("gr")  # noqa: PTH119
        assert "%" in where
    assert found.stdout.isascii()


@pytest.mark.parametrize("command", LIGHT[1:], ids=lambda command: command[0])
def test_nowhere_to_write(command: list[str]) -> None:
    """Neither a home, nor a folder for temporary files or caches: nothing is written but what is asked for."""
    found = process.archspec(*words(command, "resnet34"), env=dict(NOWHERE))
    assert (found.returncode, found.stderr) == (0, b"")


@pytest.mark.slow
def test_building_with_nowhere_else_to_write(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    found = process.archspec("build", "small.yaml", "-o", "out.safetensors", env=dict(NOWHERE), cwd=tmp_path)
    assert (found.returncode, found.stderr) == (0, b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.safetensors", "small.yaml"]


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["analyze", "resnet18"], 0),
        (["diff", "resnet18", "resnet34"], 0),
        (["check", "resnet18", "--format", "sarif"], 0),
        (["check", "nothing.yaml", "--format", "github"], 1),
        (["check", "."], 1),
        (["verify", "resnet18", "--against", "torchvision:resnet18", "--map", "map.json"], 3),
    ],
    ids=lambda value: " ".join(value[:2]) + value[-1] if isinstance(value, list) else "",
)
def test_a_working_directory_that_is_gone(command: list[str], status: int, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    found = process.shell('cd gone && rmdir ../gone && "$@"', *command, cwd=tmp_path)
    assert found.returncode == status, found.stderr
    assert b"Traceback" not in found.stderr
    assert b"internal error" not in found.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems limit other things")
@pytest.mark.parametrize("limit", ["-v 200000", "-n 16", "-s 512", "-f 0", "-c 0", "-t 30"])
def test_limits_of_the_system(limit: str, tmp_path: Path) -> None:
    """Little memory, few open files, a small stack, no file to be written, no core, little time: enough for a spec."""
    (tmp_path / "bad.yaml").write_text(SMALL + "tags: " + "[" * 50_000)
    arguments = ["check", "resnet152", "bad.yaml"]
    found = process.shell(f'ulimit {limit} && "$@"', *arguments, env=process.UNMEASURED, cwd=tmp_path)
    assert found.returncode == 1
    assert found.stdout.startswith(b"resnet152.yaml: ok, 60,192,808 parameters")
    assert b"error[E103]" in found.stderr
    assert b"Traceback" not in found.stderr


EATING = """
import resource, sys
from archspec_cli import {module}
from archspec_cli.main import main

def eat(*arguments, **options):
    resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28))
    return bytes(2**31)

{module}.archspec.{function} = eat
sys.argv = ["archspec", *{arguments}]
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("module", "function", "arguments"),
    [("options", "check", ["check", "resnet18"]), ("analyze", "analyze", ["analyze", "resnet18"])],
    ids=["check", "analyze"],
)
def test_memory_that_runs_out(module: str, function: str, arguments: list[str]) -> None:
    code = EATING.format(module=module, function=function, arguments=arguments)
    found = process.python(code, env=process.UNMEASURED)
    assert (found.returncode, found.stdout) == (3, b"")
    assert found.stderr.startswith(b"error[E002]: not enough memory for `resnet18`\n")


@pytest.mark.parametrize("command", LIGHT[:2], ids=lambda command: command[0])
def test_a_session_without_a_terminal(command: list[str]) -> None:
    """As a service manager or `cron` starts it: no terminal at all, and hardly any environment."""
    found = subprocess.run(
        process.words(*words(command, "resnet18")),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "VIRTUAL_ENV")},
        start_new_session=True,
        timeout=process.SECONDS,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, b"")
    assert b"\x1b" not in found.stdout
