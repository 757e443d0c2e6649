"""Widths that are rounded are said, unless the spec asked for it by writing what they are rounded to."""

from __future__ import annotations

import pytest

import archspec
from tests.support.equivalence import codes, compiled, spec
from tests.support.properties import fingerprint

SCALED = """
    input: [3, 32, 32]
    stem: {use: cifar, width: 8}
    stages: {block: basic, count: 1, channels: [16, 40]}
    """

RULED = """
    input: [3, 64, 64]
    stem: {use: cifar, width: 8}
    blocks:
      grouped:
        channels: output width
        params: {group_width: null}
        residual:
          - layer: {out: channels}
          - layer: {out: channels, kernel: 3, stride: stride, groups: "max(1, channels // group_width)"}
    stages: {block: grouped, stride: 2, TABLE}
    """


def widths(graph: archspec.Graph) -> list[int]:
    return [graph.shape(stage.result)[0] for stage in graph.stages]


def ruled(group: str, column: str = "") -> str:
    rule = f"quantized_linear: {{depth: 22, w_0: 24, w_a: 24.48, w_m: 2.54{group}}}"
    return RULED.replace("TABLE", rule + column)


@pytest.mark.parametrize(("divisor", "said"), [("", ["W502"]), (", divisor: 8", [])])
def test_a_divisor_that_is_written_was_asked_for(divisor: str, said: list[str]) -> None:
    graph = compiled(f"{SCALED.rstrip()}\n    scale: {{width: 1.2{divisor}}}\n")
    assert widths(graph) == [24, 48]  # of 19.2 and 48, since 16 loses more than a tenth
    assert codes(graph) == said


def test_a_group_width_of_the_table_is_said() -> None:
    graph = compiled(ruled("", ", group_width: 16"))
    assert widths(graph) == widths(compiled(ruled(", group_width: 16"))) == [32, 64, 160, 384]
    assert codes(graph) == ["W502"]


def test_the_rules_comes_before_the_tables() -> None:
    graph = compiled(ruled(", group_width: 16", ", group_width: [8, 8, 8, 8]"))
    assert widths(graph) == [32, 64, 160, 384]
    assert codes(graph) == ["W304"]


@pytest.mark.parametrize(("value", "code"), [("0", "E501"), ("1.5", "E403"), ("none_such", "E402"), ("null", "E306")])
def test_a_group_width_that_is_none(value: str, code: str) -> None:
    with pytest.raises(archspec.SpecError) as refused:
        compiled(ruled(f", group_width: {value}"))
    assert codes(refused.value) == [code]


def test_it_is_part_of_what_a_spec_means() -> None:
    eight, sixteen, product = (
        fingerprint(archspec.load(spec(ruled(f", group_width: {group}")))) for group in (8, 16, "8 * 2")
    )
    assert eight != sixteen == product
