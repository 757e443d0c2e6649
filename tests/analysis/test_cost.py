"""Costs against torch and the papers."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import archspec
from archspec.analysis.cost import summarize
from tests.equivalence import compiled

PAPER_LAYERS = {
    "resnet18": 18,
    "resnet34": 34,
    "resnet50": 50,
    "resnet101": 101,
    "resnet152": 152,
    "resnet50_v1": 50,
    "resnext50_32x4d": 50,
    "resnet56_cifar": 56,
    "plain56_cifar": 56,
    "preact_resnet110_cifar": 110,
}


@pytest.mark.parametrize("name", PAPER_LAYERS)
def test_layers_are_the_papers_count(name: str) -> None:
    assert summarize(archspec.compile(name)).layers == PAPER_LAYERS[name]


def test_shortcuts_and_gates_are_no_layers() -> None:
    gated = """
        input: [3, 8, 8]
        stem: {use: cifar, width: 4}
        stages: {block: bottleneck, count: 2, channels: 4, se: 0.5}
        shortcut: projection-all
        """
    assert summarize(compiled(gated)).layers == 2 + 2 * 3


@pytest.mark.parametrize("name", ["resnet18", "resnext50_32x4d", "resnet56_cifar"])
def test_macs_are_half_of_what_torch_counts_as_flops(name: str) -> None:
    graph = archspec.compile(name)
    model = archspec.build(graph, device="meta").eval()
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, *graph.input, device="meta"))
    costs = summarize(graph)
    assert 2 * costs.macs == counter.get_total_flops()
    assert costs.params == sum(weight.numel() for weight in model.parameters())
    for stage in costs.stages:
        module = model.get_submodule(stage.scope)
        assert stage.params == sum(weight.numel() for weight in module.parameters())
        assert 2 * stage.macs == sum(counter.flop_counts[f"{type(model).__name__}.{stage.scope}"].values())
