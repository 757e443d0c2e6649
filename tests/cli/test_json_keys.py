"""The keys of the JSON are those that the documentation lists, for programs that read it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

import archspec
from archspec.verification.results import Gap, Judged
from tests.support.pages import prose

from .conftest import SMALL, Run

DIAGNOSTIC = {
    *("code", "severity", "message", "file", "line", "column", "end_line", "end_column"),
    *("hint", "labels", "notes", "help", "items"),
}


def section(page: str) -> str:
    """What a page says about its command's JSON."""
    _, _, after = prose(page).partition("## Keys of the JSON\n")
    return re.split(r"^#+ ", after, flags=re.MULTILINE)[0]


def listed(page: str) -> dict[str, set[str]]:
    """The keys that the list of a page has, and for each what else its item has in code style."""
    found: dict[str, set[str]] = {}
    for item in re.findall(r"^- (.*(?:\n  .*)*)", section(page), re.MULTILINE):
        head, _, body = item.partition(":")
        for key in re.findall(r"`([a-z_]+)`", head + (body if "; `file`: " in body or "; `torch`: " in body else "")):
            found[key] = set(re.findall(r"`([a-z_][a-z0-9_ ]*)`", body))
    return found


def keys_of(data: Any) -> set[str]:
    """The keys of an object, and of the objects in it."""
    if isinstance(data, list):
        return set().union(*map(keys_of, data))
    return set(data) | keys_of(list(data.values())) if isinstance(data, dict) else set()


def test_verify(small: Path, run: Run) -> None:
    text = "import archspec\ndef build():\n    return archspec.build('small.yaml', seed=0)\n"
    Path("reference_of_json_keys.py").write_text(text)
    data = run("verify", "small.yaml", "--against", "reference_of_json_keys:build", "--format", "json").json
    documented = listed("docs/verify.md")
    assert documented.keys() == data.keys()
    assert documented["levels"] == data["levels"].keys()
    assert documented["keys"] == data["keys"].keys()
    assert documented["graph"] == data["graph"].keys()
    gap = data["outputs"]["eval"]
    measured = Judged(Gap(), rounding=0.0, allowed=0.0, held=True).as_data()  # null here: the results are equal
    assert documented["outputs"] == data["outputs"].keys() | gap.keys() | measured.keys()


def test_build(small: Path, run: Run) -> None:
    torch.save(archspec.build("small.yaml", seed=0).state_dict(), "w.pth")
    arguments = ("build", "small.yaml", "--set", "classes=3", "--weights", "w.pth", "--transfer", "--format", "json")
    data = run(*arguments).json
    documented = listed("docs/weights.md")
    assert documented.keys() == data.keys()
    assert documented["stages"] == data["stages"][0].keys()
    (reshaped,) = {frozenset(value) for value in data["weights"]["reshaped"].values()}
    assert documented["weights"] == data["weights"].keys() | reshaped


def test_check(small: Path, run: Run) -> None:
    small.write_text(SMALL + "expect: {params: 7}\n")
    (data,) = run("check", "small.yaml", "--format", "json").json
    documented = listed("docs/ci.md")
    assert documented.keys() == data.keys()
    assert data["valid"] is False
    assert DIAGNOSTIC == data["diagnostics"][0].keys() == documented["diagnostics"] - {"text"}
    small.write_text(SMALL + "extends: 3\n")
    (data,) = run("check", "small.yaml", "--format", "json").json
    assert data.keys() == {"spec", "file", "valid", "diagnostics"}


def test_test(small: Path, run: Run) -> None:
    data = run("test", "small.yaml", "--level", "check", "--update", "--format", "json").json
    assert listed("docs/testing.md").keys() == data.keys()
    (spec,) = data["specs"]
    words = set(re.findall(r"`([a-z_]+)`", section("docs/testing.md")))
    assert keys_of(data) == words - {"failed", "passed"} | {"passed"}
    assert spec["update"].keys() == {"diff", "left"}


@pytest.mark.parametrize(
    ("command", "page"), [(("build",), "docs/weights.md"), (("verify", "--against", "x:y"), "docs/verify.md")]
)
def test_what_is_refused(command: tuple[str, ...], page: str, small: Path, run: Run) -> None:
    small.write_text(SMALL.replace("basic", "basik"))
    name, *options = command
    data = run(name, "small.yaml", *options, "--format", "json").json
    assert data.keys() == {"spec", "valid", "diagnostics"}
    assert "the object has only `spec`, `valid`, which is false, and `diagnostics`" in section(page)
