"""What Python shows of a refused spec: the excerpt with its marks, and no frames of archspec but the door."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

import archspec
from archspec import EnvironmentFault, SpecError

WRONG = "archspec: 1\nname: mine\nclases: 10\nstages: []\n"
EXCERPT = [
    "mine.yaml:3:1: error[E201]: unknown key `clases`",
    "  3 | clases: 10",
    "    | ^^^^^^ did you mean `classes`?",
]

CALLS: dict[str, Callable[[str], object]] = {
    "load": archspec.load,
    "compile": archspec.compile,
    "analyze": archspec.analyze,
    "build": archspec.build,
    "confirm": archspec.confirm,
    "diff": lambda spec: archspec.diff(spec, "resnet18"),
    "verify": lambda spec: archspec.verify(spec, lambda: None),
    "save": lambda spec: archspec.save(archspec.build("resnet20_cifar"), spec, "a.safetensors"),
}


@pytest.fixture
def wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_text(WRONG)
    return path


@pytest.mark.parametrize("name", CALLS)
def test_only_the_door_is_in_the_traceback(name: str, wrong: Path) -> None:
    with pytest.raises(SpecError) as caught:
        CALLS[name]("mine.yaml")
    error = caught.value
    inside = [each for each in traceback.extract_tb(error.__traceback__) if "tests" not in Path(each.filename).parts]
    assert {Path(each.filename).name for each in inside} == {"door.py"}
    assert error.__suppress_context__
    assert error.__cause__ is None
    assert str(error).splitlines()[:3] == EXCERPT
    assert error._render_traceback_()[-1] == f"SpecError: {error}"
    assert "door.py" not in "".join(error._render_traceback_())


def test_a_fault_of_the_environment_likewise(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        archspec.save(archspec.build("resnet20_cifar"), "resnet20_cifar", tmp_path / "no" / "a.safetensors")
    inside = [each for each in traceback.extract_tb(caught.value.__traceback__) if "archspec" in each.filename]
    assert {Path(each.filename).name for each in inside} <= {"door.py", Path(__file__).name}
    assert caught.value._render_traceback_()[-1] == f"EnvironmentFault: {caught.value}"


def test_errors_survive_a_process_boundary(wrong: Path) -> None:
    with pytest.raises(SpecError) as caught:
        archspec.load("mine.yaml")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (SpecError, str(caught.value))
    fault = EnvironmentFault(archspec.Diagnostic("E809", "torch is missing", help="install it"))
    again = pickle.loads(pickle.dumps(fault))
    assert (type(again), str(again), again.diagnostic) == (EnvironmentFault, str(fault), fault.diagnostic)


def test_a_script_ends_with_the_excerpt(wrong: Path) -> None:
    script = wrong.parent / "script.py"
    script.write_text('import archspec\n\ndef main():\n    archspec.analyze("mine.yaml")\n\nmain()\n')
    found = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, check=False, cwd=wrong.parent)
    lines = found.stderr.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("archspec.diagnostics.SpecError: "))
    assert lines[start].endswith(EXCERPT[0])
    assert lines[start + 1 : start + 3] == EXCERPT[1:]
    files = [line for line in lines[:start] if line.startswith("  File ")]
    assert len(files) == 3
    assert ["script.py" in line for line in files] == [True, True, False]
    assert "During handling" not in found.stderr


def test_the_prompt_of_python_shows_the_excerpt(wrong: Path) -> None:
    code = 'import archspec\narchspec.build("mine.yaml", overrides={"classes": 3})\n1 + 1\n'
    found = subprocess.run(
        [sys.executable, "-i", "-q"], input=code, capture_output=True, text=True, check=False, cwd=wrong.parent
    )
    assert "\n".join(EXCERPT) in found.stderr
    assert found.stderr.count("  File ") == 2
    assert found.stdout.strip().endswith("2")


INSIDE = """
import archspec
def mine():
    archspec.build("mine.yaml")
"""


@pytest.mark.skipif(importlib.util.find_spec("IPython") is None, reason="IPython is not installed")
def test_ipython_shows_the_excerpt_alone(wrong: Path) -> None:
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance(colors='nocolor')\n"
        "shell.run_cell('import archspec')\n"
        "shell.run_cell('archspec.build(\"mine.yaml\")')\n"
        "print('--- in a function')\n"
        f"shell.run_cell({INSIDE!r})\n"
        "shell.run_cell('mine()')\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=wrong.parent)
    alone, _, inside = found.stdout.partition("--- in a function\n")
    assert alone.splitlines()[:3] == ["SpecError: " + EXCERPT[0], *EXCERPT[1:]]
    assert "in mine" in inside
    assert "\n".join(EXCERPT[1:]) in inside
    for name in ("door.py", "interactiveshell.py", "overrides.py"):
        assert name not in found.stdout
