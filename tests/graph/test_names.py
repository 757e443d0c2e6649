"""Names of nodes: templates, conventions, collisions, and what may be no name."""

from __future__ import annotations

import pytest
import torch

import archspec
from tests.support.equivalence import codes, compiled

SMALL = """
    input: [3, 8, 8]
    classes: 5
    stem: {use: cifar, width: 4}
    stages: {block: basic, count: [1, 2], channels: [4, 8], stride: [1, 2]}
    """


def names(more: str = "", text: str = SMALL) -> list[str]:
    return [node.name for node in compiled(text.rstrip() + "\n    " + more + "\n").nodes]


def refused(text: str) -> list[str]:
    with pytest.raises(archspec.SpecError) as error:
        compiled(text)
    return codes(error.value)


def test_names_of_torchvision_are_the_default() -> None:
    block = ["conv1", "bn1", "relu", "conv2", "bn2"]
    first = [f"layer1.0.{name}" for name in (*block, "add", "relu2")]
    second = [f"layer2.0.{name}" for name in (*block, "downsample.0", "downsample.1", "add", "relu2")]
    third = [f"layer2.1.{name}" for name in (*block, "add", "relu2")]
    assert names() == ["conv1", "bn1", "relu", *first, *second, *third, "avgpool", "flatten", "fc"]


def test_a_template_sees_the_names_of_its_place() -> None:
    """`n` counts a kind from 1, `position` everything in the scope from 0; the rest are the block's own names."""
    found = names('naming: {stage: "s{stage}of{stages}", block: "b{number}_{letter(index)}", conv: "c{n}_{position}"}')
    assert "s1of2.b0_a.c1_0" in found
    assert "s1of2.b0_a.c2_3" in found
    assert "s2of2.b2_b.c1_0" in found


def test_residual_and_shortcut_scopes_count_by_position() -> None:
    found = names("naming: {residual: f, shortcut: proj}")
    assert [name for name in found if name.startswith("layer2.0.")] == [
        *(f"layer2.0.f.{position}" for position in range(5)),
        "layer2.0.proj.0",
        "layer2.0.proj.1",
        "layer2.0.add",
        "layer2.0.relu",
    ]


def test_an_empty_template_opens_no_scope() -> None:
    found = names('naming: {stage: "", block: "block{number}"}')
    assert "block0.conv1" in found
    assert "block2.conv1" in found


@pytest.mark.parametrize("name", ["", "{''}", "{'' if stage > 0 else 'x'}"])
def test_an_empty_name_of_a_stage_opens_no_scope(name: str) -> None:
    """It is a template as those of ``naming`` are, whether it is written empty or comes out empty."""
    blocks = 'naming: {block: "block{number}"'
    by_column = names(blocks + "}", SMALL.replace("basic,", f'basic, name: "{name}",'))
    assert by_column == names(blocks + ', stage: ""}')
    assert "block0.conv1" in by_column


def test_equal_paths_share_one_scope_and_its_counters() -> None:
    """Stem, stages and head of a plain stack stand in one sequence that is numbered through."""
    text = """
        input: [3, 8, 8]
        stem: [conv: {out: 4, kernel: 3}, act]
        blocks: {plain: {steps: [conv: {out: channels, kernel: 3}, act]}}
        stages: {block: plain, count: [1, 2], channels: [4, 8]}
        naming: {stem: f, stage: f, block: "", step: "{position}", head: f}
        """
    assert names(text=text)[:8] == [f"f.{position}" for position in range(8)]


def test_a_name_of_a_step_is_relative_may_hold_dots_and_is_not_counted() -> None:
    text = (
        SMALL.replace("block: basic", "block: named").rstrip()
        + """
    blocks:
      named:
        residual:
          - conv: {out: channels, kernel: 3, stride: stride, name: deep.er}
          - norm
          - layer: {out: channels, kernel: 3, name: last}
    """
    )
    found = [name for name in names(text=text) if name.startswith("layer1.0.")]
    assert found == [f"layer1.0.{name}" for name in ("deep.er", "bn1", "last.conv1", "last.bn1", "add", "relu")]


def test_a_fragment_opens_a_scope_of_its_name_and_a_second_one_is_numbered() -> None:
    text = """
        input: [3, 8, 8]
        stem: [conv: {out: 4}, se: {squeeze: 2}, se: {squeeze: 2}, se: {squeeze: 2, name: gate}]
        stages: {block: basic, count: 1, channels: 4}
        """
    found = names(text=text)
    assert [name for name in found if name.endswith("fc1")] == ["se.fc1", "se2.fc1", "gate.fc1"]


def stem_names(*steps: str) -> list[str]:
    return names(
        text=f"""
        input: [3, 8, 8]
        stem: [{", ".join(steps)}]
        stages: {{block: basic, count: 1, channels: 4}}
        """
    )[: len(steps)]


def test_bare_steps_never_collide() -> None:
    """The sixth ReLU and the first ReLU6 would both be `relu6`: who comes second takes the next number."""
    relu, relu6 = "act", "act: {type: relu6}"
    five = ["relu", "relu2", "relu3", "relu4", "relu5"]
    assert stem_names(*[relu] * 6, relu6, relu) == [*five, "relu6", "relu6_2", "relu7"]
    assert stem_names(relu6, *[relu] * 7) == ["relu6", *five, "relu7", "relu8"]
    assert stem_names(*[relu6] * 3, relu) == ["relu6", "relu6_2", "relu6_3", "relu"]


def test_bare_steps_never_collide_in_blocks_that_are_copied() -> None:
    """Nor with what is put into the scope of a copy."""
    text = """
        input: [3, 8, 8]
        stem: []
        blocks: {acts: {steps: [act, act, act, act, act, act]}}
        stages: {block: acts, count: 4, after: [[act: {type: relu6}, act]]}
        naming: {after: layer1.3}
        head: []
        """
    block = ["relu", *(f"relu{n}" for n in range(2, 7))]
    copies = [f"layer1.{index}.{name}" for index in range(4) for name in block]
    assert names(text=text) == [*copies, "layer1.3.relu6_2", "layer1.3.relu7"]


def test_a_bare_step_does_not_give_way_to_a_name_that_is_written() -> None:
    """Its state-dict keys would shift for a reason that nobody sees."""
    text = """
        input: [3, 8, 8]
        stem: [conv: {out: 4, name: conv1}, conv: {out: 4}]
        stages: {block: basic, count: 1, channels: 4}
        """
    assert refused(text) == ["E304"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("naming: {conv: same}", "E304"),  # two convolutions of one block
        ("naming: {stage: class}", "E305"),
        ("naming: {stage: forward}", "E305"),
        ("naming: {stage: __dict__}", "E305"),
        ("naming: {stage: 'x=1'}", "E305"),
        ("naming: {stage: 'a b'}", "E305"),
        ("naming: {stage: 'größe'}", "E305"),
        ("naming: {stage: 'a..b'}", "E305"),
        ("naming: {stage: '.a'}", "E305"),
        ('naming: {stage: "{nothing}"}', "E402"),
        ('naming: {stage: "{1 // 0}"}', "E404"),
        ('naming: {stage: "{stage"}', "E401"),
        ("naming: {stagee: x}", "E201"),
        ("naming: nothing", "E302"),
    ],
)
def test_names_that_cannot_be(more: str, code: str) -> None:
    assert refused(f"{SMALL.rstrip()}\n    {more}\n") == [code]


def test_a_scope_may_not_stand_where_a_node_does() -> None:
    text = SMALL.rstrip() + "\n    naming: {stem: layer1, conv: '0'}\n"
    assert refused(text) == ["E304"]


def test_the_names_of_a_network_are_the_models() -> None:
    graph = compiled(SMALL.rstrip() + '\n    naming: {block: "block-{index}", residual: "f-{index}"}\n')
    model = archspec.build(graph, device="meta")
    assert "layer1.block-0.f-0.0.weight" in model.state_dict()
    assert model(torch.empty(2, 3, 8, 8, device="meta")).shape == (2, 5)


def test_all_names_that_no_model_may_have_are_told_together() -> None:
    """A name of a step, one of a template (once, though it names every block), and nothing that follows from them."""
    with pytest.raises(archspec.SpecError) as raised:
        archspec.compile("""archspec: 1
name: t
naming: {block: "{index}-"}
stem:
  - conv: {out: 4, name: forward}
  - act: {name: self}
stages: {block: basic, count: 3, channels: 4}
""")
    found = raised.value.diagnostics
    assert [(each.code, each.span and each.span.line) for each in found] == [("E305", 3), ("E305", 5), ("E305", 6)]


def test_an_empty_template_for_layers_is_the_default() -> None:
    """Also where a layer has a name of its own."""
    text = "input: [3, 8, 8]\nstem: [layer: {out: 4, name: first}]\nstages: []\nhead: []\n"
    (one, other) = (compiled(f"{text}{more}") for more in ("", "naming: {layer: ''}\n"))
    assert list(one.by_name) == list(other.by_name) == ["first.conv1", "first.bn1", "first.relu"]
