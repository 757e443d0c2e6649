"""Lowering: counts, strides, edges of stages, scaling, outputs, limits and warnings."""

from __future__ import annotations

import time

import pytest

import archspec
from archspec.graph.graph import Graph
from archspec.operations.shapes import Shape
from tests.support.equivalence import codes, compiled, spec
from tests.support.timing import allowed
from tests.support.work import calls

SMALL = """
    input: [3, 32, 32]
    classes: 5
    stem: {use: cifar, width: 4}
    stages: {block: basic, count: [2, 3], channels: [4, 8], stride: [1, 2]}
    """


def changed(old: str, new: str, more: str = "") -> str:
    assert old in SMALL
    return f"{SMALL.replace(old, new).rstrip()}\n    {more}\n"


def shapes(text: str) -> list[Shape]:
    """The shapes behind each block."""
    graph = compiled(text)
    return [graph.shape(region.result) for region in graph.regions if region.kind == "block"]


def refused(text: str, limits: archspec.Limits | None = None) -> archspec.SpecError:
    with pytest.raises(archspec.SpecError) as error:
        archspec.compile(spec(text), limits=limits)
    return error.value


# -- the stage table ---------------------------------------------------------------------------------------------------


def test_a_stride_is_the_first_blocks() -> None:
    assert [shape[1] for shape in shapes(SMALL)] == [32, 32, 16, 16, 16]


def test_a_stride_that_reads_the_index_is_every_blocks() -> None:
    text = changed("stride: [1, 2]", "stride: [1, 2 if index > 0 else 1]")
    assert [shape[1] for shape in shapes(text)] == [32, 32, 32, 16, 8]


def test_a_list_in_a_cell_is_by_block() -> None:
    text = changed("channels: [4, 8], stride: [1, 2]", "channels: [[4, 6], [8, 8, 12]], stride: [[2, 2], [1, 2, 2]]")
    assert shapes(text) == [(4, 16, 16), (6, 8, 8), (8, 8, 8), (8, 4, 4), (12, 2, 2)]


def test_an_expression_in_a_cell_is_evaluated_for_each_block() -> None:
    text = changed("channels: [4, 8]", "channels: 4 * stage + number // 4 * index")
    assert [shape[0] for shape in shapes(text)] == [4, 4, 8, 8, 10]


def test_by_row_and_by_column_mean_the_same() -> None:
    rows = changed(
        "{block: basic, count: [2, 3], channels: [4, 8], stride: [1, 2]}",
        "[{block: basic, count: 2, channels: 4}, {block: basic, count: 3, channels: 8, stride: 2}]",
    )
    assert [(node.name, node.shape) for node in compiled(rows).nodes] == [
        (node.name, node.shape) for node in compiled(SMALL).nodes
    ]


def test_stages_have_names_of_their_own() -> None:
    graph = compiled(changed("block: basic", "block: basic, name: [low, 'high{stage}']"))
    assert [stage.scope for stage in graph.stages] == ["low", "high2"]


def test_what_stands_before_and_after_a_stage() -> None:
    text = changed(
        "block: basic", "block: basic, before: [null, [conv: {out: 6}]], after: [[pool: {type: max, kernel: 2}], null]"
    )
    graph = compiled(text)
    assert graph.shape("after1.0") == (4, 16, 16)
    assert graph.shape("before2.0") == (6, 16, 16)
    first, second = graph.stages
    outside = [n.name for n in graph.nodes[first.last : second.first]]
    assert outside == ["after1.0", "before2.0"]
    assert second.source == "before2.0"


# -- scaling -----------------------------------------------------------------------------------------------------------


def test_depth_is_rounded_up_and_widths_to_the_divisor() -> None:
    """B1's coefficients on small counts (Tan and Le 2019): 2 and 3 blocks become 3 and 4."""
    graph = compiled(changed("channels: [4, 8]", "channels: [16, 40]", "scale: {width: 1.2, depth: 1.1}"))
    assert [len(graph.blocks(stage)) for stage in graph.stages] == [3, 4]
    assert [graph.shape(stage.result)[0] for stage in graph.stages] == [24, 48]  # 19.2 to 24, since 16 loses a tenth
    assert codes(graph) == ["W502"]


def test_rounding_that_is_asked_for_is_no_warning() -> None:
    graph = compiled(changed("channels: [4, 8]", "channels: [16, 40]", "scale: {width: 1.2, divisor: 4}"))
    assert [graph.shape(stage.result)[0] for stage in graph.stages] == [20, 48]
    assert codes(graph) == []


def test_scaled_is_for_widths_outside_the_table() -> None:
    text = changed("{use: cifar, width: 4}", "{use: cifar, width: scaled(32)}", "scale: {width: 2}")
    assert compiled(text).shape("conv1")[0] == 64


def test_without_a_scale_a_scaled_width_is_itself() -> None:
    assert compiled(changed("width: 4", "width: scaled(6)")).shape("conv1")[0] == 6


# -- outputs -----------------------------------------------------------------------------------------------------------


def test_outputs_are_scopes_and_nothing_else_is_kept() -> None:
    graph = compiled(changed("classes: 5", "outputs: [layer1, layer2.0, relu]"))
    assert {label: graph.shape(name) for label, name in graph.outputs.items()} == {
        "layer1": (4, 32, 32),
        "layer2.0": (8, 16, 16),
        "relu": (4, 32, 32),
    }
    assert not graph.single
    assert graph.nodes[-1].name.startswith("layer2.0.")
    assert [region.scope for region in graph.regions] == ["layer1", "layer1.0", "layer1.1", "layer2.0"]


def test_one_output_as_text_is_returned_as_it_is() -> None:
    graph = compiled(changed("classes: 5", "outputs: layer2"))
    assert graph.single
    assert graph.output == (8, 16, 16)


@pytest.mark.parametrize("outputs", ["layer9", "[layer1, layr2]", "layer1.0.conv9"])
def test_outputs_that_are_not_there(outputs: str) -> None:
    error = refused(changed("classes: 5", f"outputs: {outputs}"))
    assert codes(error) == ["E310"]


# -- limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("count: [2, 3]", "count: [2, 1_000_000_000]", "E601"),
        ("count: [2, 3]", "count: [25_000, 3]", "E601"),
        ("count: [2, 3]", "count: [100_000, 100_000]", "E601"),
        ("channels: [4, 8]", "channels: [4, 1_000_000_000]", "E602"),
        ("input: [3, 32, 32]", "input: [3, 1_000_000, 1_000_000]", "E602"),
        ("width: 4", "width: 100_000_000_000_000", "E602"),
    ],
)
def test_a_network_past_the_limits_is_refused_before_it_is_built(old: str, new: str, code: str) -> None:
    start = time.process_time()
    assert codes(refused(changed(old, new))) == [code]
    assert time.process_time() - start < allowed(1)


def test_fragments_that_double_at_each_of_thirty_levels() -> None:
    levels = "".join(f"      f{n}: {{steps: [f{n + 1}, f{n + 1}]}}\n" for n in range(30))
    text = f"{SMALL.rstrip()}\n    head: f0\n    fragments:\n{levels}      f30: {{steps: [act, act]}}\n"
    start = time.process_time()
    for found in (text, text.replace("head: f0", "head: [f0]"), text.replace("[act, act]", "[]")):
        assert set(codes(refused(found))) == {"E601"}
    assert time.process_time() - start < allowed(3)


def test_a_fault_that_every_block_repeats_is_said_once_and_quickly() -> None:
    start = time.process_time()
    block = "odd: {residual: [conv: {out: channels, kernel: 3, stride: stride, groups: 3}]}"
    text = changed("block: basic, count: [2, 3]", "block: odd, count: [3000, 4500]", f"blocks: {{{block}}}")
    error = refused(text)
    assert codes(error) == ["E503"] * len(error.diagnostics)
    assert len({(d.span, d.message) for d in error.diagnostics}) == len(error.diagnostics) <= 4
    assert time.process_time() - start < allowed(3)


def test_limits_are_options() -> None:
    nodes = len(compiled(SMALL).nodes)
    assert codes(refused(SMALL, archspec.Limits(nodes=nodes - 1))) == ["E601"]
    assert len(archspec.compile(spec(SMALL), limits=archspec.Limits(nodes=nodes)).nodes) == nodes
    assert codes(refused(SMALL, archspec.Limits(elements=4 * 32 * 32 - 1))) == ["E602"]


WIDE = "blocks: {wide: {residual: [layer: {out: channels, kernel: 9, groups: 4, stride: stride}]}}"


@pytest.mark.parametrize("more", ["", WIDE])
def test_the_limit_of_elements_is_of_all_weights(more: str) -> None:
    """Of every block, of those that repeat too, and with kernels and groups."""
    count = changed("count: [2, 3]", "count: [9, 9]", more)
    text = count.replace("block: basic", "block: wide") if more else count
    elements = sum(parameter.numel() for parameter in archspec.build(spec(text), device="meta").parameters())
    assert archspec.compile(spec(text), limits=archspec.Limits(elements=elements)).nodes
    assert codes(refused(text, archspec.Limits(elements=elements - 1))) == ["E602"]


# -- warnings ----------------------------------------------------------------------------------------------------------


def test_a_coarse_stem_is_warned_about() -> None:
    assert codes(compiled(changed("stem: {use: cifar, width: 4}", "stem: imagenet"))) == ["W501"]
    assert codes(compiled(changed("[3, 32, 32]", "[3, 224, 224]").replace("{use: cifar, width: 4}", "imagenet"))) == []


def test_post_after_pre_is_warned_about() -> None:
    text = changed("block: basic", "block: basic, activation_order: [pre, post]")
    assert codes(compiled(text)) == ["W302"]


def test_blocks_that_mean_different_things_by_channels_are_warned_about() -> None:
    assert codes(compiled(changed("block: basic", "block: [basic, bottleneck]"))) == ["W303"]


def test_a_generated_table_says_what_it_replaces() -> None:
    text = changed(
        "{block: basic, count: [2, 3], channels: [4, 8], stride: [1, 2]}",
        "{block: basic, count: 2, quantized_linear: {depth: 4, w_0: 8, w_a: 8, w_m: 2}}",
    )
    assert codes(compiled(text)) == ["W304"]


# -- several faults at once --------------------------------------------------------------------------------------------


def test_faults_of_shapes_are_reported_together() -> None:
    text = (
        changed("block: basic", "block: odd", "blocks:").rstrip()
        + """
      odd:
        residual:
          - conv: {out: channels, kernel: 3, stride: stride, groups: 3}
          - conv: {out: channels, kernel: 3, groups: 7}
    """
    )
    assert codes(refused(text)).count("E503") >= 2


# -- settings and what they may read -----------------------------------------------------------------------------------


def test_stem_and_head_read_a_setting_at_the_place_of_the_nearest_block() -> None:
    """A spec-level setting may be an expression over the table: the stem is with the first block, the head the last."""
    head = "head: [act, pool: {type: avg, output: 1}, flatten, linear: {out: classes}]"
    text = changed("classes: 5", "classes: 5", f"act: \"'silu' if stage == stages else 'gelu'\"\n    {head}")
    kinds = [node.operation.kind for node in compiled(text).nodes]
    assert kinds[2] == "gelu"
    assert kinds[-4] == "silu"
    assert kinds.count("gelu") == 1 + 2 * 2
    assert kinds.count("silu") == 2 * 3 + 1


def test_a_blocks_own_settings_may_read_its_parameters() -> None:
    block = """
      own:
        params: {smooth: 0, order: post}
        act: "'silu' if smooth > 0 else 'relu'"
        activation_order: order
        residual:
          - layer: {out: channels, kernel: 3, stride: stride}
          - conv: {out: channels, when: act == 'silu'}
    """
    text = changed("block: basic", "block: own, smooth: [0, 1], order: [post, pre]", "blocks:").rstrip() + block
    graph = compiled(text)
    first, second = ([n.operation.kind for n in graph.nodes[s.first : s.last]] for s in graph.stages)
    assert first[:3] == ["conv", "bn", "add"]
    assert second[:4] == ["bn", "silu", "conv", "conv"]


def test_no_norm_and_no_activation_as_steps() -> None:
    text = changed("stem: {use: cifar, width: 4}", "stem: [conv: {out: 4}, norm: {type: none}, act: {type: none}]")
    assert [node.name for node in compiled(text).nodes][:2] == ["conv1", "layer1.0.conv1"]


GROUPS = "{type: group, groups: 4, eps: 0.25}"


@pytest.mark.parametrize(
    ("setting", "own", "type", "eps", "groups"),
    [
        (GROUPS, "{eps: 0.5}", "group", 0.5, 4),
        (GROUPS, "{groups: 2}", "group", 0.25, 2),
        (GROUPS, "{}", "group", 0.25, 4),
        (GROUPS, "{type: group}", "group", 0.25, 4),
        (GROUPS, "group", "group", 0.25, 4),
        (GROUPS, "{type: layer}", "layer", 1e-5, 32),
        (GROUPS, "{type: batch, eps: 0.5}", "batch", 0.5, 32),
        ("layer", "{eps: 0.5}", "layer", 0.5, 32),
        ("{eps: 0.25}", "{momentum: 0.5}", "batch", 0.25, 32),
    ],
)
@pytest.mark.parametrize("step", ["norm: %s", "layer: {out: 8, norm: %s}"])
def test_a_norm_takes_what_it_does_not_say_from_the_setting_of_its_type(
    step: str, setting: str, own: str, type: str, eps: float, groups: int
) -> None:
    if step.startswith("norm") and own in ("group", "{}"):
        own = "{type: group}"
    stem = f"stem: [conv: {{out: 8}}, {step % own}]"
    nodes = compiled(changed("stem: {use: cifar, width: 4}", stem, f"norm: {setting}")).nodes
    norm = next(node for node in nodes if node.operation.name == "norm")
    assert (norm.operation.type, norm.operation.eps, norm.operation.groups) == (type, eps, groups)  # type: ignore[attr-defined]


@pytest.mark.parametrize("own", ["{eps: 0.5}", "batch", "{type: batch}"])
def test_a_layers_own_norm_where_the_setting_is_none(own: str) -> None:
    stem = f"stem: [layer: {{out: 8, norm: {own}}}]"
    nodes = compiled(changed("stem: {use: cifar, width: 4}", stem, "norm: none")).nodes
    (norm,) = (node for node in nodes if node.operation.name == "norm")
    assert norm.operation.kind == "bn"


def test_very_many_steps_that_are_left_out_are_refused_in_time() -> None:
    steps = ", ".join(["norm: {when: 1 > 2}"] * 4000)
    block = f"wide: {{residual: [conv: {{out: channels}}, {steps}]}}"
    table = "{block: wide, count: 2000, channels: 4 + 0 * index}"
    text = changed("{block: basic, count: [2, 3], channels: [4, 8], stride: [1, 2]}", table, f"blocks: {{{block}}}")
    error, work = calls(lambda: refused(text))
    assert codes(error) == ["E603"]
    assert work < 4 * archspec.Limits().work


def test_layers_that_may_be_left_out_take_linear_time() -> None:
    def lowered(count: int) -> Graph:
        groups = ", ".join(["sequence: {steps: [layer: {out: 8, when: 1 > 2}]}"] * count)
        return compiled(changed("{use: cifar, width: 4}", f"[conv: {{out: 4}}, {groups}]"))

    (graph, few), (_, many) = calls(lambda: lowered(500)), calls(lambda: lowered(2000))
    assert graph.nodes[1].name == "layer1.0.conv1"
    assert many < 4.5 * few


@pytest.mark.parametrize(
    ("step", "argument"), [("scale", "by"), ("layer_scale", "initial"), ("dropout", "p"), ("norm", "eps")]
)
@pytest.mark.parametrize("values", [("0.0", "-0.0"), ("-0.0", "0.0"), ("1", "1.0"), ("1.0", "1"), ("0", "-0.0", "0.0")])
def test_arguments_that_are_equal_but_not_the_same_are_kept(step: str, argument: str, values: tuple[str, ...]) -> None:
    steps = ", ".join(f"{step}: {{{argument}: {value}}}" for value in values)
    graph = compiled(changed("{use: cifar, width: 4}", f"[{steps}]"))
    found = [getattr(node.operation, argument) for node in graph.nodes[: len(values)]]
    assert list(map(str, found)) == list(values)
