"""archspec runs from a zip file on the path, as zipapp and pex put it there: nothing of it needs to be a file."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from archspec.language.text.locate import zoo_names
from tests.support.paths import ROOT

from .process import archspec, python

PACKAGES = {"archspec": "archspec", "cli": "archspec_cli", "specs": "archspec_specs"}
"""The folders of the checkout, and the packages that they install as."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("zip") / "tools.zip"
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as stream:
        for folder, package in PACKAGES.items():
            for path in sorted((ROOT / folder).rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    stream.write(path, Path(package) / path.relative_to(ROOT / folder))
    return found


def run(archive: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """A command of the archspec in the zip file, in a process of its own."""
    return archspec(*arguments, cwd=folder, env={"PYTHONPATH": str(archive)})


def test_the_packages_of_the_zip_file_are_used(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the folder of the checkout would come first
    code = "import archspec as a, archspec_cli as b, archspec_specs as c; print(a.__file__, b.__file__, c.__file__)"
    assert python(code, env={"PYTHONPATH": str(archive)}).stdout.count(bytes(archive)) == 3


def test_the_zoo_of_a_zip_file(archive: Path, tmp_path: Path) -> None:
    found = run(archive, tmp_path, "list", "zoo", "--format", "json")
    assert found.stderr == b""
    assert [each["name"] for each in json.loads(found.stdout)] == zoo_names()


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "wide_resnet50_2"],
        ["show", "mine.yaml"],
        ["explain", "E403"],
        ["list", "blocks"],
        ["check", "mine.yaml", "with_import.yaml"],
        ["build", "resnet20_cifar"],
    ],
    ids=" ".join,
)
def test_every_command_gives_the_same(archive: Path, tmp_path: Path, arguments: list[str]) -> None:
    """A spec of the zoo extends the zoo's specs, even if a file beside the user's spec has the same name."""
    (tmp_path / "mine.yaml").write_text("archspec: 1\nname: mine\nextends: wide_resnet50_2\n")
    (tmp_path / "resnet50.yaml").write_text("archspec: 1\nname: resnet50\nextends: resnet50\nclasses: 3\n")
    (tmp_path / "with_import.yaml").write_text("archspec: 1\nname: w\nimport: parts\nextends: resnet50\nstem: s\n")
    (tmp_path / "parts.yaml").write_text("archspec: 1\nfragments: {s: {steps: [conv: {out: 64}]}}\n")
    found = run(archive, tmp_path, *arguments)
    assert found.returncode == 0, found.stderr
    assert found.stdout == archspec(*arguments, cwd=tmp_path).stdout


def test_a_spec_that_does_not_exist(archive: Path, tmp_path: Path) -> None:
    found = run(archive, tmp_path, "check", "resnet5O")
    assert (found.returncode, found.stdout) == (1, b"")
    assert b"did you mean `resnet50`?" in found.stderr
