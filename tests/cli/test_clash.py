"""The library of CPU architectures that is called `archspec` on the index, in the same folder: it is said, once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

from . import process

SAID = "the distribution `archspec`, a library of CPU architectures, is installed in the same folder"
THEIRS = '"""Init file to avoid namespace packages"""\n\n__version__ = "0.2.7"\n'


@pytest.fixture(params=["ours last", "theirs last", "theirs alone"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A folder of packages, after both distributions were installed; or theirs, beside an editable install of ours."""
    folder = tmp_path / "site"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "cli", folder / "archspec_cli", ignore=ignored)
    shutil.copytree(ROOT / "specs", folder / "archspec_specs", ignore=ignored)
    if request.param != "theirs alone":
        shutil.copytree(ROOT / "archspec", folder / "archspec", ignore=ignored)
    for name in ("cpu", "json"):
        (folder / "archspec" / name).mkdir(parents=True)
    (folder / "archspec" / "cpu" / "__init__.py").write_text("")
    if request.param != "ours last":
        (folder / "archspec" / "__init__.py").write_text(THEIRS)
    return request.param, folder


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); from archspec_cli.start import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder.parent, env=process.environment()
    )


def test_the_command_says_so_once_and_goes_on_if_it_can(site: tuple[str, Path]) -> None:
    kind, folder = site
    found = call(folder, "check", "resnet18", "--format", "json")
    assert found.stderr.count(SAID) == 1
    assert str(folder / "archspec") in found.stderr
    assert "pip uninstall --yes archspec, then pip install --force-reinstall" in found.stderr
    assert "Traceback" not in found.stderr
    assert "UserWarning" not in found.stderr
    if kind == "ours last":
        assert (found.returncode, json.loads(found.stdout)[0]["valid"]) == (0, True)
    else:
        assert (found.returncode, found.stdout) == (3, "")
        assert "archspec-compiler cannot run" in found.stderr


def test_the_version_has_it(site: tuple[str, Path]) -> None:
    kind, folder = site
    found = call(folder, "--version")
    if kind == "ours last":
        first, second, *_ = found.stdout.splitlines()
        assert first.startswith("archspec 0.")
        assert second.startswith(SAID)
        assert found.stderr == ""
    else:
        assert found.returncode == 3
        assert SAID in found.stderr


def test_python_warns_once(site: tuple[str, Path]) -> None:
    kind, folder = site
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); import archspec; import archspec; print(archspec.__file__)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stderr.count(SAID) == (kind == "ours last")


def test_without_the_other_nothing_is_said(tmp_path: Path) -> None:
    found = process.archspec("--version", cwd=tmp_path)
    assert (found.stdout.count(b"\n"), found.stderr) == (1, b"")
