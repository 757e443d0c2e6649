"""What a block's last layer says of its own norm and activation, in every activation order."""

from __future__ import annotations

import pytest

import archspec
from archspec.graph.graph import Graph

BLOCK = """
archspec: 1
name: t
input: [8, 8, 8]
stem: []
blocks:
  b:
    channels: output width
    fixed: {{shortcut: {shortcut}}}
    {merge}
    residual: {residual}
stages: {{block: b, count: 2, channels: 8}}
head: []
activation_order: {order}
"""

TABLE = [
    ("post", "act: none", "conv bn relu conv bn add"),
    ("post", "act: silu", "conv bn relu conv bn add silu"),
    ("post", "norm: none", "conv bn relu conv add relu"),
    ("post", "norm: layer", "conv bn relu conv ln add relu"),
    ("post", "norm: none, act: none", "conv bn relu conv add"),
    ("post", "act: relu", "conv bn relu conv bn add relu"),
    ("norm-after-add", "act: none", "conv bn relu conv add bn"),
    ("norm-after-add", "act: silu", "conv bn relu conv add bn silu"),
    ("norm-after-add", "norm: none", "conv bn relu conv add relu"),
    ("norm-after-add", "norm: layer", "conv bn relu conv add ln relu"),
    ("norm-after-add", "norm: none, act: none", "conv bn relu conv add"),
    ("act-before-add", "act: none", "conv bn relu conv bn add"),
    ("act-before-add", "norm: layer, act: silu", "conv bn relu conv ln silu add"),
    ("act-only-pre", "act: none", "relu conv bn conv bn add"),
    ("act-only-pre", "norm: layer, act: silu", "relu conv bn silu conv ln add"),
    ("pre", "act: none", "bn relu conv bn conv add"),
    ("pre", "norm: layer, act: silu", "bn relu conv ln silu conv add"),
]


def compiled(residual: str, order: str, shortcut: str = "identity", merge: str = "", **keys: str) -> Graph:
    text = BLOCK.format(residual=residual, order=order, shortcut=shortcut, merge=merge)
    return archspec.compile(text + "".join(f"{key}: {value}\n" for key, value in keys.items()))


def words(graph: Graph) -> list[str]:
    """The operations of each block, by short names."""
    short = {"batch": "bn", "layer": "ln"}
    named = [str(getattr(node.operation, "type", node.operation.name)) for node in graph.nodes]
    names = [short.get(name, name) for name in named]
    return [" ".join(names[block.first : block.last]) for block in graph.regions if block.kind == "block"]


def last(own: str) -> str:
    return f"[layer: {{out: channels, kernel: 1}}, layer: {{out: channels, kernel: 3, {own}}}]"


@pytest.mark.parametrize("shortcut", ["identity", "none"])
@pytest.mark.parametrize(("order", "own", "expected"), TABLE)
def test_the_settings_of_a_last_layer_hold_wherever_the_order_puts_its_parts(
    order: str, own: str, expected: str, shortcut: str
) -> None:
    graph = compiled(last(own), order, shortcut)
    expected = expected if shortcut == "identity" else expected.replace(" add", "")
    assert words(graph) == [expected] * 2
    moved = "act: none" in own and order in ("post", "norm-after-add") and shortcut == "identity"
    assert [found.code for found in graph.warnings] == ["W510"] * moved


@pytest.mark.parametrize(("order", "own", "expected"), TABLE)
def test_a_fragment_and_a_sequence_around_a_last_layer_change_nothing(order: str, own: str, expected: str) -> None:
    layer = f"layer: {{out: in_channels, kernel: 3, {own}}}"
    fragments = f"{{f: {{steps: [sequence: {{name: s, steps: [{layer}]}}]}}}}"
    assert words(compiled("[layer: {out: channels, kernel: 1}, f]", order, fragments=fragments)) == [expected] * 2


def test_a_part_after_the_merge_comes_from_the_line_of_the_layer() -> None:
    residual = "\n      - layer: {out: channels, kernel: 1}\n      - layer: {out: channels, kernel: 3, act: silu}"
    silu = compiled(residual, "post").nodes[-1]
    assert silu.span
    assert silu.span.line == 13


@pytest.mark.parametrize(
    ("one", "other", "after", "warned"),
    [
        ("act: none", "act: none", "", ["W510"]),
        ("act: silu", "act: silu", " silu", []),
        ("act: relu", "act: relu", " relu", []),
        ("act: none", "norm: batch", " relu", ["W301"]),
        ("act: none", "act: silu", " relu", ["W301"] * 2),
        ("act: none", "act: relu", " relu", ["W301"]),
    ],
)
def test_last_layers_side_by_side_must_agree(one: str, other: str, after: str, warned: list[str]) -> None:
    branches = ", ".join(f"[layer: {{out: channels, kernel: 1, {own}}}]" for own in (one, other))
    graph = compiled(f"[add: [{branches}]]", "post")
    assert words(graph) == [f"conv bn conv bn add add{after}"] * 2
    assert [(found.code, found.span and found.span.line) for found in graph.warnings] == [(code, 11) for code in warned]


def test_a_norm_after_a_concatenation_takes_the_width_there() -> None:
    graph = compiled(last("norm: {type: group, groups: width / 2}"), "norm-after-add", merge="merge: concat")
    groups = [getattr(node.operation, "groups", None) for node in graph.nodes if node.operation.name == "norm"]
    assert groups[1::2] == [8, 12]


@pytest.mark.parametrize("order", ["pre", "act-only-pre"])
@pytest.mark.parametrize(
    ("step", "left"),
    [
        ("layer: {out: channels, kernel: 3, when: false}", False),
        ("layer: {out: channels, kernel: 3, when: deep}", False),
        ("layer: {out: channels, kernel: 3, when: deeper > 1}", False),
        ("layer: {out: channels, kernel: 3, when: stage > 1}", False),
        ("layer: {out: channels, kernel: 3, when: not deep}", True),
        ("sequence: {steps: [layer: {out: channels, kernel: 3, when: deep}]}", False),
        ("sequence: {when: deep, steps: [layer: {out: channels, kernel: 3}]}", False),
        ("add: [[conv: {out: channels, kernel: 3}], {when: deep, steps: [layer: {out: channels, kernel: 3}]}]", False),
        ("add: [[conv: {out: channels, kernel: 3}], [layer: {out: channels, kernel: 3}]]", True),
    ],
)
def test_a_stem_leaves_its_norm_and_act_only_to_a_layer_that_is_there(order: str, step: str, left: bool) -> None:
    names = "params: {deep: false}, let: {deeper: 1 if deep else 0}"
    block = f"{{channels: width, {names}, residual: [dropout: {{p: 0.1}}, {step}]}}"
    text = f"archspec: 1\nname: t\ninput: [8, 8, 8]\nactivation_order: {order}\nstem: [layer: {{out: 8, kernel: 3}}]\n"
    graph = archspec.compile(f"{text}blocks: {{b: {block}}}\nstages: {{block: b, count: 1, channels: 8}}\nhead: []\n")
    stem = [node.operation.name for node in graph.nodes[: graph.stages[0].first]]
    omitted = {"pre": ["conv"], "act-only-pre": ["conv", "norm"]}[order]
    assert stem == (omitted if left else ["conv", "norm", "act"])


@pytest.mark.parametrize(
    ("order", "own", "warned"),
    [
        *[("pre", "act: silu", 1), ("pre", "norm: layer", 1), ("pre", "norm: layer, act: silu", 2)],
        *[("pre", "act: none, norm: none", 0), ("act-only-pre", "norm: layer", 0), ("act-only-pre", "act: silu", 1)],
        ("post", "act: silu, norm: layer", 0),
    ],
)
def test_a_stem_warns_of_what_it_leaves_to_the_first_block(order: str, own: str, warned: int) -> None:
    stem = f"[layer: {{out: 8, kernel: 3, {own}}}]"
    graph = archspec.compile(
        BLOCK.format(residual=last(""), order=order, shortcut="identity", merge="").replace("stem: []", f"stem: {stem}")
    )
    assert [(found.code, found.span and found.span.line) for found in graph.warnings] == [("W301", 5)] * warned
