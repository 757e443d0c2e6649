"""What needs no torch is light: no numpy, and no rich where nobody looks; and what is said where torch is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archspec.emit.target import Target
from archspec.emit.targets import TARGETS

from . import process
from .conftest import SMALL

HEAVY = ("torch", "numpy", "safetensors", "rich", "networkx")

AFTER = f"""
import atexit, json, sys
atexit.register(lambda: sys.stderr.write(json.dumps([name for name in {HEAVY} if name in sys.modules])))
"""

BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ImportError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
"""


def blocking(folder: Path, *names: str) -> dict[str, str | None]:
    """An environment in which importing `names` fails, as it does where they are not installed."""
    (folder / "sitecustomize.py").write_text(BLOCK.format(names=set(names)))
    inherited = process.environment().get("PYTHONPATH")
    return {"PYTHONPATH": f"{folder}:{inherited}" if inherited else str(folder)}


def imported(*arguments: str) -> tuple[int, list[str]]:
    """The exit status of `archspec` with these arguments, and what of the heavy it had imported at the end."""
    code = f"{AFTER}\nfrom archspec_cli.main import main\nsys.argv = ['archspec', *{arguments}]\nsys.exit(main())"
    found = process.python(code)
    return found.returncode, json.loads(found.stderr.decode().splitlines()[-1])


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "resnet50"],
        ["check", "resnet50", "--format", "json"],
        ["check", "resnet50", "--expect", "skip_paths==2^16"],
        ["analyze", "resnet50", "--frozen", "layer1"],
        ["analyze", "resnet18", "resnet50", "--format", "json"],
        ["signal", "resnet18", "--format", "json"],
        ["diff", "resnet50", "resnext50_32x4d"],
        ["draw", "resnet50", "-o", "-"],
        ["show", "resnext50_32x4d"],
        ["show", "resnet18", "--graph"],
        ["list"],
        ["schema"],
        ["schema", "--for", "graph"],
        ["explain", "E301"],
        ["completion", "bash"],
        ["--help"],
        ["build", "--help"],
    ],
    ids=" ".join,
)
def test_a_command_imports_nothing_heavy(arguments: list[str]) -> None:
    assert imported(*arguments) == (0, [])


@pytest.mark.parametrize("target", [each for each in TARGETS if each.text], ids=lambda target: target.name)
def test_a_target_that_is_made_from_the_graph_imports_nothing_heavy(target: Target, tmp_path: Path) -> None:
    output = str(tmp_path / f"out{target.suffix}")
    assert imported("build", "resnet18", "-o", output, "--to", target.name) == (0, [])


def test_a_spec_at_fault_imports_nothing_heavy(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("archspec: 1\nname: bad\nextends: resnet50\nstages: {chanels: 3}\n")
    assert imported("check", str(path)) == (1, [])


def test_what_needs_no_torch_imports_nothing_heavy() -> None:
    calls = "compile(load('resnet50'))", "analyze('resnet50')", "diff('resnet18', 'resnet34')"
    found = process.python("\n".join([AFTER, "from archspec import *", *calls]))
    assert (found.returncode, found.stderr) == (0, b"[]")


def test_an_onnx_file_with_weights_from_safetensors_takes_no_torch(tmp_path: Path) -> None:
    spec, weights, output = (str(tmp_path / name) for name in ("small.yaml", "w.safetensors", "small.onnx"))
    Path(spec).write_text(SMALL)
    assert process.archspec("build", spec, "-o", weights).returncode == 0
    assert imported("build", spec, "--weights", weights, "-o", output) == (0, ["numpy", "safetensors"])
    env = blocking(tmp_path, "torch")
    assert process.archspec("build", spec, "--weights", weights, "-o", output, "--force", env=env).returncode == 0


@pytest.mark.parametrize(
    ("missing", "more", "help"),
    [
        ("torch", [], "[torch]"),  # for initial weights
        ("torch", ["--weights", "w.pth"], "[torch]"),
        ("onnx", ["--weights", "w.safetensors"], "[onnx]"),
    ],
)
def test_an_onnx_file_without_what_it_takes_says_what_to_install(
    missing: str, more: list[str], help: str, tmp_path: Path
) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    for name in ("w.pth", "w.safetensors"):
        (tmp_path / name).write_bytes(b"unread")
    env = blocking(tmp_path, missing)
    found = process.archspec("build", "small.yaml", *more, "-o", "small.onnx", env=env, cwd=tmp_path)
    assert (found.returncode, found.stdout) == (3, b"")
    assert found.stderr.startswith(b"error[E809]: ")
    assert f"pip install 'archspec-compiler{help}'".encode() in found.stderr
    assert not list(tmp_path.glob("*.onnx"))


def test_everything_but_build_works_without_torch(tmp_path: Path) -> None:
    env = blocking(tmp_path, "torch", "numpy", "safetensors", "torchvision")
    for arguments in (
        ["check", "resnet50"],
        ["show", "resnet50"],
        ["analyze", "resnet50"],
        ["diff", "resnet50", "resnet18"],
    ):
        found = process.archspec(*arguments, env=env)
        assert (found.returncode, found.stderr) == (0, b"")


def test_build_without_torch_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    env = blocking(tmp_path, "torch", "numpy", "safetensors")
    found = process.archspec("build", "small.yaml", "-o", "small.safetensors", env=env, cwd=tmp_path)
    assert (found.returncode, found.stdout) == (3, b"")
    assert found.stderr.startswith(b"error[E809]: ")
    assert b"pip install 'archspec-compiler[torch]'" in found.stderr
    assert b"Traceback" not in found.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["sitecustomize.py", "small.yaml"]
    found = process.archspec("build", "small.yaml", "--format", "json", env=env, cwd=tmp_path)
    assert found.returncode == 3
    assert [each["code"] for each in json.loads(found.stdout)["diagnostics"]] == ["E809"]


def test_saving_without_safetensors_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    env = blocking(tmp_path, "safetensors")
    found = process.archspec("build", "small.yaml", "-o", "small.safetensors", env=env, cwd=tmp_path)
    assert (found.returncode, found.stdout) == (3, b"")
    assert found.stderr.startswith(b"error[E809]: ")
    assert b"pip install 'archspec-compiler[torch]'" in found.stderr
    assert not (tmp_path / "small.safetensors").exists()
