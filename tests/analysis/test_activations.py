"""Activations with and without global pools, by hooks on torch's modules."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import archspec
from tests.support.reference import torchvision_model

LAYERS = (nn.Conv2d, nn.Linear)
WINDOWS = (nn.MaxPool2d, nn.AvgPool2d)


def counted(model: nn.Module, size: int) -> tuple[int, int, int]:
    """The outputs of one example: of convolutions alone, as pycls counts them, and with global pools."""
    sums = dict.fromkeys(("convolutions", "others", "pooled"), 0)

    def count(module: nn.Module, _: Any, output: torch.Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            sums["convolutions"] += output.numel()
        elif isinstance(module, (nn.Linear, *WINDOWS)):
            sums["others"] += output.numel()
        elif isinstance(module, nn.AdaptiveAvgPool2d):
            assert output.shape[2:] == (1, 1)
            sums["pooled"] += output.numel()

    for module in model.modules():
        module.register_forward_hook(count)
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, size, size))
    first, others, pooled = sums.values()
    return first, first + others, first + others + pooled


@pytest.mark.parametrize("name", ["regnet_x_400mf", "regnet_y_400mf", "resnet18", "mobilenet_v3_small", "vgg11"])
def test_activations_are_those_of_the_hooks(name: str) -> None:
    """Squeeze-and-excitation gates have global pools of their own; VGG's adaptive pool has 49 positions."""
    model = torchvision_model(name)
    if name == "vgg11":
        model.avgpool = nn.AvgPool2d(1)  # what pooling 7x7 to 7x7 does
    convolutions, without, every = counted(model, 224)
    totals = archspec.analyze(name).totals
    assert (totals.activations_without_global_pools, totals.costs.activations) == (without, every)
    assert sum(part.costs.activations for part in archspec.analyze(name).nodes if part.block == "conv") == convolutions
    assert without < every or name == "vgg11"


def test_a_pool_over_the_whole_map_by_a_kernel_is_a_window() -> None:
    text = "archspec: 1\nname: t\ninput: [2, 4, 4]\nstem: []\nstages: []\nhead: [HEAD, flatten]\n"
    for head, without in (("pool: {type: avg, output: 1}", 0), ("pool: {type: avg, kernel: 4}", 2)):
        totals = archspec.analyze(text.replace("HEAD", head)).totals
        assert (totals.costs.activations, totals.activations_without_global_pools) == (2, without)
