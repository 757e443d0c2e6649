"""What `build` returns can be used as torchvision's model is: indexed, hooked, cut, checkpointed, traced, described."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.utils.checkpoint import checkpoint

import archspec
from archspec.operations.base import Operation
from tests.support.equivalence import assert_network, scramble, spec
from tests.support.paths import SPECS
from tests.support.reference import torchvision_model

NAMES = ("resnet18", "resnet50", "preact_resnet110_cifar")


@pytest.fixture(scope="module")
def pair() -> tuple[fx.GraphModule, nn.Module]:
    """ResNet-18 and torchvision's, with equal weights, in eval mode."""
    reference = torchvision_model("resnet18").eval()
    scramble(reference)
    return archspec.build("resnet18", weights=reference.state_dict()).eval(), reference


def images(size: int = 64) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))


def keep(found: dict[str, Any], scope: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    found[scope] = (inputs[0].clone(), output.clone())


# -- stages, blocks, hooks ---------------------------------------------------------------------------------------------


def test_stages_are_sequentials_of_blocks() -> None:
    model = archspec.build("resnet50", device="meta")
    assert isinstance(model, fx.GraphModule)
    assert type(model.layer4) is nn.Sequential
    assert len(model.layer3) == 6
    assert all(isinstance(block, fx.GraphModule) for block in model.layer3)
    assert model.layer4[2] is model.get_submodule("layer4.2") is model.layer4[-1]
    assert list(model.layer4[:2]) == [model.layer4[0], model.layer4[1]]
    assert type(model.layer4[0].downsample) is nn.Sequential
    assert type(model.layer4[0].downsample[0]) is nn.Conv2d
    assert [name for name, _ in model.named_children()] == [
        *("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool", "fc")
    ]


def test_modules_are_torchs_own_and_say_the_same_of_themselves() -> None:
    """Module by module where torchvision has one of the name: the same class with the same arguments."""
    model, reference = archspec.build("resnext50_32x4d"), torchvision_model("resnext50_32x4d")
    ours = dict(model.named_modules())
    for name, module in reference.named_modules():
        if not list(module.children()):
            assert type(ours[name]) is type(module)
            assert repr(ours[name]).replace("output_size=1", "output_size=(1, 1)") == repr(module)


def test_hooks_fire_with_torchvisions_values(pair: tuple[fx.GraphModule, nn.Module]) -> None:
    """On a stage, a block, a convolution, a norm, a shortcut and the classifier, in the order of torchvision."""
    scopes = ("conv1", "layer2", "layer4", "layer4.0", "layer4.1", "layer4.0.conv2", "layer4.0.downsample", "avgpool")
    found: list[dict[str, Any]] = []
    for model in pair:
        found.append({})
        handles = [model.get_submodule(s).register_forward_hook(partial(keep, found[-1], s)) for s in scopes]
        with torch.no_grad():
            model(images())
        for handle in handles:
            handle.remove()
    ours, theirs = found
    assert list(ours) == list(theirs)
    for scope in scopes:
        assert torch.equal(ours[scope][0], theirs[scope][0]), f"into {scope}"
        assert torch.equal(ours[scope][1], theirs[scope][1]), f"out of {scope}"


ORDERS = ("post", "norm-after-add", "act-before-add", "act-only-pre", "pre")


@pytest.mark.parametrize("shortcut", ["projection", "none"])
@pytest.mark.parametrize("order", ORDERS)
def test_what_a_hook_on_a_block_keeps_is_not_written_over(order: str, shortcut: str) -> None:
    """Feature extraction keeps the tensors themselves: what follows must leave alone what a block or stage returned.

    A block that ends with a norm or an addition is what tempts a ReLU, or an addition, to write over its result.
    """
    text = f"""
        input: [3, 16, 16]
        classes: 5
        stem: cifar
        stages: {{block: basic, count: 3, channels: [16, 24], stride: [1, 2]}}
        activation_order: {order}
        shortcut: {shortcut}
        """
    model = archspec.build(spec(text), seed=0)
    kept: dict[str, tuple[Tensor, Tensor]] = {}

    def hook(scope: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
        kept[scope] = (output, output.detach().clone())

    scopes = [f"layer{stage}{block}" for stage in (1, 2) for block in ("", ".0", ".1", ".2")]
    for scope in scopes:
        model.get_submodule(scope).register_forward_hook(partial(hook, scope))
    model(torch.randn(2, 3, 16, 16)).sum().backward()
    assert set(kept) == set(scopes)
    for scope, (value, before) in kept.items():
        assert torch.equal(value, before), scope


class Doubled(nn.Module):
    """A value that is read twice, by a ReLU and beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.layer1 = nn.Sequential(nn.Sequential())
        self.layer1[0].conv1, self.layer1[0].bn1 = nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer1(self.conv1(x))
        return self.fc((y + torch.relu(y)).mean((2, 3)))


def test_a_value_that_is_read_twice_is_not_written_over() -> None:
    text = """
        input: [3, 8, 8]
        classes: 5
        stem: [{conv: {out: 4, kernel: 3}}]
        blocks:
          doubled:
            channels: output width
            steps: [{conv: {out: channels}}, norm, {add: [[], [{act: {type: relu}}]]}]
        stages: {block: doubled, count: 1, channels: 4}
        """
    assert_network(text, Doubled())


def test_gradient_hooks_on_a_stage_give_a_class_activation_map() -> None:
    """Grad-CAM (Selvaraju et al. 2017): a full backward hook on `layer4` sees torchvision's gradient."""
    reference = torchvision_model("resnet18").eval()
    model = archspec.build("resnet18", weights=reference.state_dict()).eval()
    seen: list[Tensor] = []
    for network in (model, reference):
        network.layer4.register_full_backward_hook(lambda module, inputs, outputs: seen.append(outputs[0]))
        network(images())[:, 7].sum().backward()
    assert seen[0].shape == (2, 512, 2, 2)
    assert torch.equal(seen[0], seen[1])


def test_parts_can_be_replaced() -> None:
    """A head for another task, a stage cut to nothing, a block of one's own: as on torchvision's model."""
    reference = torchvision_model("resnet18")
    model = archspec.build("resnet18", weights=reference.state_dict())
    head = nn.Linear(512, 3)
    for network in (model, reference):
        network.fc = head
        network.layer3[1] = nn.Identity()
        network.layer4 = nn.Sequential(network.layer4[0])
        network.eval()
    assert torch.equal(model(images()), reference(images()))
    assert model(images()).shape == (2, 3)
    assert list(model.state_dict()) == list(reference.state_dict())


def test_blocks_can_be_called_and_chained(pair: tuple[fx.GraphModule, nn.Module]) -> None:
    model, reference = pair
    x = torch.randn(2, 64, 16, 16)
    with torch.no_grad():
        expected = reference.layer2(x)
        assert torch.equal(model.layer2(x), expected)
        assert torch.equal(model.layer2[1](model.layer2[0](x)), expected)
        assert torch.equal(nn.Sequential(*model.layer2)(x), expected)


@pytest.mark.parametrize("name", ["resnet50", "preact_resnet110_cifar"])
def test_blocks_can_be_checkpointed(name: str) -> None:
    """Computed twice, a block must find its input as it was: nothing in it may write over what it was given."""
    model = archspec.build(name, seed=0).eval()  # in train mode the running statistics would move twice
    x = torch.randn(2, 3, 32, 32)
    model(x).sum().backward()
    expected = {key: value.grad.clone() for key, value in model.named_parameters()}
    model.zero_grad()
    for stage in (model.layer1, model.layer2, model.layer3):
        for block in stage:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    model(x).sum().backward()
    for key, value in model.named_parameters():
        assert torch.equal(value.grad, expected[key]), key


def test_a_flat_model_is_one_graph_with_the_same_state() -> None:
    nested, flat = (archspec.build("resnet50", seed=0, flat=flat) for flat in (False, True))
    assert [module for module in flat.modules() if isinstance(module, fx.GraphModule)] == [flat]
    assert {str(node.target) for node in flat.graph.nodes} >= {"layer4.2.conv3", "layer1.0.downsample.1"}
    for (key, value), (other, wanted) in zip(flat.state_dict().items(), nested.state_dict().items(), strict=True):
        assert key == other
        assert torch.equal(value, wanted)
    assert flat.meta["archspec"] == nested.meta["archspec"]


def test_models_are_made_in_training_mode() -> None:
    for flat in (False, True):
        model = archspec.build("resnet18", device="meta", flat=flat)
        assert all(module.training for module in model.modules())


# -- the fx graphs -----------------------------------------------------------------------------------------------------


def graph_modules(model: nn.Module) -> Iterator[tuple[str, fx.GraphModule]]:
    yield from ((path, m) for path, m in model.named_modules() if isinstance(m, fx.GraphModule))


@pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])
@pytest.mark.parametrize("name", NAMES)
def test_every_node_says_what_it_stands_for(name: str, flat: bool) -> None:
    """Scope, operation, shape and a place in the spec, or in what it extends, that exists."""
    model = archspec.build(name, device="meta", flat=flat)
    texts = {path.name: path.read_text().splitlines() for path in SPECS.glob("*.yaml")}
    count = 0
    for path, module in graph_modules(model):
        module.graph.lint()
        for node in module.graph.nodes:
            count += 1
            meta = node.meta
            assert meta.keys() >= {"scope", "operation", "shape", "span"}, f"{path}: {node}"
            file, line, column = meta["span"].rsplit(":", 2)
            assert texts[file][int(line) - 1][int(column) - 1 :].strip(), meta["span"]
            if node.op == "call_module":
                target = f"{path}.{node.target}" if path else node.target
                assert meta["scope"] == target
                module_ = model.get_submodule(target)
                if isinstance(module_, nn.Conv2d):
                    assert isinstance(meta["operation"], Operation)
                    assert meta["operation"].name == "conv"
                    assert meta["shape"][0] == module_.out_channels
    assert count > 60


@pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])
def test_shapes_in_meta_are_those_that_torch_propagates(flat: bool) -> None:
    """`ShapeProp` interprets the graph; its shapes, the batch in front, are the inferred ones, also inside blocks."""
    model = archspec.build("resnet50", flat=flat).eval()
    found = 0
    for _, module in graph_modules(model):
        placeholder = next(iter(module.graph.nodes))
        ShapeProp(module).propagate(torch.zeros(1, *placeholder.meta["shape"]))
        for node in module.graph.nodes:
            assert tuple(node.meta["tensor_meta"].shape) == (1, *node.meta["shape"]), node
            found += 1
    assert found > 150


def test_meta_names_the_spec_it_was_made_from() -> None:
    model = archspec.build("resnet18", device="meta")
    same, other = archspec.build("resnet18", device="meta"), archspec.build("resnet34", device="meta")
    described = model.meta["archspec"]
    assert described["name"] == "resnet18"
    assert described["language"] == 1
    assert re.fullmatch("[0-9a-f]{64}", described["hash"])
    assert described == same.meta["archspec"]
    assert described["hash"] != other.meta["archspec"]["hash"]


BOTTLENECK = """
def forward(self, x):
    conv1 = self.conv1(x)
    bn1 = self.bn1(conv1);  conv1 = None
    relu = self.relu(bn1);  bn1 = None
    conv2 = self.conv2(relu);  relu = None
    bn2 = self.bn2(conv2);  conv2 = None
    relu2 = self.relu2(bn2);  bn2 = None
    conv3 = self.conv3(relu2);  relu2 = None
    bn3 = self.bn3(conv3);  conv3 = None
    downsample = self.downsample(x);  x = None
    add = bn3.add_(downsample);  bn3 = downsample = None
    relu3 = self.relu3(add);  add = None
    return relu3
"""


def test_code_reads_like_a_forward_written_by_hand() -> None:
    model = archspec.build("resnet50", device="meta")
    assert model.layer3[0].code.strip() == BOTTLENECK.strip()
    assert "layer4 = self.layer4(layer3)" in model.code
    assert "layer3_0_add = layer3_0_bn3.add_(" in archspec.build("resnet50", device="meta", flat=True).code


MERGES = """
    input: [4, 8, 8]
    classes: 3
    stem: [{conv: {out: 4, kernel: 3}}]
    blocks:
      many:
        channels: output width
        steps:
          - add: [[], [{conv: {out: 4}}], [{conv: {out: 4}}, {act: {type: relu}}]]
          - multiply: [[{pool: {type: avg, output: 1}}], [{pool: {type: max, output: 1}}], []]
          - concat: {left: [{conv: {out: 2}}], right: [{conv: {out: 2}}, act]}
    stages: {block: many, count: 2, channels: 4}
    """


@pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])
def test_an_operation_of_several_nodes_describes_each(flat: bool) -> None:
    """A merge of three is two calls; each intermediate value has its own shape."""
    model = archspec.build(spec(MERGES), flat=flat).eval()
    folded = 0
    for _, module in graph_modules(model):
        placeholder = next(iter(module.graph.nodes))
        ShapeProp(module).propagate(torch.zeros(1, *placeholder.meta["shape"]))
        for node in module.graph.nodes:
            assert tuple(node.meta["tensor_meta"].shape) == (1, *node.meta["shape"]), node
            folded += getattr(node.meta["operation"], "name", "") in ("add", "multiply")
    assert folded == 8
