"""`list`, `schema` and `completion`: what there is, for people, editors and shells."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

import archspec
from archspec.codes import CODES
from archspec.language.text.locate import zoo_names
from archspec.operations.base import arguments
from archspec.operations.discovery import operations
from archspec_cli.main import COMMANDS
from tests.support.paths import ROOT

from . import process
from .conftest import Run

SPECS = sorted((ROOT / "specs").glob("*.yaml"))
LIBRARY = ROOT / "archspec" / "language" / "library"
SECTIONS = ("zoo", "blocks", "shortcuts", "fragments", "operations", "namings", "targets")


def library(section: str) -> list[str]:
    """The names that the library's own file defines."""
    return list(yaml.safe_load((LIBRARY / f"{section}.yaml").read_text(encoding="utf-8"))[section])


def names(text: str) -> list[str]:
    """The first words of a list's lines."""
    return re.findall(r"^ *([\w-]+)  +\S", text, re.MULTILINE)


# -- list --------------------------------------------------------------------------------------------------------------


def test_everything_is_listed_with_a_summary(run: Run) -> None:
    found = run("list")
    assert (found.status, found.err) == (0, "")
    *sections, last = found.out.rstrip("\n").split("\n\n")
    assert last.startswith("`archspec list SECTION`")
    listed = dict(zip(SECTIONS, (names(section.partition(":\n")[2]) for section in sections), strict=True))
    assert sorted(listed["zoo"]) == [path.stem for path in SPECS]
    assert listed["blocks"] == library("blocks")
    assert listed["shortcuts"] == library("shortcuts")
    assert listed["fragments"] == library("fragments")
    assert listed["operations"] == list(operations())
    assert sum(map(len, listed.values())) == len(found.out.splitlines()) - 2 * len(SECTIONS) - 1


def test_the_zoo_is_listed_as_people_count(run: Run) -> None:
    listed = [entry["name"] for entry in run("list", "zoo", "--format", "json").json]
    assert listed.index("resnet18") < listed.index("resnet50") < listed.index("resnet101")


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_summary_of_a_spec_is_its_own(path: Path, run: Run) -> None:
    summary = yaml.safe_load(path.read_text(encoding="utf-8")).get("summary")
    (entry,) = (entry for entry in run("list", "zoo", "--format", "json").json if entry["name"] == path.stem)
    assert entry["summary"] == summary
    assert summary


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_in_detail(section: str, run: Run) -> None:
    found, data = run("list", section), run("list", section, "--format", "json").json
    assert (found.status, found.err) == (0, "")
    assert data == run("list", "--format", "json").json[section]
    for entry in data:
        assert re.search(rf"^{re.escape(entry['name'])}(:|  ).*{re.escape(entry['summary'])}$", found.out, re.MULTILINE)
        for name in (*entry.get("params", ()), *entry.get("arguments", ()), *entry.get("templates", ())):
            assert re.search(rf"^  {name}  +\S", found.out, re.MULTILINE)


def test_the_arguments_of_every_operation_are_told(run: Run) -> None:
    for entry in run("list", "operations", "--format", "json").json:
        told = entry["arguments"]
        assert list(told) == list(arguments(operations()[entry["name"]]))
        assert all(argument["doc"] for argument in told.values())
    conv = next(entry for entry in run("list", "operations", "--format", "json").json if entry["name"] == "conv")
    assert conv["arguments"]["out"]["required"] is True
    assert conv["arguments"]["stride"]["default"] == 1


def test_a_naming_is_listed_whole(run: Run) -> None:
    namings = {entry["name"]: entry["templates"] for entry in run("list", "namings", "--format", "json").json}
    assert namings["torchvision"]["stage"] == namings["timm"]["stage"] == "layer{stage}"
    assert namings["sequential"]["stem"] == "features"
    assert (namings["torchvision"]["deep"], namings["timm"]["deep"]) == ("", "conv{n}")
    assert not any("summary" in templates for templates in namings.values())
    assert namings["sequential"]["shortcut"] == "downsample"  # not written there: the default


def test_every_naming_says_what_tells_it_apart(run: Run) -> None:
    summaries = {entry["name"]: entry["summary"] for entry in run("list", "namings", "--format", "json").json}
    assert len(set(summaries.values())) == len(summaries)
    out = run("list", "namings").out
    for name, summary in summaries.items():
        assert summary.endswith("."), name
        assert f"{name}: {summary}" in out


# -- schema ------------------------------------------------------------------------------------------------------------


def test_the_schema_is_one_and_takes_the_zoo(run: Run) -> None:
    found = run("schema")
    assert found.status == 0
    assert "# yaml-language-server: $schema=archspec.schema.json" in found.err.splitlines()
    assert "`archspec.schema.json`" in found.err
    assert "archspec schema >" not in found.err  # who reads this may have saved it already
    Draft202012Validator.check_schema(found.json)
    validator = Draft202012Validator(found.json)
    for path in SPECS:
        assert validator.is_valid(yaml.safe_load(path.read_text(encoding="utf-8"))), path.name
    good = {"archspec": 1, "name": "net", "extends": "resnet50"}
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, "chanels": [1]})
    assert not validator.is_valid({**good, "stem": [{"conv": {"out": 3, "kernal": 3}}]})


def test_the_schema_of_definitions_takes_the_library(run: Run) -> None:
    found = run("schema", "--library")
    assert "# yaml-language-server: $schema=archspec-library.schema.json" in found.err.splitlines()
    assert "`archspec-library.schema.json`" in found.err
    Draft202012Validator.check_schema(found.json)
    validator = Draft202012Validator(found.json)
    for name in ("blocks", "fragments"):
        assert validator.is_valid(yaml.safe_load((LIBRARY / f"{name}.yaml").read_text(encoding="utf-8")))
    assert not validator.is_valid({"archspec": 1, "stages": {}})


# -- completion --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(shell: str, run: Run) -> None:
    found = run("completion", shell)
    assert (found.status, found.err) == (0, "")
    assert re.search(r"^(function )?_archspec_completion", found.out, re.MULTILINE)
    assert f"_ARCHSPEC_COMPLETE={shell}_complete" in found.out
    assert f"# For all shells: archspec completion {shell} > " in found.out
    assert (shell == "zsh") == found.out.startswith("#compdef archspec\n")
    if program := shutil.which(shell):
        option = "--no-execute" if shell == "fish" else "-n"
        assert subprocess.run([program, option], input=found.out.encode(), timeout=20, check=False).returncode == 0


def completed(line: str, folder: Path) -> list[str]:
    """What bash would offer at the end of `line`, asked as its script asks."""
    words = line.split(" ")
    asked = {"_ARCHSPEC_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    found = process.archspec(env=dict(asked), cwd=folder)
    assert (found.returncode, found.stderr) == (0, b"")
    return [each.partition(",")[2] for each in found.stdout.decode().splitlines()]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("archspec ch", {"check"}),
        ("archspec ", set(COMMANDS)),
        (
            "archspec check resnet18",
            {"resnet18_mine.yaml", *(name for name in zoo_names() if name.startswith("resnet18"))},
        ),
        ("archspec build --fo", {"--force", "--format"}),
        ("archspec check --format ", {"text", "json", "sarif", "github"}),
        ("archspec explain e80", {code for code in CODES if code.startswith("E80")}),
        ("archspec list op", {"operations"}),
        ("archspec completion ", {"bash", "zsh", "fish"}),
    ],
)
def test_completing_a_line(line: str, expected: set[str], tmp_path: Path) -> None:
    (tmp_path / "resnet18_mine.yaml").write_text("archspec: 1\n")
    (tmp_path / "resnet18 $(touch x).yaml").write_text("archspec: 1\n")  # never offered: a shell would read it
    assert set(completed(line, tmp_path)) == expected


def test_a_path_is_completed_by_the_shell(tmp_path: Path) -> None:
    assert completed("archspec check specs/res", tmp_path) == ["specs/res"]


def test_the_script_completes_in_bash(tmp_path: Path, run: Run) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    program = tmp_path / "archspec"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(process.words())} "$@"\n')
    program.chmod(0o755)
    script = f'COMP_WORDS=({program} che)\nCOMP_CWORD=1\n_archspec_completion {program}\necho "${{COMPREPLY[@]}}"'
    text = run("completion", "bash").out.replace("complete -o nosort", "true")
    code = text.replace(" $1)", f" {program})") + script
    found = subprocess.run([bash, "-c", code], capture_output=True, env=process.environment(), timeout=30, check=False)
    assert found.stdout.decode().split() == ["check"], found.stderr


def test_a_naming_of_the_list_can_be_used(run: Run) -> None:
    for entry in run("list", "namings", "--format", "json").json:
        text = f"archspec: 1\nname: net\nextends: resnet18\nnaming: {entry['name']}\n"
        assert archspec.compile(text).nodes
