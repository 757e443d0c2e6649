"""Surgery on blocks: what the built result computes, and what torch computes when the original model is cut by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor, fx
from torch.nn import functional as F

import archspec
from archspec import SpecError
from archspec.graph.graph import INPUT, Graph, Region
from archspec.graph.residual import find_residual_blocks
from archspec.passes import reordered, split_block, without_residual
from archspec.testing import graphs
from tests.support.properties import tries

USER = """\
archspec: 1
name: mine
input: [3, 16, 16]
classes: 5
blocks:
  twice:
    channels: width
    steps:
      - add: {a: [], b: [norm, act, conv: {out: channels, kernel: 3}]}
      - act
      - add: [[conv: {out: channels}], [conv: {out: channels, kernel: 3}, conv: {out: channels, kernel: 3}], []]
  late:
    channels: width
    steps:
      - concat: [[conv: {out: channels, kernel: 3}], []]
      - conv: {out: channels}
  pooled:
    channels: width
    steps:
      - norm
      - add:
          - [conv: {out: channels, kernel: 3}, conv: {out: channels}]
          - [pool: {type: max, kernel: 3, stride: 1, padding: 1}]
  gated:
    channels: width
    steps:
      - multiply: [[], [conv: {out: channels, kernel: 1}]]
stem: [conv: {out: 8, kernel: 3}]
stages:
  - {block: twice, count: 2, channels: 8}
  - {block: late, count: 2, channels: 8}
  - {block: pooled, count: 2, channels: 8}
  - {block: gated, count: 2, channels: 8}
head: classifier
"""


class ByHand(fx.Interpreter):
    """Runs a flat model node by node, and puts other values in the place of some results."""

    def __init__(self, model: fx.GraphModule, instead: Mapping[str, Callable[[dict[str, Tensor]], Tensor]]) -> None:
        super().__init__(model)
        self.instead, self.values = instead, dict[str, Tensor]()

    def run_node(self, n: fx.Node) -> Any:
        scope = str(n.meta.get("scope", ""))
        if n.op in ("output", "get_attr"):
            return super().run_node(n)
        found = self.instead[scope](self.values) if scope in self.instead else super().run_node(n)
        self.values[scope] = found.clone()  # because a node after it may write over it
        return found


def by_hand(
    graph: Graph, instead: Mapping[str, Callable[[dict[str, Tensor]], Tensor]], x: Tensor, state: dict[str, Tensor]
) -> tuple[Any, dict[str, Tensor]]:
    interpreter = ByHand(archspec.build(graph, flat=True, weights=state).eval(), instead)
    found = interpreter.run(x.clone())
    return found, interpreter.values


def resized(graph: Graph, region: Region, x: Tensor) -> Tensor:
    """What a block without a shortcut passes on: every n-th position, channels of zeros, or the first channels."""
    channels, *sizes = graph.shape(region.result)
    for axis, size in enumerate(sizes, start=2):
        step = next(step for step in range(1, x.shape[axis] + 1) if len(range(0, x.shape[axis], step)) <= size)
        x = x.index_select(axis, torch.arange(0, x.shape[axis], step))
    if channels > x.shape[1]:
        x = F.pad(x, (*(0, 0) * len(sizes), 0, channels - x.shape[1]))
    return x[:, :channels].clone()


def same(left: Any, right: Any) -> bool:
    if isinstance(left, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    # A view has other strides than a copy, and torch then sums in another order.
    return torch.allclose(left, right, rtol=1e-4, atol=1e-5, equal_nan=True)


def tried(pass_: Callable[[], Graph]) -> tuple[Graph | None, set[str]]:
    """What a pass makes, or the codes of why it refuses."""
    try:
        return pass_(), set()
    except SpecError as error:
        return None, {each.code for each in error.diagnostics}


def drawn_input(graph: Graph) -> Tensor:
    return torch.randn(2, *graph.input, generator=torch.Generator().manual_seed(0))


def weights(graph: Graph) -> dict[str, Tensor]:
    return archspec.build(graph, seed=0).state_dict()


def regions(graph: Graph) -> list[Region]:
    return [region for region in graph.regions if region.kind == "block"]


def cut_by_hand(graph: Graph, region: Region) -> tuple[str, Callable[[dict[str, Tensor]], Tensor]]:
    """Which value is replaced when a block loses its residual, and by what; it reads the graph as the spec says."""
    if not region.shortcut:
        return region.result, lambda values: resized(graph, region, values[region.source])
    nodes = graph.nodes[region.first : region.last]
    merge = next(node for node in reversed(nodes) if node.operation.name in ("add", "concat"))
    shortcut = merge.inputs[0]  # the spec's shortcut comes first

    def passed(values: dict[str, Tensor]) -> Tensor:
        x = values[shortcut].clone()
        more = merge.shape[0] - x.shape[1]
        return F.pad(x, (*(0, 0) * (x.dim() - 2), 0, more)) if more else x

    return merge.name, passed


@tries(20)
@given(graph=graphs(), data=st.data())
def test_removed_residuals_are_what_torch_leaves_out(graph: Graph, data: st.DataObject) -> None:
    """On any drawn spec and any set of its blocks: the rebuilt network and the original one, cut by hand, agree."""
    written = {block.scope for block in find_residual_blocks(graph) if block.kind != "none"}
    found = [region for region in regions(graph) if region.shortcut or region.scope not in written]
    scopes = [region.scope for region in regions(graph)]
    found = [region for region in found if scopes.count(region.scope) == 1]
    assume(found)
    chosen = data.draw(st.lists(st.sampled_from(found), min_size=1, max_size=4, unique_by=lambda region: region.scope))
    cut, codes = tried(lambda: without_residual(graph, [region.scope for region in chosen]))
    if cut is None:
        assert codes == {"E870"}
        return
    state, x = weights(graph), drawn_input(graph)
    with torch.no_grad():
        expected, _ = by_hand(graph, dict(cut_by_hand(graph, region) for region in chosen), x, state)
        model = archspec.build(cut, weights=state).eval()
        assert same(model(x.clone()), expected)
    assert set(model.state_dict()) <= set(state)
    assert set(state) - set(model.state_dict()) == cut.trimmed - graph.trimmed


MERGED: dict[str, Callable[[list[Tensor]], Tensor]] = {
    "add": lambda ways: sum(ways[1:], ways[0]),
    "subtract": lambda ways: sum([-way for way in ways[1:]], ways[0]),
    "concat": lambda ways: torch.cat(ways, 1),
}


@tries(20)
@given(graph=graphs())
def test_the_parts_of_a_block_compute_the_block(graph: Graph) -> None:
    found = [block for block in find_residual_blocks(graph) if block.kind != "none"]
    assume(found)
    assert {region.scope for region in regions(graph) if region.shortcut} <= {block.scope for block in found}
    state = weights(graph)
    with torch.no_grad():
        _, values = by_hand(graph, {}, drawn_input(graph), state)
        for block in found[:3]:
            parts = split_block(graph, block)
            x = values[block.source]
            ways = [archspec.build(part, weights=state).eval()(x.clone()) for part in parts.residuals]
            ways.insert(parts.position, archspec.build(parts.shortcut, weights=state).eval()(x.clone()))
            merged = MERGED[parts.merge.name](ways)
            result = archspec.build(parts.after, weights=state).eval()(merged.clone())
            assert same(result, values[block.result])


@tries(15)
@given(graph=graphs(), data=st.data())
def test_blocks_in_another_order_are_modules_in_another_order(graph: Graph, data: st.DataObject) -> None:
    model = archspec.build(graph, seed=0).eval()
    modules = {name for name, _ in model.named_modules()}
    groups: dict[Any, list[str]] = {}
    for stage in graph.stages:
        for block in graph.blocks(stage):
            if block.scope in modules and graph.shape(block.source) == graph.shape(block.result):
                groups.setdefault((stage.first, graph.shape(block.source)), []).append(block.scope)
    scopes = [region.scope for region in regions(graph)]
    usable = [group for group in groups.values() if len(group) > 1 and all(scopes.count(each) == 1 for each in group)]
    assume(usable)
    group = data.draw(st.sampled_from(usable))
    order = dict(zip(group, data.draw(st.permutations(group)), strict=True))
    state, x = weights(graph), drawn_input(graph)
    moved, codes = tried(lambda: reordered(graph, order))
    if moved is None:
        assert codes == {"E871"}
        return
    original = {scope: model.get_submodule(scope) for scope in group}
    for place, scope in order.items():
        parent, _, name = place.rpartition(".")
        model.get_submodule(parent).add_module(name, original[scope])
    with torch.no_grad():
        rebuilt = archspec.build(moved, weights=state).eval()
        assert same(rebuilt(x.clone()), model(x.clone()))
    assert set(rebuilt.state_dict()) == set(state)
    blocks = [block.scope for stage in moved.stages for block in moved.blocks(stage)]
    assert blocks == [order.get(block.scope, block.scope) for stage in graph.stages for block in graph.blocks(stage)]


def test_a_written_sum_is_a_residual_block_too() -> None:
    found = archspec.residual_blocks(USER)
    named = [(b.scope, b.stage, b.fork, b.merge, b.shortcut, b.residuals, b.kind) for b in found if b.scope[-1] == "0"]
    first, second = ("layer1.0.add", "layer1.0.add2")
    assert named == [
        ("layer1.0", "layer1", "conv1", first, "conv1", ("layer1.0.b.conv1",), "identity"),
        (
            *("layer1.0", "layer1", "layer1.0.relu", second, "layer1.0.relu"),
            *(("layer1.0.conv1", "layer1.0.conv3"), "identity"),
        ),
        (
            *("layer2.0", "layer2", "layer1.1.add2", "layer2.0.concat", "layer1.1.add2"),
            *(("layer2.0.conv1",), "concatenation"),
        ),
        (
            *("layer3.0", "layer3", "layer3.0.bn1", "layer3.0.add", "layer3.0.maxpool"),
            *(("layer3.0.conv2",), "parameter-free"),
        ),
        ("layer4.0", "layer4", "", "", "", (), "none"),
    ]
    assert found[-1].reason == "its ways are multiplied in `layer4.1.multiply`, not added"


def test_blocks_that_join_or_add_twice_are_cut_too() -> None:
    """Zeros for what a concatenation gets from its residual, in place; a block with two sums keeps its activation."""
    graph = archspec.compile(USER)
    state, x = weights(graph), drawn_input(graph)
    cut = without_residual(graph, ["layer1.0", "layer2.0", "layer3.1", "layer4.0"])
    instead: dict[str, Callable[[dict[str, Tensor]], Tensor]] = {
        "layer1.0.add": lambda values: values["conv1"].clone(),
        "layer1.0.add2": lambda values: values["layer1.0.relu"].clone(),
        "layer2.0.concat": lambda values: torch.cat(
            [torch.zeros_like(values["layer1.1.add2"])[:, :8], values["layer1.1.add2"]], 1
        ),
        "layer3.1.add": lambda values: values["layer3.1.maxpool"].clone(),
        "layer4.0.multiply": lambda values: values["layer3.1.add"].clone(),
    }
    with torch.no_grad():
        expected, _ = by_hand(graph, instead, x, state)
        assert same(archspec.build(cut, weights=state).eval()(x), expected)


def test_a_part_of_a_zoo_of_blocks_has_the_reason() -> None:
    reasons = {name: {block.reason for block in archspec.residual_blocks(name)} for name in ("vgg11", "densenet121")}
    assert reasons == {"vgg11": {"it has no shortcut"}, "densenet121": {""}}
    found = archspec.residual_blocks("shufflenet_v2_x1_0")[1]
    assert found.reason == "its ways are joined in `stage2.1.concat`, and none of them is the whole input"
    kinds = [block.kind for block in archspec.residual_blocks("resnet56_cifar") if block.downsamples]
    assert kinds == ["parameter-free"] * 2


@pytest.mark.parametrize(
    ("merge", "steps"),
    [
        ("maximum", "[maximum: [[], [conv: {out: 8, kernel: 3}]]]"),
        ("minimum", "[minimum: [[conv: {out: 8, kernel: 3}], [act], []]]"),
        ("maximum", "[maximum: [[conv: {out: 8, kernel: 3}], [conv: {out: 8, kernel: 1}]]]"),
        ("upsample", "[as: x, pool: {type: max, kernel: 2}, upsample: {like: x}]"),
    ],
)
def test_what_neither_adds_nor_joins_has_no_residual(merge: str, steps: str) -> None:
    """So that the block passes its input on, which no zeros stand beside."""
    graph = archspec.compile(PLAIN + f"blocks: {{b: {{channels: width, steps: {steps}}}}}\n")
    first, second = archspec.residual_blocks(graph)
    assert (first.kind, second.kind) == ("none", "none")
    assert first.reason == f"its ways meet in `layer1.0.{merge}`, which is not an addition"
    cut = without_residual(graph, ["layer1.1"])
    state, x = weights(graph), drawn_input(graph)
    with torch.no_grad():
        expected, _ = by_hand(graph, {f"layer1.1.{merge}": lambda values: values[second.source].clone()}, x, state)
        assert same(archspec.build(cut, weights=state).eval()(x), expected)


PLAIN = """\
archspec: 1
name: plain
input: [3, 8, 8]
classes: 5
stem: [conv: {out: 8, kernel: 3}]
stages: {block: b, count: 2, channels: 8}
"""


SHRINKING = """\
archspec: 1
name: shrinking
input: [3, 32, 32]
classes: 10
blocks:
  valid: {channels: width, steps: [conv: {out: channels, kernel: 3, padding: 0}, act]}
stages: {block: valid, count: 2, channels: 8}
head: classifier
"""


def test_what_cannot_be_done_is_said_at_the_block() -> None:
    graph = archspec.compile(SHRINKING)
    blocks = archspec.residual_blocks(graph)
    with pytest.raises(SpecError) as caught:
        without_residual(graph, blocks)
    assert [(each.code, each.span and (each.span.line, each.span.column)) for each in caught.value.diagnostics] == [
        *[("E870", (7, 17))] * 2
    ]
    with pytest.raises(SpecError, match=r"7:17: error\[E871\].*`layer1.1` cannot run at the place of `layer1.0`"):
        reordered(graph, {"layer1.0": "layer1.1", "layer1.1": "layer1.0"})
    with pytest.raises(SpecError, match=r"7:17: error\[E872\].*it has no shortcut"):
        split_block(graph, blocks[0])
    with pytest.raises(SpecError, match="they are not in the same stage"):
        reordered(archspec.compile(USER), {"layer1.0": "layer2.1", "layer2.1": "layer1.0"})


def test_a_wrong_block_is_named() -> None:
    graph = archspec.compile("resnet20_cifar")
    other = archspec.residual_blocks(USER)[0]
    with pytest.raises(ValueError, match=r"`layer1.3`, and `resnet20_cifar` has no such block: did you mean"):
        without_residual(graph, ["layer1.3"])
    with pytest.raises(ValueError, match="has a block of another network"):
        without_residual(graph, [other])
    with pytest.raises(ValueError, match="not a block of `resnet20_cifar`"):
        split_block(graph, other)
    with pytest.raises(ValueError, match=r"once as what runs there: `layer1.2`"):
        reordered(graph, {"layer1.1": "layer1.0", "layer1.2": "layer1.1"})
    with pytest.raises(ValueError, match="the scope of 5 blocks"):
        reordered(archspec.compile("alexnet"), {"features": "features"})
    assert without_residual(graph, []) is graph
    assert reordered(graph, {"layer1.1": "layer1.1"}) is graph


def test_a_resized_input_keeps_its_place() -> None:
    """The source of a graph may be the network's own input."""
    graph = archspec.compile(SHRINKING.replace("padding: 0", "stride: 2").replace("stages:", "stem: []\nstages:"))
    cut = without_residual(graph, ["layer1.0"])
    assert [(node.name, node.inputs) for node in cut.nodes][:2] == [
        ("layer1.0.subsample", (INPUT,)),
        ("layer1.0.pad_channels", ("layer1.0.subsample",)),
    ]
    assert [(region.scope, region.first, region.last) for region in cut.regions] == [
        *[("layer1", 0, 4), ("layer1.0", 0, 2), ("layer1.1", 2, 4)]
    ]
