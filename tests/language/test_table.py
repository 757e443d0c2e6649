"""The stage table: cells for stages and for blocks, generators and scaling against torchvision's rules."""

from __future__ import annotations

import pytest

import archspec
from archspec.graph.graph import Graph
from tests.support.reference import torchvision_models

HEAD = "archspec: 1\nname: t\nstem: [conv: {out: 8}]\n"
WIDTHS = """\
blocks:
  wide:
    channels: output width
    params: {width: 4, kernel: 1}
    steps:
      - conv: {out: width, kernel: kernel}
      - conv: {out: channels, stride: stride, dilation: dilation}
  plain:
    channels: output width
    steps: [conv: {out: channels}]
"""


def compiled(text: str) -> Graph:
    return archspec.compile(HEAD + WIDTHS + text + "\n")


def widths(graph: Graph) -> list[list[int]]:
    """The first convolution's width of every block, by stage."""
    return [[graph.nodes[block.first].shape[0] for block in graph.blocks(stage)] for stage in graph.stages]


def faults(text: str) -> list[str]:
    with pytest.raises(archspec.SpecError) as caught:
        compiled(text)
    return [d.code for d in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        ("6", [[6], [6, 6], [6, 6, 6]]),
        ("[5, 6, 7]", [[5], [6, 6], [7, 7, 7]]),
        ("[16, [64, 72], [72, 120, 120]]", [[16], [64, 72], [72, 120, 120]]),
        ("[5, null, 7]", [[5], [4, 4], [7, 7, 7]]),
        ("[5, [null, 9], 7]", [[5], [4, 9], [7, 7, 7]]),
        ("stage * 10 + index", [[10], [20, 21], [30, 31, 32]]),
        ("number + 1", [[1], [2, 3], [4, 5, 6]]),
        ("count * 100 + stages * 10 + blocks", [[136], [236, 236], [336, 336, 336]]),
        ("9 if index == 0 else 3", [[9], [9, 3], [9, 3, 3]]),
        ("[5, 'index + 1', [1, 'stage', 'channels']]", [[5], [1, 2], [1, 3, 8]]),
        ("in_channels + 1", [[9], [9, 9], [9, 9, 9]]),
    ],
)
def test_cells(width: str, expected: list[list[int]]) -> None:
    graph = compiled(f"stages: {{block: wide, count: [1, 2, 3], channels: 8, width: {width}}}")
    assert widths(graph) == expected


def test_a_stride_belongs_to_the_first_block_unless_it_is_given_for_each() -> None:
    graph = compiled("stages: {block: wide, count: [2, 3], channels: 8, stride: [2, [1, 2, 2]]}")
    sizes = [[graph.shape(block.result)[1] for block in graph.blocks(stage)] for stage in graph.stages]
    assert sizes == [[112, 112], [112, 56, 28]]


def test_blocks_may_change_inside_a_stage() -> None:
    graph = compiled("stages: {block: [[wide, basic], basic], count: [2, 1], channels: 8, width: [3, null]}")
    assert [r.name for r in graph.regions if r.kind == "block"] == ["wide", "basic", "basic"]
    assert widths(graph)[0][0] == 3


def test_a_scalar_reaches_the_stages_whose_block_declares_it() -> None:
    graph = compiled("stages: {block: [wide, basic], count: 1, channels: 8, width: 5}")
    assert widths(graph) == [[5], [8]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stages: {block: [wide, basic], count: 1, channels: 8, width: [5, 6]}", ["E301"]),
        ("stages: {block: wide, count: 1, channels: 8, wdth: [5]}", ["E301"]),
        ("stages: {block: wide, count: [1, 2], channels: [8]}", ["E311"]),
        ("stages: {block: wide, count: 2, channels: 8, width: [[1, 2, 3]]}", ["E311"]),
        ("stages: {block: [[wide, wide, basic]], count: 2, channels: 8}", ["E311"]),
        ("stages: {block: wide, count: [[1, 2]], channels: 8}", ["E202"]),
        ("stages: {block: wide, count: 1, channels: [[[8]]]}", ["E202"]),
        ("stages: {block: wide, count: 1, channels: 8, width: [[[8]]]}", ["E202"]),
        ("stages: {block: wide, count: 1, channels: 8, width: {a: 1}}", ["E202"]),
        ("stages: {block: wide, count: 1, channels: 8, name: [[a, b]]}", ["E202"]),
        ("stages: {block: wide, count: index + 1, channels: 8}", ["E402"]),
        ("stages: {block: wide, count: in_channels, channels: 8}", ["E402"]),
        ("stages: {block: wide, count: 1, channels: width}", ["E402"]),
        ("stages: {block: wide, count: 7/2, channels: 8}", ["E403"]),
        ("stages: {block: wide, count: 0, channels: 8}", ["E501"]),
        ("stages: {block: wide, count: -1, channels: 8}", ["E501"]),
        ("stages: {block: wide, count: 1, channels: 0}", ["E501"]),
        ("stages: {block: wide, count: 1, channels: 8, stride: 0}", ["E501"]),
        ("stages: {block: wide, count: 1, channels: 8, dilation: -2}", ["E501"]),
        ("stages: {block: wide, count: 1, channels: true}", ["E202"]),
        ("stages: {block: wide, count: 1, channels: 8.5}", ["E202"]),
        ("stages: {block: wide, count: 1, channels: [[8.5]]}", ["E202"]),
        ("stages: {block: wide, count: 1, channels: 8, width: true}", ["E406"]),
        ("stages: {block: wide, count: 1, channels: 8, width: relu}", ["E402"]),
        ("stages: {block: wdie, count: 1}", ["E302"]),  # the block that was meant may need no channels
        ("stages: {block: [basic, null], count: 1, channels: 8, width: 8}", ["E203"]),
        ("stages: {count: 1}", ["E203", "E203"]),
    ],
)
def test_faulty_tables(text: str, expected: list[str]) -> None:
    assert faults(text) == expected


# -- generators and scaling, against torchvision ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        *(
            "depth: 4, w_0: 24, w_a: -9, w_m: 2",
            "depth: 4, w_0: 24, w_a: 9, w_m: 1",
            "depth: 4, w_0: 0, w_a: 9, w_m: 2",
        ),
        *("depth: 1e9, w_0: 24, w_a: 9, w_m: 2", "depth: 4, w_0: 24, w_a: 1e15, w_m: 2"),
        *("depth: 4, w_0: 24, w_a: 9, w_m: -2", "depth: 4, w_0: 1e15, w_a: 9, w_m: 2"),
    ],
)
def test_a_rule_without_a_meaning(rule: str) -> None:
    assert faults(f"stages: {{block: plain, quantized_linear: {{{rule}}}}}") == ["E205"]


@pytest.mark.parametrize("rule", ["depth: 0, w_0: 24, w_a: 9, w_m: 2", "depth: -3, w_0: 24, w_a: 9, w_m: 2"])
def test_a_rule_without_blocks(rule: str) -> None:
    assert faults(f"stages: {{block: plain, quantized_linear: {{{rule}}}}}") == ["E501"]


WIDTH_AND_DEPTH = [(1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8), (1.6, 2.2), (1.8, 2.6), (2.0, 3.1)]


@pytest.mark.parametrize(("width", "depth"), WIDTH_AND_DEPTH, ids=[f"b{n}" for n in range(8)])
def test_scale_is_torchvisions(width: float, depth: float) -> None:
    """The widths and counts of EfficientNet-B0 to B7, from B0's by compound scaling."""
    torchvision_models()
    from torchvision.models.efficientnet import _efficientnet_conf

    base, _ = _efficientnet_conf("efficientnet_b0", width_mult=1.0, depth_mult=1.0)
    reference, _ = _efficientnet_conf("efficientnet_b0", width_mult=width, depth_mult=depth)
    channels, counts = [row.out_channels for row in base], [row.num_layers for row in base]
    graph = compiled(
        f"scale: {{width: {width}, depth: {depth}, divisor: 8}}\n"
        f"stages: {{block: plain, count: {counts}, channels: {channels}}}\n"
    )
    assert [graph.shape(stage.result)[0] for stage in graph.stages] == [row.out_channels for row in reference]
    assert [len(graph.blocks(stage)) for stage in graph.stages] == [row.num_layers for row in reference]


def test_stems_say_scaled_where_they_mean_it() -> None:
    text = "archspec: 1\nname: t\nstem: [conv: {out: scaled(32)}, conv: {out: 20, name: as_is}]\nscale: {width: 1.2}\n"
    graph = archspec.compile(text + "stages: {block: basic, count: 1, channels: 20}\n")
    assert [graph.by_name[name].shape[0] for name in ("conv1", "as_is", "layer1.0.conv1")] == [40, 20, 24]


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ("{width: -1}", ["E205"]),
        ("{depth: 0}", ["E205"]),
        ("{divisor: 0}", ["E205"]),
        ("{divisor: 2.5}", ["E202"]),
        ("{width: x}", ["E402"]),
        ("{width: '1/0'}", ["E404"]),
        ("{width: 1e15, depth: 1e15}", ["E601"]),
        ("{width: 1e12}", ["E405", "E602"]),
    ],
)
def test_faulty_scales(scale: str, expected: list[str]) -> None:
    found = faults(f"scale: {scale}\nstages: {{block: basic, count: 1, channels: 64}}")
    assert len(found) == 1
    assert found[0] in expected


def test_a_list_beside_longer_ones_that_are_inherited_is_blamed_itself() -> None:
    """The author wrote `count`; the lists that it does not fit stand in the zoo."""
    with pytest.raises(archspec.SpecError) as caught:
        archspec.load("archspec: 1\nname: t\nextends: resnet50\nstages: {count: [3, 4, 6]}\n")
    (found,) = caught.value.diagnostics
    assert (found.code, found.span and found.span.line, len(found.labels)) == ("E311", 4, 2)
    assert {label.span.source.name for label in found.labels} == {"resnet50.yaml"}
    assert found.message.startswith("`count` has 3 values, but in the base spec `channels` has 4 and `stride` has 4")


def test_overrides_beside_inherited_lists() -> None:
    """Another override does not make the spec's own lists inherited ones."""
    text = "archspec: 1\nname: t\nextends: resnet50\nstages: {stride: [1, 2, 2]}\n"
    for overrides in ((), ("classes=7",), ("stages.stride=[1,2,2]", "classes=7")):
        with pytest.raises(archspec.SpecError) as caught:
            archspec.load(text, overrides=overrides)
        (found,) = caught.value.diagnostics
        assert found.span
        assert (found.code, found.span.source.name == "resnet50.yaml") == ("E311", False)
        assert "write `count` and `channels` too" in found.help


@pytest.mark.parametrize("column", ["before", "after"])
@pytest.mark.parametrize(
    ("steps", "count"),
    [("[pool: {type: max, kernel: 2}]", 1), ("[norm, act]", 2), ("[null, norm]", 1), ("[{layer: {out: 8}}]", 1)],
)
def test_a_list_of_steps_where_each_stage_has_a_list(column: str, steps: str, count: int) -> None:
    table = f"stages: {{block: basic, count: [1, 2, 1], channels: 8, {column}: {steps}}}"
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(f"archspec: 1\nname: flat\ninput: [3, 32, 32]\n{table}\n")
    found = caught.value.diagnostics
    assert len(found) == count
    assert all(each.code in ("E202", "E302") for each in found)
    assert all("a column has such a list, or `null`, for each stage" in each.help for each in found)


@pytest.mark.parametrize("key", ["stem", "head"])
def test_a_single_step_where_a_list_belongs(key: str) -> None:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(f"archspec: 1\nname: single\nextends: resnet18\n{key}: {{conv: {{out: 64}}}}\n")
    (found,) = caught.value.diagnostics
    assert (found.code, found.help) == ("E202", "write `[conv: ...]`")


UNEQUAL = [
    ("{se: [0, 0.25]}", "se", "write 4 values in `se`"),
    ("{drop_path: [0, 0.1, 0.2]}", "drop_path", "write 4 values in `drop_path`"),
    ("{dilation: [1, 2], se: [0, 0.25]}", "dilation", "write 4 values in `dilation` and `se`"),
    ("{se: [0, 0.25, 0, 0], drop_path: [0]}", "drop_path", "write 4 values in `drop_path`"),
    ("{count: [3, 4, 23], channels: [64, 128, 256, 512]}", "count", "write 4 values in `count`"),
    ("{channels: [64, 128], count: [3, 4, 6, 3], se: [0, 0, 0, 0]}", "channels", "write 4 values in `channels`"),
    ("{count: [3, 4], channels: [64, 128]}", "count", "write `stride` too, with 2 values"),
    (
        "{count: [3, 4, 2], channels: [64, 128], se: [0, 0, 0]}",
        "channels",
        "write 3 values in `channels`, and write `stride` too, with 3 values",
    ),
    ("{count: [3, 4]}", "count", "write `channels` and `stride` too, with 2 values each, or write 4 values in `count`"),
    ("[{count: 3, channels: 64}, {count: 4, channels: 128}]", "", "write `stride` in every row too, or 4 rows"),
    ("[{se: 0}, {se: 0.25}]", "", "write 4 rows"),
]


@pytest.mark.parametrize(("written", "at", "help"), UNEQUAL)
def test_one_fault_says_how_long_lists_beside_inherited_ones_must_be(written: str, at: str, help: str) -> None:
    text = f"archspec: 1\nname: t\nextends: resnet50\nstages: {written}\n"
    with pytest.raises(archspec.SpecError) as caught:
        archspec.load(text)
    (found,) = caught.value.diagnostics
    column = text.splitlines()[3].index(f"{at}: ") + len(f"{at}: ") if at else 0
    assert (found.code, found.help) == ("E311", help)
    assert found.span
    assert (found.span.line, found.span.column) == (4, column + 1)
    rows = {"write 4 rows", "write `stride` in every row too, or 4 rows"}
    assert found.message.startswith("the table has 2 rows" if help in rows else f"`{at}` has ")


@pytest.mark.parametrize("at", [0, 1, 2])
def test_the_list_that_differs_from_most_is_at_fault(at: int) -> None:
    keys = ("count", "channels", "stride")
    table = ", ".join(f"{key}: {[1] if number == at else [1, 2]}" for number, key in enumerate(keys))
    with pytest.raises(archspec.SpecError) as caught:
        archspec.load(f"archspec: 1\nname: t\nstages: {{block: basic, {table}}}\n")
    (found,) = caught.value.diagnostics
    assert (found.code, found.help) == ("E311", f"write 2 values in `{keys[at]}`")
