"""The signal at initialization, compared with live torch: gradients, activations, and what every spec gives."""

from __future__ import annotations

import math

import pytest
import torch

import archspec
from archspec.language.text.locate import zoo_names

SMALL = ["stages.count=3", "input=[3, 16, 16]"]
SEEDS = 3


def measured(spec: archspec.Spec, seed: int) -> list[tuple[float, float]]:
    """Of each block, the variance of its output and the norm of the gradient there, for images of noise."""
    graph = archspec.compile(spec)
    model = archspec.build(graph, seed=seed).train()
    torch.manual_seed(seed)
    found: list[torch.Tensor] = []
    for region in graph.regions:
        if region.kind == "block":
            module = model.get_submodule(region.scope)
            module.register_forward_hook(lambda _module, _inputs, output: found.append(output) or output.retain_grad())
    logits = model(torch.randn(16, *graph.input))
    torch.nn.functional.cross_entropy(logits, torch.randint(0, logits.shape[1], (16,))).backward()
    return [(value.var().item(), value.grad.norm().item()) for value in found if value.grad is not None]


@pytest.mark.parametrize("shortcut", ["none", "zero-pad", "projection", "projection-all"])
@pytest.mark.parametrize("order", ["post", "pre", "norm-after-add", "act-before-add", "act-only-pre"])
def test_gradients_and_activations_are_those_that_torch_computes(shortcut: str, order: str) -> None:
    if shortcut == "none" and order != "post":
        return
    spec = archspec.load("resnet20_cifar", overrides=[*SMALL, f"shortcut={shortcut}", f"activation_order={order}"])
    report = archspec.signal(spec)
    runs = [measured(spec, seed) for seed in range(SEEDS)]
    for number, block in enumerate(report.blocks):
        norms = [math.log(run[number][1] / run[-1][1]) for run in runs]
        assert block.gradient_norm == pytest.approx(math.exp(sum(norms) / SEEDS), rel=0.35), block.scope
        variances = [run[number][0] for run in runs]
        assert block.activation_variance == pytest.approx(sum(variances) / SEEDS, rel=0.35), block.scope


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo_names())
def test_every_spec_of_the_zoo_has_a_signal(name: str) -> None:
    report = archspec.signal(name)
    assert not report.unavailable
    assert report.blocks
    assert all(math.isfinite(block.gradient_norm) and block.activation_variance > 0 for block in report.blocks)
