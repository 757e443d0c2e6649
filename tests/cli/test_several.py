"""Several specs in one call: whatever one of them raises is said with its name, and the others give their results."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from archspec.diagnostics import Diagnostic, EnvironmentFault
from archspec.language.spec import Spec
from archspec.passes import pipeline

from . import process
from .conftest import SMALL, Run

NAMES = ("a_good.yaml", "m_bad.yaml", "z_good.yaml")

ERRORS: dict[str, tuple[Exception, str, int]] = {
    "an internal error": (ZeroDivisionError("odd"), "E001", 70),
    "an internal error of the system": (OSError(5, "odd"), "E001", 70),
    "a recursion": (RecursionError("odd"), "E001", 70),
    "an assertion without words": (AssertionError(), "E001", 70),
    "memory that runs out": (MemoryError(), "E002", 3),
    "a missing package": (EnvironmentFault(Diagnostic("E809", "odd")), "E809", 3),
}


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("mine")


ERRORS["an error without a text"] = (Unspeakable(), "E001", 70)

Reader = Callable[[str], tuple[list[str], list[str]]]
"""From the standard output: the specs with a result, and the codes of the diagnostics."""


def _lines(out: str) -> tuple[list[str], list[str]]:
    return [line.partition(":")[0] for line in out.splitlines() if ": ok, " in line], []


def _check_json(out: str) -> tuple[list[str], list[str]]:
    data = json.loads(out)
    return [each["spec"] for each in data if each["valid"]], [d["code"] for each in data for d in each["diagnostics"]]


def _test_json(out: str) -> tuple[list[str], list[str]]:
    specs = json.loads(out)["specs"]
    cases = [case for each in specs for case in each["cases"]]
    return [each["spec"] for each in specs if each["passed"]], [
        d["code"] for case in cases for d in case["diagnostics"]
    ]


def _analyze_json(out: str) -> tuple[list[str], list[str]]:
    data = json.loads(out)
    names = [f"{each['name']}.yaml" for each in data if "totals" in each]
    return names, [d["code"] for each in data for d in each["diagnostics"]]


def _sarif(out: str) -> tuple[list[str], list[str]]:
    results = json.loads(out)["runs"][0]["results"]
    files = [each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in results]
    return sorted({*NAMES} - {*files}), [each["ruleId"] for each in results]


def _github(out: str) -> tuple[list[str], list[str]]:
    return [name for name in NAMES if name not in out], [line.partition("title=")[2][:4] for line in out.splitlines()]


def _csv(out: str) -> tuple[list[str], list[str]]:
    return [f"{row['name']}.yaml" for row in csv.DictReader(io.StringIO(out))], []


def _rows(out: str) -> tuple[list[str], list[str]]:
    return [name for name in NAMES if re.search(rf"^[^a-z]*{name.removesuffix('.yaml')}\b", out, re.MULTILINE)], []


def _junit(out: str) -> tuple[list[str], list[str]]:
    suites = ElementTree.fromstring(out)
    good = [str(suite.get("name")) for suite in suites if suite.get("failures") == "0"]
    return good, [str(failure.get("type")) for failure in suites.iter("failure")]


FORMS: dict[tuple[str, ...], Reader] = {
    ("check",): _lines,
    ("check", "--format", "json"): _check_json,
    ("check", "--format", "sarif"): _sarif,
    ("check", "--format", "github"): _github,
    ("analyze",): _rows,
    ("analyze", "--per", "layer"): _rows,
    ("analyze", "--format", "json"): _analyze_json,
    ("analyze", "--format", "csv"): _csv,
    ("analyze", "--format", "markdown"): _rows,
    ("test", "--level", "check"): _lines,
    ("test", "--level", "check", "--format", "json"): _test_json,
    ("test", "--level", "check", "--format", "sarif"): _sarif,
    ("test", "--level", "check", "--format", "github"): _github,
    ("test", "--level", "check", "--format", "junit"): _junit,
}


@pytest.fixture
def folder(here: Path) -> Path:
    """Three small networks that are named after their files."""
    for name in NAMES:
        (here / name).write_text(SMALL.replace("name: small", f"name: {name.removesuffix('.yaml')}"))
    return here


def break_one(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    lower = pipeline.lower

    def broken(spec: Spec, *arguments: Any, **options: Any) -> Any:
        if spec.name == "m_bad":
            raise error
        return lower(spec, *arguments, **options)

    monkeypatch.setattr(pipeline, "lower", broken)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("command", FORMS, ids=" ".join)
def test_whatever_one_spec_raises(
    command: tuple[str, ...], error: str, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised, code, status = ERRORS[error]
    break_one(monkeypatch, raised)
    name, *options = command
    found = run(name, *NAMES, *options)
    good, codes = FORMS[command](found.out)
    assert good == ["a_good.yaml", "z_good.yaml"]
    assert code in codes or f"[{code}]" in found.err
    if code != "E809":
        assert "m_bad" in found.err + found.out
    assert found.status == status
    assert FORMS[command](run(name, ".", *options).out) == (good, codes)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("command", ["diff", "show", "build", "verify"])
@pytest.mark.parametrize("error", ERRORS)
def test_commands_of_one_or_two_specs(
    error: str, command: str, form: str, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be shown is said, and as JSON where JSON was asked for."""
    raised, code, status = ERRORS[error]
    break_one(monkeypatch, raised)
    others = {"diff": ["a_good.yaml"], "verify": ["--against", "builtins:dict"]}.get(command, [])
    formed = ["--format", "json"] if form == "json" else []
    found = run(command, "m_bad.yaml", *others, *formed)
    assert found.status == status
    if form == "json":
        assert [each["code"] for each in found.json["diagnostics"]] == [code]
    else:
        assert found.err.startswith(f"error[{code}]: ")


def test_an_interrupt_stops_them_all(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    break_one(monkeypatch, KeyboardInterrupt())
    found = run("check", *NAMES)
    assert found.status == 130
    assert found.err.strip() == "archspec: interrupted"


def test_the_status_is_that_of_the_worst(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    break_one(monkeypatch, ZeroDivisionError())
    (folder / "n_wrong.yaml").write_text("archspec: 1\nname: n_wrong\n")
    for command in ("check", "analyze", "test"):
        assert run(command, ".").status == 70, command
    (folder / "m_bad.yaml").unlink()
    for command in ("check", "analyze", "test"):
        assert run(command, ".").status == 1, command


ODD: dict[str, Callable[[Path], object]] = {
    "a link to nothing": lambda path: path.symlink_to("nowhere.yaml"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a pipe": os.mkfifo,
    "bytes that are not text": lambda path: path.write_bytes(b"archspec: 1\nname: \xff\n"),
    "a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("command", FORMS, ids=" ".join)
def test_what_cannot_be_read_in_a_folder(command: tuple[str, ...], odd: str, folder: Path, run: Run) -> None:
    (folder / "m_bad.yaml").unlink()
    ODD[odd](folder / "m_bad.yaml")
    name, *options = command
    found = run(name, ".", *options)
    good, codes = FORMS[command](found.out)
    assert (good, found.status) == (["a_good.yaml", "z_good.yaml"], 1)
    assert {*codes} & {"E801", "E803", "E101"} or "error[E" in found.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
@pytest.mark.parametrize("command", FORMS, ids=" ".join)
def test_a_folder_without_permission(command: tuple[str, ...], folder: Path, run: Run) -> None:
    (folder / "m_bad.yaml").unlink()
    (folder / "locked").mkdir(mode=0)
    name, *options = command
    found = run(name, ".", *options)
    good, codes = FORMS[command](found.out)
    assert (good, found.status) == (["a_good.yaml", "z_good.yaml"], 1)
    assert "E804" in codes or "E804" in found.err


def test_a_file_that_vanishes(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    lower = pipeline.lower

    def vanish(*arguments: Any, **options: Any) -> Any:
        (folder / "m_bad.yaml").unlink(missing_ok=True)
        return lower(*arguments, **options)

    monkeypatch.setattr(pipeline, "lower", vanish)
    found = run("check", ".")
    assert _lines(found.out)[0] == ["a_good.yaml", "z_good.yaml"]
    assert found.status == 1
    assert found.err.startswith("error[E801]: ")


DYING = """
import os, sys
from archspec.passes import pipeline
from archspec_cli import suite_run
lower = pipeline.lower
def broken(spec, *arguments, **options):
    if spec.name == "m_bad":
        os._exit(9)
    return lower(spec, *arguments, **options)
pipeline.lower = broken
if __name__ == "__main__":
    from archspec_cli.main import main
    sys.argv = ["archspec", "test", ".", "--level", "check", "--jobs", "2", "--format", "json"]
    sys.exit(main())
"""


def test_a_process_that_ends(folder: Path, tmp_path: Path) -> None:
    """As the system ends it where memory runs out; each process runs this file, and so breaks the same spec."""
    script = tmp_path / "dying.py"
    script.write_text(DYING)
    found = subprocess.run(
        [sys.executable, str(script)], capture_output=True, env=process.environment(), timeout=60, check=False
    )
    good, codes = _test_json(found.stdout.decode())
    assert (good, codes, found.returncode) == (["a_good.yaml", "z_good.yaml"], ["E002"], 3)
