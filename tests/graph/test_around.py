"""`around`: the steps around the blocks of a stage, against the same network written in other ways."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import archspec
from archspec.graph.graph import Graph
from archspec.passes.reordered import reordered

START = "archspec: 1\nname: t\ninput: [3, 16, 16]\nclasses: 5\n"
STEM = "[conv: {out: 8, kernel: 3}]"


def network(stages: str, **more: Any) -> Graph:
    written = "".join(f"{key}: {value}\n" for key, value in {"stem": STEM, "head": "[]", **more}.items())
    return archspec.compile(f"{START}stages: {stages}\n{written}")


def wiring(graph: Graph) -> list[tuple[Any, tuple[int, ...]]]:
    """Each node's operation, and the numbers of the nodes that it reads, without names."""
    places = {"input": -1} | {node.name: place for place, node in enumerate(graph.nodes)}
    return [(node.operation, tuple([places[name] for name in node.inputs])) for node in graph.nodes]


ROW = "block: basic, count: 3, channels: 8, stride: 2"


@pytest.mark.parametrize("order", ["post", "pre", "norm-after-add", "act-only-pre"])
def test_blocks_alone_are_the_stage_without_it(order: str) -> None:
    plain = network(f"[{{{ROW}}}]", activation_order=order, head="classifier")
    assert plain == network(f"[{{{ROW}, around: [blocks]}}]", activation_order=order, head="classifier")
    assert plain == network(f"[{{{ROW}, around: null}}]", activation_order=order, head="classifier")


def test_steps_before_and_after_blocks() -> None:
    first, last = "layer: {out: 2 * in_channels, kernel: 3}, norm", "act: {type: silu}, conv: {out: channels + stage}"
    found = network(f"[{{{ROW}, around: [{first}, blocks, {last}]}}]")
    other = network(f"[{{{ROW}, before: [{first}], after: [{last}]}}]")
    assert wiring(found) == wiring(other)
    assert {node.name.split(".")[0] for node in found.nodes[1:]} == {"layer1"}
    assert [region.kind for region in found.regions] == ["stage", "block", "block", "block"]
    assert found.regions[0].last == len(found.nodes)


UNROLLED = (
    ("[as: x, blocks: {each: p, as: y}, concat: {from: [x, p]}, add: [[from: y], [from: y]]]",
     "[as: x, b: {as: p1}, b: {as: p2}, b: {as: p3}, concat: {from: [x, p1, p2, p3]}, add: [[from: p3], [from: p3]]]"),
    ("[concat: [[conv: {out: 4}], [act, blocks]]]", "[concat: [[conv: {out: 4}], [act, b, b, b]]]"),
    ("[conv: {out: 16}, add: [[slice: {stop: 8}], [slice: {start: 8}, sequence: {name: s, steps: [blocks]}]]]",
     "[conv: {out: 16}, add: [[slice: {stop: 8}], [slice: {start: 8}, b, b, b]]]"),
    ("[w: {wide: channels // 2}]", "[conv: {out: 4}, concat: [[], [conv: {out: 8}, b, b, b]], norm]"),
    ("w", "[conv: {out: 2}, concat: [[], [conv: {out: 8}, b, b, b]], norm]"),
    ("{use: w, wide: stage + 2}", "[conv: {out: 3}, concat: [[], [conv: {out: 8}, b, b, b]], norm]"),
)  # fmt: skip


@pytest.mark.parametrize(("around", "unrolled"), UNROLLED)
def test_it_is_the_blocks_written_out(around: str, unrolled: str) -> None:
    steps = "[conv: {out: 8, kernel: 3}, add: [[], [norm]], act]"
    wrapper = "w: {params: {wide: 2}, steps: [conv: {out: wide}, concat: [[], [conv: {out: 8}, blocks]], norm]}"
    found = network(
        f"[{{block: b, count: 3, channels: 8, around: {around}}}]",
        blocks=f"{{b: {{steps: {steps}}}}}",
        fragments=f"{{{wrapper}}}",
        silence="[W301]",
    )
    other = archspec.compile(
        f"{START}stem: [conv: {{out: 8, kernel: 3}}, sequence: {{steps: {unrolled}}}]\nstages: []\nhead: []\n"
        f"fragments: {{b: {{steps: {steps}}}}}\n"
    )
    assert wiring(found) == wiring(other)


def test_copies_of_equal_blocks_are_what_lowering_them_gives() -> None:
    around = "[as: x, blocks: {each: p, name: m}, concat: {from: [x, p]}]"
    copied = network(f"[{{block: basic, count: 6, channels: 8, around: {around}}}]")
    written = network(f"[{{block: basic, count: 6, channels: 8, act: [{', '.join(['relu'] * 6)}], around: {around}}}]")
    assert copied == written
    assert {node.name for node in copied.nodes if node.name.endswith("add")} == {f"layer1.m.{n}.add" for n in range(6)}


def test_the_stride_is_that_of_the_step_that_reads_it() -> None:
    def strides(around: str, stride: str = "2") -> list[int]:
        row = f"block: basic, count: 2, channels: 8, stride: {stride}, around: {around}"
        return [node.shape[-1] for node in network(f"[{{{row}}}]").nodes if node.operation.name == "conv"][1:3]

    assert strides("[act, blocks]") == [8, 8]
    assert strides("[conv: {out: 8, kernel: 3, stride: stride}, blocks]") == [8, 8]
    assert strides("[conv: {out: 8, kernel: 3, stride: stride}, blocks]", "[2, 1]") == [8, 4]
    assert strides("[conv: {out: 8, kernel: 3, stride: 2}, blocks]") == [8, 4]


@pytest.mark.parametrize(
    ("around", "stem", "head"),
    [
        ("[norm, blocks]", True, False),
        ("[blocks, norm]", False, True),
        ("[as: x, blocks, add: {from: [x]}]", False, True),
    ],
)
def test_stem_and_head_follow_what_is_next_to_them(around: str, stem: bool, head: bool) -> None:
    """In the order ``pre``, a stem ends without norm and act, and the classifier begins with both."""
    row = f"block: basic, count: 1, channels: 8, around: {around}"
    found = network(
        f"[{{{row}}}]", stem="[layer: {out: 8}]", head="classifier", activation_order="pre", silence="[W311]"
    )
    outside = [node.name for node in found.nodes if "." not in node.name]
    assert ("bn1" in outside and outside.index("bn1") == 1) == stem
    assert (len([name for name in outside if name.startswith("bn")]) > stem) == (not head)


def test_names_of_the_network_are_not_seen() -> None:
    for around, code in (("[add: {from: [c, x]}, blocks]", "E317"), ("[conv: {out: 8, from: stem}, blocks]", "E317")):
        with pytest.raises(archspec.SpecError) as caught:
            network(f"[{{{ROW}, around: {around}}}]", stem="[conv: {out: 8, as: c}]", silence="[W310]")
        assert {found.code for found in caught.value.diagnostics} == {code}
    (warning,) = network(f"[{{{ROW}, around: [blocks: {{each: unread}}]}}]").warnings
    assert (warning.code, warning.span and warning.span.line) == ("W310", 5)


def test_what_needs_the_blocks_to_be_there() -> None:
    for around, code in (("[repeat: {times: 1, steps: [blocks]}]", "E322"), ("[blocks: {when: stage > 1}]", "E315")):
        with pytest.raises(archspec.SpecError) as caught:
            network(f"[{{{ROW}, around: {around}}}]")
        (found,) = caught.value.diagnostics
        assert found.code == code
        assert found.span
        assert found.span.line == 5
    with pytest.raises(archspec.SpecError) as caught:
        network("[{block: basic, count: 0, channels: 8, around: [blocks]}]")
    assert [found.code for found in caught.value.diagnostics] == ["E501"]


class Cut(nn.Module):
    """A cross-stage partial stage (Wang et al. 2020) with two plain blocks, by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(8, 16, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.blocks = nn.Sequential(*[nn.Conv2d(8, 8, 3, 1, 1, bias=False) for _ in range(2)])
        self.conv2 = nn.Conv2d(24, 12, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = self.bn1(self.conv1(x)).relu().chunk(2, 1)
        first = self.blocks[0](right)
        return self.bn2(self.conv2(torch.cat([left, first, self.blocks[1](first)], 1))).relu()


def test_the_built_stage_is_the_one_written_by_hand() -> None:
    around = (
        "[layer: {out: 16, kernel: 3, stride: stride}, as: x, slice: {start: 8, from: x}, "
        "blocks: {each: p, name: blocks}, slice: {stop: 8, from: x, as: l}, concat: {from: [l, p]}, layer: {out: 12}]"
    )
    graph = network(
        f"[{{block: b, count: 2, channels: 8, stride: 2, around: {around}}}]",
        stem="[conv: {out: 8}]",
        blocks="{b: {steps: [conv: {out: channels, kernel: 3}]}}",
    )
    model, hand = archspec.build(graph).eval(), Cut().eval()
    state = model.state_dict()
    keys = [key for key in state if key != "conv1.weight"]
    own = {key: key.removeprefix("layer1.") for key in keys}
    own |= {key: own[key].replace(".conv1", "") for key in keys if ".blocks." in key}
    hand.load_state_dict({own[key]: state[key] for key in keys})
    x = torch.randn(2, 3, 16, 16)
    assert torch.equal(model(x), hand(model.conv1(x)))


def test_blocks_change_places_inside_it() -> None:
    """What a list of the blocks' results contains follows the places, as in the module whose blocks are exchanged."""
    graph = network(
        "[{block: basic, count: 4, channels: 8, around: [as: x, blocks: {each: p}, concat: {from: [x, p]}]}]"
    )
    moved = reordered(graph, {"layer1.1": "layer1.2", "layer1.2": "layer1.1"})
    model, other = (archspec.build(each, seed=0).eval() for each in (graph, moved))
    state = model.state_dict()
    other.load_state_dict(state)
    swap = {"layer1.1.": "layer1.2.", "layer1.2.": "layer1.1."}
    model.load_state_dict({swap.get(key[:9], key[:9]) + key[9:]: value.clone() for key, value in state.items()})
    x = torch.randn(2, 3, 16, 16)
    assert torch.equal(model(x), other(x))
