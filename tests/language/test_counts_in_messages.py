"""A count of one is followed by a word in the singular."""

from __future__ import annotations

import pytest

import archspec
from archspec.work import Limits

ONE = "archspec: 1\nname: one\ninput: [1, 8, 8]\nstem: []\nstages: []\n"


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("conv: {out: 8, groups: 4}", "1 channel does not split into 4 groups"),
        ("norm: {type: group, groups: 3}", "1 channel does not split into 3 groups"),
        ("norm: {type: group, group_size: 3}", "1 channel does not split into groups of 3"),
        ("sequence: {steps: [flatten, linear: {out: 1}, conv: {out: 1}]}", "is flat, with 1 feature"),
    ],
)
def test_of_channels(head: str, said: str) -> None:
    with pytest.raises(archspec.SpecError) as raised:
        archspec.compile(f"{ONE}head: [{head}]\n")
    (found,) = raised.value.diagnostics
    assert found.message.endswith(said)


def test_of_entries() -> None:
    with pytest.raises(archspec.SpecError, match="`head` has 1 entry, numbered from 0"):
        archspec.load(f"{ONE}head: [conv: {{out: 1}}]\n", overrides=["head.3=act"])


def test_of_nodes() -> None:
    with pytest.raises(archspec.SpecError, match=r"more than 1 node\b"):
        archspec.compile(f"{ONE}head: [conv: {{out: 1}}, act]\n", limits=Limits(nodes=1))


def test_of_figures() -> None:
    report = archspec.analyze(f"{ONE}head: [conv: {{out: 1}}]\n")
    assert str(report.totals) == "1 parameter, 64 MACs, 1 layer"
    assert "1 layer, 0 skip connections, 1 skip path<" in report._repr_html_().replace("\n", "<")
