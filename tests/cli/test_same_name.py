"""Several specs of one name: every command shows which is which."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import archspec

from .conftest import Run

SPECS = ["a/net.yaml", "b/net.yaml", "b/other.yaml"]


@pytest.fixture
def specs(here: Path) -> list[str]:
    for number, path in enumerate(SPECS, 5):
        Path(path).parent.mkdir(exist_ok=True)
        name = "other" if "other" in path else "net"
        Path(path).write_text(f"archspec: 1\nname: {name}\nextends: resnet20_cifar\nclasses: {number}\n")
    return SPECS


LABELS = ["a/net.yaml", "b/net.yaml", "other"]
"""A name that only one spec has is enough."""


def test_the_table_of_analyze(specs: list[str], run: Run) -> None:
    text = run("analyze", *specs).out
    assert [line.split()[0] for line in text.splitlines()[1:4]] == LABELS
    rows = list(csv.DictReader(run("analyze", *specs, "--format", "csv").out.splitlines()))
    assert [row["name"] for row in rows] == LABELS
    rows = list(csv.DictReader(run("analyze", *specs, "--format", "csv", "--per", "stage").out.splitlines()))
    assert list(dict.fromkeys(row["spec"] for row in rows)) == LABELS
    table = run("analyze", *specs, "--format", "markdown").out.splitlines()
    assert [line.split()[1] for line in table[2:]] == LABELS
    headings = [line for line in run("analyze", *specs, "--per", "stage").out.splitlines() if ": 3x32x32 to" in line]
    assert [line.partition(":")[0] for line in headings] == LABELS


def test_folders_and_standard_input(specs: list[str], run: Run) -> None:
    rows = list(csv.DictReader(run("analyze", "a", "b", "--format", "csv").out.splitlines()))
    assert [row["name"] for row in rows] == LABELS
    given = Path("a/net.yaml").read_text()
    rows = list(csv.DictReader(run("analyze", "-", "b/net.yaml", "--format", "csv", stdin=given).out.splitlines()))
    assert [row["name"] for row in rows] == ["-", "b/net.yaml"]


def test_json(specs: list[str], run: Run) -> None:
    data = run("analyze", *specs, "--format", "json").json
    assert [(each["spec"], each["file"], each["name"]) for each in data] == [
        (path, path, "other" if "other" in path else "net") for path in SPECS
    ]
    found = run("diff", "a/net.yaml", "b/net.yaml", "--set", "classes=3", "--format", "json").json
    assert found["specs"] == {"before": "a/net.yaml", "after": "b/net.yaml --set classes=3"}
    assert found["files"] == {"before": "a/net.yaml", "after": "b/net.yaml"}
    for command in (["check"], ["test", "--level", "check"]):
        data = run(*command, *specs, "--format", "json").json
        assert [each["spec"] for each in (data if isinstance(data, list) else data["specs"])] == SPECS


def test_text_of_diff_and_tables_of_notebooks(specs: list[str], run: Run) -> None:
    assert run("diff", "a/net.yaml", "b/net.yaml").out.startswith("a/net.yaml -> b/net.yaml\n")
    assert "net (b/net.yaml): 3x32x32 to 6" in archspec.analyze("b/net.yaml")._repr_html_()
    assert "resnet18: 3x224x224" in archspec.analyze("resnet18")._repr_html_()
