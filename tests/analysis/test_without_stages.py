"""The parts of a network without stages: its stem and its head, in tables, in ``frozen`` and in ``outputs``."""

from __future__ import annotations

import dataclasses

import pytest

import archspec

CONV, LINEAR = "conv: {out: 4, kernel: 3, stride: 4}", "linear: {out: 10}"
CASES = [
    (f"[{CONV}]", f"[flatten, {LINEAR}]", {"stem": 36, "head": 10 * (4 * 7 * 7 + 1)}),
    (f"[{CONV}, norm, act]", f"[pool: {{type: avg, output: 1}}, flatten, {LINEAR}]", {"stem": 36 + 8, "head": 50}),
    ("[]", f"[flatten, {LINEAR}]", {"head": 7850}),
    (f"[flatten, {LINEAR}]", "[]", {"stem": 7850}),
    ("{use: cifar, width: 4}", "classifier", {"stem": 36 + 8, "head": 50}),
]


def spec(stem: str, head: str, more: str = "") -> str:
    return f"archspec: 1\nname: t\ninput: [1, 28, 28]\nclasses: 10\nstem: {stem}\nstages: []\nhead: {head}\n{more}"


@pytest.mark.parametrize(("stem", "head", "params"), CASES)
def test_tables_tell_the_stem_from_the_head(stem: str, head: str, params: dict[str, int]) -> None:
    report = archspec.analyze(spec(stem, head))
    assert {part.name: part.costs.params for part in report.rows} == params
    assert [row["name"] for row in report.as_data()["outside"]] == list(params)
    assert all(name in str(report) for name in params)


@pytest.mark.parametrize(("stem", "head", "params"), CASES)
def test_parts_freeze_by_name(stem: str, head: str, params: dict[str, int]) -> None:
    total = sum(params.values())
    for name, count in params.items():
        assert archspec.analyze(spec(stem, head), frozen=[name]).totals.costs.trainable == total - count


@pytest.mark.parametrize(("stem", "head", "params"), CASES)
def test_an_output_ends_where_its_part_does(stem: str, head: str, params: dict[str, int]) -> None:
    shapes = {part.name: part.output for part in archspec.analyze(spec(stem, head)).rows}
    for name, shape in shapes.items():
        assert archspec.compile(spec(stem, head, f"outputs: [{name}]\n")).output == shape
    stem_only = archspec.analyze(spec(stem, head, "outputs: [stem]\n")).rows if "stem" in params else ()
    assert [part.name for part in stem_only] == ["stem"][: len(stem_only)]


def test_the_hash_does_not_depend_on_where_the_head_begins() -> None:
    one, other = archspec.compile(spec(f"[{CONV}]", "[flatten]")), archspec.compile(spec(f"[{CONV}, flatten]", "[]"))
    moved = dataclasses.replace(one, heads={"head": 0})
    assert (one.heads, other.heads) == ({"head": 1}, {"head": 2})
    assert moved.fingerprint == one.fingerprint


def test_a_graph_made_by_hand_is_all_stem() -> None:
    graph = dataclasses.replace(archspec.compile(spec(f"[{CONV}]", "[flatten]")), heads={}, origin=None)
    assert [part.name for part in archspec.analyze(graph).rows] == ["stem"]
