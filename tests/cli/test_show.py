"""`archspec show`: what it prints is a spec of its own, and says where each value came from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import archspec
from archspec.language.text.yaml_writer import scalar
from tests.support.zoo import ZOO

from .conftest import SMALL, Run


def network(graph: archspec.Graph) -> list[tuple[object, ...]]:
    """All that a graph computes, without the places where it was written."""
    return [(node.name, node.operation, node.inputs, node.shape) for node in graph.nodes]


@pytest.mark.parametrize("name", ZOO)
def test_a_spec_of_the_zoo_reads_back_as_the_same_network(name: str, run: Run) -> None:
    found = run("show", name)
    assert (found.status, found.err) == (0, "")
    assert not re.search(r"^(extends|import):", found.out, re.MULTILINE)
    again, original = archspec.compile(found.out), archspec.compile(name)
    assert network(again) == network(original)
    assert again.fingerprint == original.fingerprint
    assert again.origin.document.value["expect"] == original.origin.document.value["expect"]


HARD = {
    "rows": """\
archspec: 1
name: rows
input: [3, 16, 16]
classes: 5
stem: []
stages:
- {block: basic, count: 2, channels: 8, act: silu}
- {block: bottleneck, count: 1, channels: 4, expansion: 2, stride: 2}
- {block: basic, count: 2, channels: [8, "8 * 2"], before: [pool: {type: max, kernel: 2}]}
""",
    "words": """\
archspec: 1
name: "on"
summary: "a: b # c, 'd' \\"e\\" \\\\ é 東 \\u202E \\t"
notes: |
  two
  lines
tags: ["1", "1.5", "true", "null", "~", "", " a ", "-", "- a", "[x]", "0x10", "1_000", "no", "é", "#"]
input: [3, 16, 16]
params: {width: 4, kind: "'gelu'", factor: 1.0e-3}
act: kind
stages: {block: basic, count: [1, 1], channels: ["width if index == 0 else width * 2", 8]}
head: [flatten, {linear: {out: "classes, "}}]
""".replace('"classes, "', "classes"),
    "definitions": """\
archspec: 1
name: definitions
input: [3, 16, 16]
stages: {block: mine, count: [2, 1], channels: [4, 8], stride: [1, 2], wide: [2, null]}
shortcut: mine-too
naming: {stage: "trunk.block{stage}", block: "b{index}", conv: "c{n}"}
norm: {type: group, groups: 2, eps: 0.001}
drop_path: 0.1 * number / blocks
outputs: [trunk.block1, trunk.block2]
blocks:
  mine:
    summary: A block.
    params: {wide: 1}
    let: {inner: channels * wide}
    residual:
      - layer: {out: inner, kernel: 3, stride: stride}
      - gate: {by: 2, when: wide > 1}
      - concat:
          left: []
          right: [conv: {out: 4}, {norm: {}}]
      - layer: {out: channels, kernel: 1}
shortcuts:
  mine-too:
    same: []
    change: [conv: {out: out_channels, kernel: 1, stride: stride}]
fragments:
  gate:
    params: {by: null}
    steps:
      - multiply: [[], [{pool: {type: avg, output: 1}}, {conv: {out: in_channels // by}}, {conv: {out: in_channels}}]]
""",
}


@pytest.mark.parametrize("name", HARD)
def test_what_is_shown_reads_back_as_the_same_values(name: str, here: Path, run: Run) -> None:
    Path("net.yaml").write_text(HARD[name], encoding="utf-8")
    found = run("show", "net.yaml")
    assert found.status == 0, found.err
    assert "#" not in re.sub(r'"[^"\n]*(\\"[^"\n]*)*"', "", found.out)  # all of it is the spec's own
    again, original = archspec.compile(found.out), archspec.compile("net.yaml")
    assert again.origin.document.value == original.origin.document.value
    assert network(again) == network(original)
    Path("again.yaml").write_text(found.out, encoding="utf-8")
    assert run("show", "again.yaml").out == found.out


def test_imported_definitions_are_written_out(here: Path, run: Run) -> None:
    Path("mine.yaml").write_text(
        "archspec: 1\nblocks:\n  mine:\n    residual:\n      - twice: {k: 3}\n"
        "      - layer: {out: channels, stride: stride}\n"
        "fragments:\n  twice:\n    params: {k: 1}\n    steps: [layer: {out: 4, kernel: k}]\n"
    )
    Path("base.yaml").write_text(SMALL.replace("basic", "mine") + "import: mine.yaml\n")
    Path("net.yaml").write_text("archspec: 1\nname: net\nextends: base\nclasses: 7\n")
    found = run("show", "net.yaml", "--set", "stages.count.0=2")
    original = archspec.compile(archspec.load("net.yaml", overrides=["stages.count.0=2"]))
    assert (found.status, found.err) == (0, "")
    for name in ("mine.yaml", "base.yaml", "net.yaml"):
        Path(name).unlink()
    assert network(archspec.compile(found.out)) == network(original)
    lines = {line.partition("#")[0].strip(): line.partition("# ")[2] for line in found.out.splitlines()}
    assert lines["name: net"] == lines["classes: 7"] == ""
    assert lines["input: [3, 16, 16]"] == "base.yaml:3"
    assert lines["count: [2, 1]"] == "--set, base.yaml:6"
    assert lines["channels: [4, 8]"] == "base.yaml:6"
    assert lines["- twice: {k: 3}"] == "mine.yaml:5"


def test_definitions_that_share_a_name_stay_imported(here: Path, run: Run) -> None:
    """A spec may have a block called like one of the library's; written into one text it would mean another."""
    Path("mine.yaml").write_text(
        "archspec: 1\nfragments:\n  se: {steps: [conv: {out: 4}]}\n"
        "blocks:\n  mine:\n    residual: [se: {}, layer: {out: channels, stride: stride}]\n"
    )
    Path("net.yaml").write_text(SMALL.replace("basic", "mine") + "import: [mine.yaml]\n")
    found = run("show", "net.yaml")
    assert re.search(r"^import: \[?mine\.yaml\]?", found.out, re.MULTILINE)
    Path("again.yaml").write_text(found.out)
    assert network(archspec.compile("again.yaml")) == network(archspec.compile("net.yaml"))


def test_standard_input(run: Run) -> None:
    found = run("show", "-", stdin="archspec: 1\nname: net\nextends: resnet18\nclasses: 10\nexpect: null\n")
    assert found.status == 0
    assert "classes: 10\n" in found.out
    assert archspec.compile(found.out).output == (10,)


def test_comments_stand_in_one_column(run: Run) -> None:
    lines = run("show", "resnext50_32x4d").out.splitlines()
    short = [line for line in lines if 0 < line.find("#") < 52]
    assert len(short) > 5
    assert len({line.index("#") for line in short}) == 1
    assert "groups: 32" in (line.strip() for line in lines)
    assert any(re.fullmatch(r"  count: \[3, 4, 6, 3\] +# resnet50\.yaml:11", line) for line in lines)


def test_json_has_a_place_for_every_value(run: Run) -> None:
    found = run("show", "resnext50_32x4d", "--format", "json").json
    assert set(found) == {"name", "hash", "spec", "places", "diagnostics"}
    assert found["spec"]["stages"]["groups"] == 32
    assert found["places"]["stages.groups"] == {"file": "resnext50_32x4d.yaml", "line": 6, "column": 18}
    assert found["places"]["stages.count.2"] == {"file": "resnet50.yaml", "line": 11, "column": 20}

    def paths(value: object, path: str = "") -> set[str]:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        here = {f"{path}{key}" for key, _ in items}
        return here.union(*(paths(inner, f"{path}{key}.") for key, inner in items)) if here else here

    assert set(found["places"]) == paths(found["spec"])


# -- nodes -------------------------------------------------------------------------------------------------------------


def test_the_nodes_of_a_network(run: Run) -> None:
    head, given, *rows = run("show", "resnet18", "--graph").out.splitlines()
    assert head.split() == ["name", "operation", "inputs", "shape", "written", "at"]
    assert given.split() == ["input", "3x224x224"]
    assert len(rows) == 69
    assert re.split("  +", rows[0]) == [
        *("conv1", "conv(out=64, kernel=7, stride=2)", "input", "64x112x112", "resnet18.yaml:8"),
    ]
    assert len({line.index(shape) for line, shape in ((rows[0], "64x112x112"), (given, "3x224x224"))}) == 1


def test_the_nodes_as_json(small: Path, run: Run) -> None:
    found = run("show", "small.yaml", "--graph", "--format", "json").json
    assert set(found) == {"name", "hash", "input", "outputs", "nodes", "regions", "diagnostics"}
    graph = archspec.compile("small.yaml")
    assert [node["name"] for node in found["nodes"]] == [node.name for node in graph.nodes]
    assert found["nodes"][0] == {
        "name": "conv1",
        "operation": "conv",
        "arguments": {"out": 4, "kernel": 3},
        "inputs": ["input"],
        "shape": [4, 16, 16],
        "scope": "",
        "file": "small.yaml",
        "line": 5,
        "column": 8,
        "cells": [],
    }
    conv = next(node for node in found["nodes"] if node["name"] == "layer2.0.conv1")
    assert conv["cells"] == [
        {"stage": 2, "name": name, "file": "small.yaml", "line": 6, "column": column}
        for name, column in (("block", 17), ("channels", 53), ("stride", 69))
    ]
    assert [region["scope"] for region in found["regions"]] == ["layer1", "layer1.0", "layer2", "layer2.0"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "null"),
        (True, "true"),
        (25_557_032, "25557032"),
        (0.001, "0.001"),
        ("resnet50", "resnet50"),
        ("channels * 4", "channels * 4"),
        ("true", '"true"'),
        ("010", '"010"'),
        ("1.5", '"1.5"'),
        ("a: b", '"a: b"'),
        ("a #b", '"a #b"'),
        ("\x1b\u202e", '"\\u001b\\u202e"'),
        ('"\\', '"\\"\\\\"'),
        ("", '""'),
    ],
)
def test_scalars_are_quoted_where_they_must_be(value: object, written: str) -> None:
    assert scalar(value) == written  # type: ignore[arg-type]
