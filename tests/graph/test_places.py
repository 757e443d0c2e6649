"""What an expression reads wherever it may stand, and what is said of counts, widths, limits and stems."""

from __future__ import annotations

from typing import Any

import pytest

import archspec
from archspec.diagnostics import Diagnostic
from tests.support.equivalence import codes, compiled, spec

# Two stages of 2 and 3 blocks; outside them stands a norm in each place, whose `eps` is the value of an expression.
EVERYWHERE = """
    input: [3, 8, 8]
    classes: 7
    params: {extra: 90}
    norm: {type: batch, eps: EXPRESSION}
    blocks: {given: {channels: width, steps: [conv: {out: channels}]}}
    stem: [norm]
    stages: {block: given, count: [2, 3], channels: [5, 6], before: [[norm], [norm]], after: [[norm], [norm]]}
    head: [norm]
    """
# At the stem, before and after each stage, and at the head, which is where the last block is.
PLACES = ("stem", "before1", "after1", "before2", "after2", "head")
VALUES = {
    "stage": (1, 1, 1, 2, 2, 2),
    "index": (0, 0, 1, 0, 2, 2),
    "number": (0, 0, 1, 2, 4, 4),
    "count": (2, 2, 2, 3, 3, 3),
    "stages": (2, 2, 2, 2, 2, 2),
    "blocks": (5, 5, 5, 5, 5, 5),
    "classes": (7, 7, 7, 7, 7, 7),
    "extra": (90, 90, 90, 90, 90, 90),
    "scaled(3)": (3, 3, 3, 3, 3, 3),
}


@pytest.mark.parametrize("expression", VALUES)
def test_what_stands_outside_the_blocks_sees_its_place(expression: str) -> None:
    graph = compiled(EVERYWHERE.replace("EXPRESSION", expression))
    found = [node.operation.eps for node in graph.nodes if node.operation.name == "norm"]
    assert dict(zip(PLACES, found, strict=True)) == dict(zip(PLACES, VALUES[expression], strict=True))


def test_the_channels_that_reach_each_place() -> None:
    text = EVERYWHERE.replace("[norm]", "[conv: {out: 10 + in_channels}]").replace("EXPRESSION", "0")
    assert [node.shape[0] for node in compiled(text).nodes] == [13, 23, 5, 5, 15, 25, 6, 6, 6, 16, 26]


def test_without_stages_there_are_places_too() -> None:
    """As one of no blocks, and of layers that end with their activation."""
    text = """
        input: [3, 8, 8]
        classes: 4
        activation_order: pre
        stem: [layer: {out: 10}, layer: {out: 20 + classes}]
        stages: []
        head: [conv: {out: 30 + in_channels + classes}]
        """
    graph = compiled(text)
    assert [node.operation.kind for node in graph.nodes] == ["conv", "bn", "relu", "conv", "bn", "relu", "conv"]
    assert [node.shape[0] for node in graph.nodes if node.operation.name == "conv"] == [10, 24, 30 + 24 + 4]


@pytest.mark.parametrize(
    ("counts", "blocks"),
    [("stages", (2, 2)), ("stage + 1", (2, 3)), ("classes - stages * stage", (3, 1)), ("[extra, 1]", (2, 1))],
)
def test_a_count_may_read_the_stage(counts: str, blocks: tuple[int, ...]) -> None:
    graph = compiled(f"""
        input: [3, 8, 8]
        classes: 5
        params: {{extra: 2}}
        stages: {{block: basic, count: {counts}, channels: [4, 8]}}
        """)
    assert tuple(len(graph.blocks(stage)) for stage in graph.stages) == blocks


SETTINGS = """
    input: [3, 8, 8]
    act: ACT
    norm: NORM
    stem: [conv: {out: 4}, act: {type: tanh, when: act == 'silu'}, act: {type: selu, when: norm == 'group'}, norm, act]
    stages:
      block: basic
      count: 1
      channels: [4, 8]
      act: [null, elu]
      norm: [null, {type: group, groups: 4}]
      before: [null, [norm, act]]
      after: [[norm, act], [norm, act]]
    head: [act: {type: mish, when: act == 'silu'}, act: {type: celu, when: norm == 'group'}, norm, act]
    """


@pytest.mark.parametrize(("act", "norm"), [("silu", "batch"), ("gelu", "{type: group, groups: 2}")])
def test_settings_outside_the_blocks(act: str, norm: str) -> None:
    """Stem and head have those of the spec, what is beside a stage those of the stage."""
    graph = compiled(SETTINGS.replace("ACT", act).replace("NORM", norm))
    first, second = graph.stages
    kind = "bn" if norm == "batch" else "gn"
    outside = [
        [node.operation.kind for node in graph.nodes[start:end]]
        for start, end in ((0, first.first), (first.last, second.first), (second.last, len(graph.nodes)))
    ]
    asked = {"silu": ["tanh", "mish"], "gelu": ["selu", "celu"]}[act]
    assert outside == [
        ["conv", asked[0], kind, act],
        [kind, act, "gn", "elu"],
        ["gn", "elu", asked[1], kind, act],
    ]
    groups = {node.operation.groups for node in graph.nodes if node.operation.kind == "gn"}
    assert groups == ({4} if norm == "batch" else {2, 4})


@pytest.mark.parametrize(
    ("blocks", "stem"),
    [
        ("[plain, layered]", ["conv", "bn", "relu"]),
        ("[layered, plain]", ["conv"]),
        ("[[plain, layered], layered]", ["conv", "bn", "relu"]),
        ("[[layered, plain], plain]", ["conv"]),
    ],
)
def test_a_stem_leaves_out_what_the_first_block_begins_with(blocks: str, stem: list[str]) -> None:
    """That it has a layer is asked of the first block of the first stage, not of any other."""
    graph = compiled(f"""
        input: [3, 8, 8]
        activation_order: pre
        stem: [layer: {{out: 4}}]
        blocks:
          plain: {{channels: width, steps: [conv: {{out: channels}}]}}
          layered: {{channels: width, steps: [layer: {{out: channels}}]}}
        stages: {{block: {blocks}, count: 2, channels: 4}}
        """)
    assert [node.operation.kind for node in graph.nodes[: graph.stages[0].first]] == stem


@pytest.mark.parametrize("order", ["post", "pre"])
def test_the_order_of_the_edges_is_that_of_the_first_and_the_last_block(order: str) -> None:
    """The first block begins with a norm, the last ends without one; or the other way round."""
    other = {"post": "pre", "pre": "post"}[order]
    graph = compiled(f"""
        input: [3, 8, 8]
        stem: [layer: {{out: 4}}]
        blocks:
          own:
            channels: width
            params: {{way: post}}
            activation_order: way
            residual: [layer: {{out: channels}}]
        stages: {{block: own, count: [1, 2], channels: 4, way: [{order}, [{order}, {other}]]}}
        """)
    kinds = [node.operation.kind for node in graph.nodes]
    assert kinds[: graph.stages[0].first] == (["conv"] if order == "pre" else ["conv", "bn", "relu"])
    assert kinds[graph.stages[-1].last :][:2] == (["bn", "relu"] if other == "pre" else ["avgpool", "flatten"])


@pytest.mark.parametrize(
    ("stages", "orders"),
    [
        ("[]", ("post", "post")),
        ("{block: basic, count: 1, channels: 4, activation_order: [pre, act-only-pre]}", ("pre", "act-only-pre")),
    ],
)
def test_stem_and_head_read_the_order_in_force(stages: str, orders: tuple[str, str]) -> None:
    """That of the first and of the last block; without blocks a layer ends with its activation."""
    graph = compiled(f"""
        input: [3, 8, 8]
        stem: [conv: {{out: 4}}, act: {{type: silu, when: "activation_order == '{orders[0]}'"}}]
        stages: {stages}
        head: [act: {{type: gelu, when: "activation_order == '{orders[1]}'"}}]
        """)
    kinds = [node.operation.kind for node in graph.nodes]
    assert (kinds[1], kinds[-1]) == ("silu", "gelu")


@pytest.mark.parametrize(
    ("order", "orders"),
    [
        ("\"'pre' if channels > 4 else 'post'\"", "[pre, pre, pre, pre]"),
        ("\"'pre' if channels > 8 else 'post'\"", "[post, post, post, post]"),
        ("\"'pre' if in_channels < channels else 'post'\"", "[pre, post, post, post]"),
        ("\"'post' if in_channels < channels else 'pre'\"", "[post, pre, pre, pre]"),
    ],
)
def test_the_last_stage_may_decide_its_order_by_its_widths(order: str, orders: str) -> None:
    """The head begins as it does behind blocks whose orders are written out."""
    text = """
        input: [3, 8, 8]
        stem: [layer: {{out: 4}}]
        stages:
          - {{block: basic, count: 1, channels: 4}}
          - {{block: basic, count: 4, channels: 8, activation_order: {}}}
        """
    decided, written = compiled(text.format(order)), compiled(text.format(orders))
    what = [(node.name, node.operation, node.inputs, node.shape) for node in decided.nodes]
    assert what == [(node.name, node.operation, node.inputs, node.shape) for node in written.nodes]
    behind = [node.operation.kind for node in decided.nodes[decided.stages[-1].last :]]
    assert behind[:2] == (["bn", "relu"] if orders.endswith("pre]") else ["avgpool", "flatten"])


def test_a_stage_has_its_name_from_its_place() -> None:
    graph = compiled("""
        input: [3, 8, 8]
        stages:
          block: basic
          count: [2, 3]
          channels: 4
          name: ['a{stage}-{index}', 'b{stage}-{number}-{count}-{blocks}']
        """)
    assert [stage.scope for stage in graph.stages] == ["a1-0", "b2-2-3-5"]
    first, second = graph.stages
    assert [(stage.kind, stage.name, stage.source, stage.result) for stage in graph.stages] == [
        ("stage", "basic", "maxpool", "a1-0.1.relu2"),
        ("stage", "basic", "a1-0.1.relu2", "b2-2-3-5.2.relu2"),
    ]
    assert [len(graph.blocks(stage)) for stage in (first, second)] == [2, 3]
    assert first.last == second.first


# -- what is said ------------------------------------------------------------------------------------------------------


def refused(text: str, **limits: int) -> tuple[Diagnostic, ...]:
    with pytest.raises(archspec.SpecError) as error:
        archspec.compile(spec(text), limits=archspec.Limits(**limits) if limits else None)
    return error.value.diagnostics


def at(found: Diagnostic, text: str) -> str:
    """The text at the place of a diagnostic."""
    line = spec(text).splitlines()[found.span.line - 1]
    return line[found.span.column - 1 : found.span.end_column - 1 if found.span.end_line == found.span.line else None]


CELLS = "input: [3, 8, 8]\nstages: {block: BLOCK, count: [3, 1], channels: WIDTHS}"


@pytest.mark.parametrize(
    ("block", "widths", "key", "values"),
    [("basic", "[[4, 4], 4]", "channels", "[4, 4]"), ("[[basic, basic], basic]", "4", "block", "[basic, basic]")],
)
def test_a_cell_of_another_length_than_its_stage(block: str, widths: str, key: str, values: str) -> None:
    text = CELLS.replace("BLOCK", block).replace("WIDTHS", widths)
    (found,) = refused(text)
    assert (found.code, at(found, text)) == ("E311", values)
    assert found.message == f"this cell of `{key}` has 2 values, but stage 1 has 3 blocks"
    assert [label.text for label in found.labels] == ["3 blocks here"]
    assert [str(label.span).rpartition(":")[0] for label in found.labels] == [str(found.span).rpartition(":")[0]]


def test_cells_of_every_stage_are_compared_with_its_own_count() -> None:
    text = "input: [3, 8, 8]\nstages: {block: basic, count: [3, 1], channels: [[4, 4], [4, 5]], stride: [[1, 1], 1]}"
    found = refused(text)
    assert [diagnostic.code for diagnostic in found] == ["E311"] * 3
    assert sorted(diagnostic.message for diagnostic in found) == [
        "this cell of `channels` has 2 values, but stage 1 has 3 blocks",
        "this cell of `channels` has 2 values, but stage 2 has 1 block",
        "this cell of `stride` has 2 values, but stage 1 has 3 blocks",
    ]


SCALED = """
input: [3, 32, 32]
stem: {{use: cifar, width: 8}}
scale: {scale}
stages: {{block: basic, count: [1, 3], channels: {widths}}}
"""


@pytest.mark.parametrize(
    ("depth", "blocks"), [(1, [1, 3]), (2, [2, 6]), (0.5, [1, 2]), (0.25, [1, 1]), (1.5, [2, 5]), (1.1, [2, 4])]
)
def test_depth_scales_counts_and_rounds_up(depth: float, blocks: list[int]) -> None:
    graph = compiled(SCALED.format(scale=f"{{depth: {depth}}}", widths=8))
    assert [len(graph.blocks(stage)) for stage in graph.stages] == blocks


def test_widths_that_were_rounded_are_told_at_the_scale() -> None:
    text = SCALED.format(scale="{width: 1.5}", widths="[9, 20]")
    (found,) = compiled(text).warnings
    assert (found.code, found.message) == ("W502", "widths were rounded: 13.5 to 16, 30 to 32")
    assert at(found, text) == "{width: 1.5}"


def test_six_rounded_widths_are_told_at_most() -> None:
    widths = [9, 11, 13, 15, 17, 19, 21]
    stages = f"stages: {{block: one, count: 1, channels: {widths}}}"
    text = f"input: [3, 32, 32]\nstem: []\nscale: {{width: 2, divisor: 8}}\n{stages}"
    block = "\nblocks: {one: {channels: width, steps: [conv: {out: channels}]}}"
    assert compiled(text + block).warnings == ()  # a divisor that is written is asked for
    (found,) = compiled((text + block).replace(", divisor: 8", "")).warnings
    # To the nearest, and 18 not to 16, since that would be less than nine tenths of it.
    told = "18 to 24, 22 to 24, 26 to 24, 30 to 32, 34 to 32, 38 to 40"
    assert found.message == f"widths were rounded: {told}"


@pytest.mark.parametrize(
    ("width", "channels"), [("scaled(6)", 6), ("scaled(6.2)", 6), ("scaled(6.8)", 7), ("scaled(7 / 2)", 4)]
)
def test_a_width_that_no_scale_changes_is_a_whole_number(width: str, channels: int) -> None:
    graph = compiled(f"input: [3, 32, 32]\nstem: [conv: {{out: '{width}'}}]\nstages: []\nhead: [act]")
    assert graph.output == (channels, 32, 32)
    assert type(graph.output[0]) is int


COARSE = """
input: [3, SIZE]
stem: [conv: {out: 4, kernel: STEP, stride: STEP}]
stages: {block: basic, count: 1, channels: 4}
"""


@pytest.mark.parametrize(
    ("size", "stride", "warned"),
    [
        ("32, 32", 4, True),
        ("32, 32", 3, False),
        ("48, 48", 4, True),
        ("49, 49", 7, False),
        ("49, 48", 4, True),
        ("33, 33", 3, False),
        ("35, 35", 4, True),
        ("8, 100", 4, True),
        ("100, 8", 4, True),
        ("64, 20", 2, False),
        ("32, 200", "[1, 20]", False),
        ("40", 4, True),
        ("16, 16, 16", "[1, 4, 1]", True),
        ("7, 7", "[2, 2]", False),
    ],
)
def test_a_stem_that_leaves_a_quarter_of_a_small_image(size: str, stride: Any, warned: bool) -> None:
    """The smallest size, up to 48, and what is left of the smallest: at most a quarter of it."""
    text = COARSE.replace("SIZE", size).replace("STEP", str(stride))
    graph = compiled(text)
    assert codes(graph) == ["W501"] * warned
    for found in graph.warnings:
        before, after = ("x".join(map(str, shape)) for shape in (graph.input, graph.shape("conv1")))
        assert found.message == f"the stem shrinks {before} to {after} before the first block"
        assert found.help == "`stem: cifar` keeps the size of small images"
        assert at(found, text) == text.splitlines()[2].removeprefix("stem: ")


FLAT = "blocks: {b: {steps: [linear: {out: 3}]}}\nstages: {block: b, count: 1}"


@pytest.mark.parametrize(("side", "warned"), [(4, True), (3, False), (48, True), (49, False)])
def test_a_stem_that_flattens_leaves_one_position(side: int, warned: bool) -> None:
    graph = compiled(f"input: [3, {side}, {side}]\nstem: [flatten]\nhead: []\n" + FLAT)
    assert codes(graph) == ["W501"] * warned


# -- limits of nodes ---------------------------------------------------------------------------------------------------

STEPS = """
    input: [4, 8, 8]
    stem: [act: {type: silu}, act: {type: gelu}]
    blocks:
      two: {steps: [act: {type: elu}, act: {type: celu}]}
      three: {steps: [act: {type: elu}, act: {type: celu}, act: {type: selu}]}
      none: {steps: []}
    stages: {block: [two, [three, two, two, three]], count: [2, 4]}
    head: [pool: {type: avg, output: 1}, flatten, linear: {out: 3}]
    """
NODES = 2 + 2 * 2 + (3 + 2 + 2 + 3) + 3


def test_a_network_of_just_the_limit_is_compiled() -> None:
    assert len(archspec.compile(spec(STEPS), limits=archspec.Limits(nodes=NODES)).nodes) == NODES
    (found,) = refused(STEPS, nodes=NODES - 1)
    assert (found.code, found.message) == ("E601", f"the network would have more than {NODES - 1} nodes")
    assert found.help == "lower `count`, or raise `limits.nodes`"


@pytest.mark.parametrize(
    ("limit", "place"),
    [
        (1, "[act: {type: silu}, act: {type: gelu}]"),
        (4, "[pool: {type: avg, output: 1}, flatten, linear: {out: 3}]"),
        (5, "2"),
        (8, "2"),
        (9, "4"),
        (16, "4"),
    ],
)
def test_what_must_pass_the_limit_is_named_before_it_is_built(limit: int, place: str) -> None:
    """The stem's 2 nodes, the head's 3, then the stages of at least 2 blocks of 2 nodes and 4 of at least 2."""
    (found,) = refused(STEPS, nodes=limit)
    assert (found.code, at(found, STEPS)) == ("E601", place)


def test_a_network_whose_parts_are_called_is_refused_at_the_call() -> None:
    """A stem of at least a layer and a pool, and a head of three steps."""
    text = "input: [3, 64, 64]\nstem: imagenet\nstages: {block: basic, count: 1, channels: 4}\nhead: classifier"
    for limit, place in ((1, "imagenet"), (4, "classifier")):
        (found,) = refused(text, nodes=limit)
        assert (found.code, at(found, text)) == ("E601", place)


@pytest.mark.parametrize(("blocks", "limit"), [(9, 29), (40, 122)])
def test_a_stage_is_refused_after_its_first_blocks(blocks: int, limit: int) -> None:
    """Two nodes of each block may be left out, so only the blocks that were built tell; three of them make 9 nodes."""
    steps = "[act: {type: elu}, act: {type: celu, when: 1 < 2}, act: {type: selu, when: 1 < 2}]"
    text = f"""
        input: [4, 8, 8]
        stem: [act: {{type: silu}}]
        blocks: {{own: {{steps: {steps}}}}}
        stages: {{block: own, count: {blocks}}}
        head: [flatten, linear: {{out: 3}}]
        """
    total = 1 + 3 * blocks + 2
    assert len(archspec.compile(spec(text), limits=archspec.Limits(nodes=total)).nodes) == total
    (found,) = refused(text, nodes=limit - 2)
    assert (found.code, at(found, text)) == ("E601", str(blocks))


def test_blocks_of_nothing_count_as_one_node_each() -> None:
    text = STEPS.replace("[two, [three, two, two, three]], count: [2, 4]", "none, count: 7")
    assert len(archspec.compile(spec(text), limits=archspec.Limits(nodes=12)).nodes) == 5
    (found,) = refused(text, nodes=11)
    assert (found.code, at(found, text)) == ("E601", "7")
