"""The plan of modules: trees written by hand, and what holds of any network's plan, against torch's own modules."""

from __future__ import annotations

from textwrap import dedent

import pytest
from hypothesis import given
from torch import fx, nn

import archspec
from archspec.graph.graph import INPUT, Graph
from archspec.graph.nesting import alike, nest
from archspec.graph.plan import Call, Module
from archspec.testing import graphs
from tests.support.properties import tries
from tests.support.sources import assert_same_network

RESIDUAL = """
archspec: 1
name: tiny
input: [3, 8, 8]
classes: 5
stem: [conv: {out: 4, kernel: 3}]
stages: {block: basic, count: [1, 2], channels: [4, 8], stride: [1, 2]}
head: classifier
"""

GATED = """
archspec: 1
name: gated
input: [4, 6, 6]
classes: 2
stem: []
blocks:
  gated:
    residual:
      - conv: {out: 4, kernel: 3}
      - multiply:
          skip: []
          gate: [pool: {type: avg, output: 1}, conv: {out: 4}, act: {type: sigmoid}]
stages: {block: gated, count: 1}
head: []
outputs: [layer1, layer1.0]
"""


def tree(module: Module, indent: str = "") -> list[str]:
    """A plan as text, a line a module or node, each with what it reads."""
    gives = f"{module.outputs}" if module.outputs else module.result
    lines = [f"{indent}{module.kind} {module.path} {module.class_name}: {module.inputs[0]} -> {gives}"]
    for member in module.members:
        if isinstance(member, Module):
            lines += tree(member, f"{indent}  ")
        else:
            lines.append(f"{indent}  {module.relative(member)}: {', '.join(member.inputs)}")
    return lines


def test_blocks_in_stages_and_a_numbered_shortcut() -> None:
    assert "\n".join(tree(nest(archspec.compile(RESIDUAL)))) == dedent("""\
        model  Tiny: input -> fc
          conv1: input
          sequential layer1 Basic: conv1 -> layer1.0.relu2
            block layer1.0 Basic: conv1 -> layer1.0.relu2
              conv1: conv1
              bn1: layer1.0.conv1
              relu: layer1.0.bn1
              conv2: layer1.0.relu
              bn2: layer1.0.conv2
              add: layer1.0.bn2, conv1
              relu2: layer1.0.add
          sequential layer2 Basic: layer1.0.relu2 -> layer2.1.relu2
            block layer2.0 Basic: layer1.0.relu2 -> layer2.0.relu2
              conv1: layer1.0.relu2
              bn1: layer2.0.conv1
              relu: layer2.0.bn1
              conv2: layer2.0.relu
              bn2: layer2.0.conv2
              sequential layer2.0.downsample Sequence: layer1.0.relu2 -> layer2.0.downsample.1
                0: layer1.0.relu2
                1: layer2.0.downsample.0
              add: layer2.0.bn2, layer2.0.downsample.1
              relu2: layer2.0.add
            block layer2.1 Basic: layer2.0.relu2 -> layer2.1.relu2
              conv1: layer2.0.relu2
              bn1: layer2.1.conv1
              relu: layer2.1.bn1
              conv2: layer2.1.relu
              bn2: layer2.1.conv2
              add: layer2.1.bn2, layer2.0.relu2
              relu2: layer2.1.add
          avgpool: layer2.1.relu2
          flatten: avgpool
          fc: flatten""")


def test_outputs_by_label_and_a_scope_that_is_written_out() -> None:
    """The gate reads one value and gives one, but its parts are not numbered. The addition writes over the product."""
    outputs = {"layer1": "layer1.0.relu", "layer1.0": "layer1.0.relu"}
    assert tree(nest(archspec.compile(GATED))) == [
        f"model  Gated: input -> {outputs}",
        "  sequential layer1 Gated: input -> layer1.0.relu",
        "    block layer1.0 Gated: input -> layer1.0.relu",
        "      conv1: input",
        "      gate.avgpool: layer1.0.conv1",
        "      gate.conv1: layer1.0.gate.avgpool",
        "      gate.sigmoid: layer1.0.gate.conv1",
        "      multiply: layer1.0.conv1, layer1.0.gate.sigmoid",
        "      add: layer1.0.multiply, input",
        "      relu: layer1.0.add",
    ]


@pytest.mark.parametrize("fine", [False, True])
@pytest.mark.parametrize(
    ("names", "blocks"),
    [
        ('stage: "body.layer{stage}"', ["body.layer1.0", "body.layer2.0", "body.layer2.1"]),
        ('stage: "body.trunk.{stage}"', ["body.trunk.1.0", "body.trunk.2.0", "body.trunk.2.1"]),
        ('stage: body, block: "block{number}"', ["body.block0", "body.block1", "body.block2"]),
        ('stage: "", block: "body.{number + 1}.block"', ["body.1.block", "body.2.block", "body.3.block"]),
    ],
)
def test_blocks_in_a_scope_that_starts_before_another_layer(names: str, blocks: list[str], fine: bool) -> None:
    """The scope has a layer of the stem, and the one after it is not in it, so the scope itself is not a module."""
    stem = f"stem: [conv: {{out: 4, kernel: 3, name: body.conv}}, norm: {{name: bn}}, act]\nnaming: {{{names}}}"
    graph = archspec.compile(RESIDUAL.replace("stem: [conv: {out: 4, kernel: 3}]", stem))
    plan = nest(graph, fine=fine)
    assert [module.path for module in plan.modules() if module.kind == "block"] == blocks
    assert "body" not in [module.path for module in plan.modules()]
    assert_same_network(archspec.source(graph), graph)


def test_flat_is_one_module() -> None:
    graph = archspec.compile(RESIDUAL)
    plan = nest(graph, flat=True)
    assert [plan.relative(member) for member in plan.members] == [node.name for node in graph.nodes]


def test_blocks_with_equal_operations_and_shapes_are_alike() -> None:
    """ResNet-50: the first block of a stage differs from those after it, and stages differ in their widths."""
    graph = archspec.compile("resnet50")
    numbers = alike(graph, nest(graph))
    by_stage = [[numbers[block.scope] for block in graph.blocks(stage)] for stage in graph.stages]
    assert [[row.index(number) for number in row] for row in by_stage] == [
        [0, 1, 1],
        [0, 1, 1, 1],
        [0, 1, 1, 1, 1, 1],
        [0, 1, 1],
    ]
    assert len({number for row in by_stage for number in row}) == 8


def test_blocks_whose_factors_are_equal_but_not_the_same_are_not_alike() -> None:
    head = "archspec: 1\nname: factors\ninput: [3, 4, 4]\nstem: []\nhead: []\nstages: [{block: own, count: 4, "
    text = head + "f: [0.0, -0.0, 1, 1.0]}]\nblocks: {own: {params: {f: 1}, residual: [scale: {by: f}]}}\n"
    graph = archspec.compile(text)
    numbers = alike(graph, nest(graph))
    assert len({numbers[f"layer1.{index}"] for index in range(4)}) == 4


@tries(60)
@given(graph=graphs())
def test_every_node_is_in_one_module_and_values_chain(graph: Graph) -> None:
    modules = list(nest(graph).modules())
    assert [call.node for call in _calls(modules[0])] == list(graph.nodes)
    for module in modules:
        known = [module.inputs[0]]
        for member in module.members:
            assert member.path.startswith(f"{module.path}.") or not module.path
            assert set(member.inputs) <= set(known)
            if module.kind == "sequential":
                assert member.inputs == (known[-1],)
            known.append(member.result)
        assert set((module.outputs or {"": module.result}).values()) <= set(known)
    assert modules[0].inputs == (INPUT,)


def _calls(module: Module) -> list[Call]:
    return [call for member in module.members for call in (_calls(member) if isinstance(member, Module) else [member])]


@tries(40)
@given(graph=graphs())
def test_torch_has_the_modules_of_the_plan(graph: Graph) -> None:
    """By path and kind; and modules that are alike are the same code over the same weights."""
    plan = nest(graph)
    model = archspec.build(graph, device="meta")
    nested = {
        path: module for path, module in model.named_modules() if isinstance(module, fx.GraphModule | nn.Sequential)
    }
    kinds = {path: "sequential" if type(module) is nn.Sequential else "block" for path, module in nested.items()}
    assert kinds == {module.path: module.kind for module in plan.modules()} | {"": "block"}
    first: dict[int, object] = {}
    for path, number in alike(graph, plan).items():
        assert _description(nested[path]) == first.setdefault(number, _description(nested[path]))


def _description(module: nn.Module) -> tuple[object, ...]:
    """All that a module says of itself: class, parts, code, and the shapes of its state dict."""
    codes = [each.code for each in module.modules() if isinstance(each, fx.GraphModule)]
    shapes = {key: value.shape for key, value in module.state_dict().items()}
    return type(module).__name__, str(module), codes, shapes
