"""Backbones that return several maps, and networks over one and three dimensions."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

import archspec
from archspec.language.load import load
from tests.support.equivalence import assert_network
from tests.support.reference import torchvision_model

NESTED_AND_FLAT = pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])


@NESTED_AND_FLAT
def test_a_backbone_returns_torchvisions_maps(flat: bool) -> None:
    """As torchvision's `IntermediateLayerGetter` gives them, with the head left out, in the order of the spec."""
    reference = torchvision_model("resnet18").eval()
    scopes = ["layer1", "layer2", "layer3", "layer4"]
    backbone = archspec.build(
        load("resnet18", overrides=["outputs=[layer1, layer2, layer3, layer4]"]), flat=flat
    ).eval()
    backbone.load_state_dict({k: v for k, v in reference.state_dict().items() if k in backbone.state_dict()})
    assert not any(key.startswith("fc") for key in backbone.state_dict())
    x = torch.randn(2, 3, 96, 64)
    expected: dict[str, Tensor] = {}
    for scope in scopes:
        reference.get_submodule(scope).register_forward_hook(
            lambda module, inputs, output, scope=scope: expected.__setitem__(scope, output)
        )
    with torch.no_grad():
        reference(x)
        for model in (backbone, copy.deepcopy(backbone), pickle.loads(pickle.dumps(backbone))):
            found = model(x)
            assert list(found) == scopes
            for scope in scopes:
                assert torch.equal(found[scope], expected[scope]), scope
    (end,) = (node for node in backbone.graph.nodes if node.op == "output")
    assert end.meta["shape"] == {
        scope: (channels, size, size)
        for scope, channels, size in zip(scopes, (64, 128, 256, 512), (56, 28, 14, 7), strict=True)
    }
    exported = torch.export.export(backbone, (x,)).module()
    assert torch.equal(exported(x)["layer2"], expected["layer2"])


def test_gradients_reach_every_output_of_a_backbone() -> None:
    """No map that is given out is written over by the stage that reads it."""
    backbone = archspec.build(load("resnet18", overrides=["outputs=[layer1, layer2, layer4]"]), seed=0)
    found = backbone(torch.randn(2, 3, 64, 64))
    before = {scope: value.detach().clone() for scope, value in found.items()}
    sum(value.square().mean() for value in found.values()).backward()
    assert all(torch.equal(found[scope], value) for scope, value in before.items())
    assert all(value.grad is not None and value.grad.isfinite().all() for value in backbone.parameters())


class Signal(nn.Module):
    """A residual network over one or three dimensions."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        conv = {1: nn.Conv1d, 3: nn.Conv3d}[rank]
        norm = {1: nn.BatchNorm1d, 3: nn.BatchNorm3d}[rank]
        self.pool = {1: functional.adaptive_avg_pool1d, 3: functional.adaptive_avg_pool3d}[rank]
        self.conv1, self.bn1 = conv(2, 16, 3, 1, 1, bias=False), norm(16)
        for number, (inputs, channels, stride) in enumerate(((16, 16, 1), (16, 24, 2)), start=1):
            block = nn.Module()
            block.conv1, block.bn1 = conv(inputs, channels, 3, stride, 1, bias=False), norm(channels)
            block.conv2, block.bn2 = conv(channels, channels, 3, 1, 1, bias=False), norm(channels)
            if stride > 1:
                block.downsample = nn.Sequential(conv(inputs, channels, 1, stride, bias=False), norm(channels))
            self.add_module(f"layer{number}", nn.ModuleList([block]))
        self.fc = nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        for block in (self.layer1[0], self.layer2[0]):
            y = block.bn2(block.conv2(functional.relu(block.bn1(block.conv1(x)))))
            x = functional.relu(y + (block.downsample(x) if hasattr(block, "downsample") else x))
        return self.fc(self.pool(x, 1).flatten(1))


@pytest.mark.parametrize(("rank", "size"), [(1, [40]), (3, [5, 8, 7])], ids=["1d", "3d"])
def test_one_and_three_dimensions(rank: int, size: list[int]) -> None:
    text = f"""
        input: {[2, *size]}
        classes: 3
        stem: cifar
        stages: {{block: basic, count: 1, channels: [16, 24], stride: [1, 2]}}
        """
    model = assert_network(text, Signal(rank))
    assert isinstance(model.layer2[0], fx.GraphModule)
    x = torch.randn(2, 2, *size)
    assert torch.equal(pickle.loads(pickle.dumps(model.eval()))(x), model(x))
