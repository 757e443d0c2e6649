"""``quantized_linear``: by the authors' code, by torchvision's, and by timm's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import archspec
from archspec.graph.graph import Graph
from archspec.language.regnet import in_groups, quantized_linear
from archspec.verification.importing import timm, torchvision_models
from tests.support.equivalence import codes, spec

Stages = tuple[list[int], list[int], list[int]]
"""Widths, counts and group widths of the stages."""

REGNETS = [  # the fifteen of torchvision, in its order
    *((16, 48, 27.89, 2.09, 8), (14, 56, 38.84, 2.4, 16), (27, 48, 20.71, 2.65, 24), (21, 80, 42.63, 2.66, 24)),
    *((22, 96, 31.41, 2.24, 64), (17, 192, 76.82, 2.19, 56), (18, 200, 106.23, 2.48, 112)),
    (20, 232, 115.89, 2.53, 232),
    *((22, 24, 24.48, 2.54, 16), (16, 56, 35.73, 2.28, 16), (18, 80, 34.01, 2.25, 24), (25, 88, 26.31, 2.25, 48)),
    *((23, 80, 49.56, 2.88, 120), (22, 216, 55.59, 2.1, 128), (23, 320, 69.86, 2.0, 168)),
]
PAPER = {  # settings and stage widths that the paper prints (tables 2 and 3)
    (22, 24, 24.48, 2.54, 16): [32, 64, 160, 384],
    (14, 56, 38.84, 2.4, 16): [64, 128, 320, 768],
    (17, 192, 76.82, 2.19, 56): [168, 448, 896, 2016],
    (25, 88, 26.31, 2.25, 48): [96, 192, 432, 1008],
}

RULED = """
    input: [3, 64, 64]
    stem: {use: cifar, width: 8}
    blocks:
      grouped:
        channels: output width
        params: {group_width: null}
        residual:
          - layer: {out: channels}
          - layer: {out: channels, kernel: 3, stride: stride, groups: channels // group_width}
    stages: {block: grouped, TABLE}
    """


def ruled(rule: tuple[Any, ...], rounding: str = "", beside: str = "") -> Graph:
    numbers = [f"{key}: {value!r}" for key, value in zip(("depth", "w_0", "w_a", "w_m"), rule, strict=False)]
    column = f", group_width: {beside}" if beside else ""
    own = [] if beside else [f"group_width: {rule[4]}"]
    said = [f"rounding: {rounding}"] if rounding else []
    table = f"quantized_linear: {{{', '.join([*numbers, *own, *said])}}}{column}"
    return archspec.compile(spec(RULED.replace("TABLE", table)))


def stages(graph: Graph) -> Stages:
    found: Stages = ([], [], [])
    for stage in graph.stages:
        node = graph.by_name[f"{stage.scope}.0.conv2"]
        width = graph.shape(stage.result)[0]
        groups = node.operation.groups  # type: ignore[attr-defined]
        for column, value in zip(found, (width, len(graph.blocks(stage)), width // groups), strict=True):
            column.append(value)
    return found


def authors(depth: int, w_0: int, w_a: float, w_m: float, group_width: int) -> Stages:
    """What pycls does (``generate_regnet`` and ``adjust_block_compatibility``), for blocks without a bottleneck."""
    wanted = w_0 + w_a * np.arange(depth)
    powers = np.round(np.log(wanted / w_0) / np.log(w_m))
    rounded = np.round(w_0 * np.power(w_m, powers) / 8).astype(int) * 8
    widths, counts = (each.tolist() for each in np.unique(rounded, return_counts=True))
    groups = [int(min(group_width, width)) for width in widths]
    return [max(g, int(round(w / g) * g)) for w, g in zip(widths, groups, strict=True)], counts, groups


def torchvisions(*rule: Any) -> Stages:
    torchvision_models()
    from torchvision.models.regnet import BlockParams

    made = BlockParams.from_init_params(*rule)
    return made.widths, made.depths, made.group_widths


def timms(depth: int, w_0: int, w_a: float, w_m: float, group_width: int, least: float) -> Stages:
    timm()
    from timm.models import regnet

    found, number, groups = regnet.generate_regnet(w_a, w_0, w_m, depth, group_width)
    widths = sorted(set(found))
    fitted, fitting = regnet.adjust_widths_groups_comp(widths, [1.0] * number, groups, least)
    return fitted, [found.count(width) for width in widths], fitting


def clear(depth: int, w_0: int, w_a: float, w_m: float) -> bool:
    """Whether no width is so near a half that single precision, which torchvision and timm use, decides it."""
    powers = [math.log((w_0 + w_a * j) / w_0) / math.log(w_m) for j in range(depth)]
    widths = [w_0 * w_m ** round(power) / 8 for power in powers]
    return all(abs(p % 1 - 0.5) > 1e-4 for p in powers) and all(abs(w % 1 - 0.5) > 1e-2 for w in widths)


RULES = st.tuples(
    st.integers(1, 40),
    st.integers(1, 40).map(lambda n: 8 * n),
    st.floats(0, 200),
    st.floats(1.5, 4),
    st.integers(1, 400),
)


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        ("", [48, 112, 256, 640, 1472]),
        ("paper", [48, 112, 256, 640, 1472]),
        ("torchvision", [48, 112, 272, 640, 1488]),
    ],
)
def test_the_two_roundings(rounding: str, expected: list[int]) -> None:
    assert stages(ruled((24, 48, 58.39, 2.358, 16), rounding))[0] == expected


@pytest.mark.parametrize("rule", PAPER, ids=str)
def test_the_widths_of_the_paper(rule: tuple[Any, ...]) -> None:
    assert stages(ruled(rule))[0] == PAPER[rule]


@pytest.mark.parametrize("rule", REGNETS, ids=str)
def test_the_networks_of_the_libraries(rule: tuple[Any, ...]) -> None:
    paper, other = ruled(rule), ruled(rule, "torchvision")
    assert stages(paper) == authors(*rule) == timms(*rule, least=0)
    assert stages(other) == torchvisions(*rule) == timms(*rule, least=0.9)
    assert codes(paper) == codes(other) == []
    assert (paper.fingerprint == other.fingerprint) == (stages(paper) == stages(other))


@settings(max_examples=300)
@given(RULES)
def test_any_rule_is_the_authors(rule: tuple[int, int, float, float, int]) -> None:
    widths, counts = quantized_linear(*rule[:4])
    fitted, groups = in_groups(widths, rule[4])
    assert (fitted, counts, groups) == authors(*rule)


@settings(max_examples=100)
@given(RULES)
def test_any_rule_is_torchvisions(rule: tuple[int, int, float, float, int]) -> None:
    assume(clear(*rule[:4]))
    widths, counts = quantized_linear(*rule[:4])
    fitted, groups = in_groups(widths, rule[4], "torchvision")
    assert (fitted, counts, groups) == torchvisions(*rule)


@settings(max_examples=40)
@given(RULES.filter(lambda rule: rule[0] < 12), st.sampled_from(["", "paper", "torchvision"]))
def test_a_spec_has_these_stages(rule: tuple[Any, ...], rounding: str) -> None:
    assume(clear(*rule[:4]))
    assert stages(ruled(rule, rounding)) == (torchvisions if rounding == "torchvision" else authors)(*rule)


@pytest.mark.parametrize("group", [24, 56, 100, 1000])
def test_a_group_is_at_most_as_wide_as_its_stage(group: int) -> None:
    """The rule's own group width and one of the table do the same, and the table's is said."""
    rule = (13, 24, 36.97, 2.4942)
    own, beside = ruled((*rule, group)), ruled(rule, beside=str(group))
    assert stages(own) == stages(beside) == authors(*rule, group)
    assert codes(own) == []
    assert codes(beside) == ([] if group == 24 and stages(beside)[0] == quantized_linear(*rule)[0] else ["W502"])


@pytest.mark.parametrize("word", ["nearest", "1", "true", "[paper]"])
def test_another_rounding(word: str) -> None:
    with pytest.raises(archspec.SpecError) as refused:
        ruled((4, 24, 9, 2, 8), word)
    assert all(code.startswith("E20") for code in codes(refused.value))
