"""What is measured on networks, against networks that are built, hooks of torch, and sums over single paths."""

from __future__ import annotations

import copy
import random
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given
from torch import Tensor, fx, nn
from torch.nn import functional

import archspec
from archspec import SpecError
from archspec.graph.graph import INPUT, Graph
from archspec.lab.data import load_data
from archspec.lab.measures import (
    gradient_autocorrelation,
    gradient_by_length,
    gradient_flow,
    scores,
    shortcut_shares,
)
from archspec.lab.measures.calibration import calibration_batches, recalibrate
from archspec.lab.measures.functions import NodeFunctions, run_steps
from archspec.lab.measures.path_sampling import PathSampler
from archspec.lab.training import evaluate
from archspec.passes import reordered, split_block, without_residual
from archspec.testing import graphs
from tests.support.properties import tries
from tests.support.returned import returned

LABELS = torch.arange(6) % 5
ORDERS = ("post", "pre", "act-before-add", "act-only-pre", "norm-after-add")


def images(graph: Graph, number: int = 6) -> Tensor:
    return torch.randn(number, *graph.input, generator=torch.Generator().manual_seed(1))


def small(*overrides: str) -> Graph:
    settings = ["params.width=4", "stages.count=2", "classes=5", "input=[1,8,8]", *overrides]
    return archspec.compile("resnet20_cifar", overrides=settings)


def warmed(graph: Graph) -> fx.GraphModule:
    """A model whose running statistics fit."""
    model = archspec.build(graph, seed=0)
    recalibrate(model, images(graph, 64))
    return model


@tries(12)
@given(graph=graphs())
def test_nodes_one_by_one_are_the_model(graph: Graph) -> None:
    model = archspec.build(graph, seed=0).eval()
    x = torch.randn(2, *graph.input, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = returned(model(x.clone()))
        ends = {*graph.outputs.values()}
        found = run_steps(NodeFunctions(model).steps(graph, ends), {INPUT: x})
    labels = [label for label in graph.outputs if label not in graph.training]
    for label, value in zip(labels, expected, strict=True):
        assert torch.allclose(found[graph.outputs[label]], value, rtol=1e-5, atol=1e-6, equal_nan=True), label


def test_scores_are_those_of_built_networks() -> None:
    data = load_data("synthetic", size=8)
    settings = [f"input={list(data.input)}", f"classes={len(data.classes)}", "params.width=4"]
    graph = archspec.compile("resnet20_cifar", overrides=settings)
    model = archspec.build(graph, seed=0)
    recalibrate(model, data.train.images)
    state = copy.deepcopy(model.state_dict())
    operated = [
        graph,
        without_residual(graph, ["layer1.1"]),
        without_residual(graph, ["layer2.0", "layer3.2"]),
        reordered(graph, {"layer2.1": "layer2.2", "layer2.2": "layer2.1"}),
    ]
    plain = scores(model, graph, operated, data.test)
    calibrated = scores(model, graph, operated, data.test, calibration=data.train.images)
    for each, one, two in zip(operated, plain, calibrated, strict=True):
        built = archspec.build(each, weights=state)
        assert evaluate(built, data.test) == pytest.approx(one, rel=1e-5)
        recalibrate(built, data.train.images)
        assert evaluate(built, data.test) == pytest.approx(two, rel=1e-5)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_statistics_are_of_mixed_images() -> None:
    ordered = torch.arange(1000.0).reshape(-1, 1, 1, 1)
    batches = calibration_batches(ordered)
    assert sum(map(len, batches)) == 512
    assert all(abs(batch.mean() - 500) < 80 for batch in batches)


class Weighed(fx.Interpreter):
    """Runs a flat model in which the Jacobian of each residual is ``weight`` times what it was."""

    def __init__(self, model: fx.GraphModule, residuals: set[str], weight: float) -> None:
        super().__init__(model)
        self.residuals, self.weight = residuals, weight

    def run_node(self, n: fx.Node) -> Any:
        found = super().run_node(n)
        if n.meta.get("scope") in self.residuals:
            found = found.detach() + self.weight * (found - found.detach())
        return found


@pytest.mark.parametrize("setting", [*[f"activation_order={order}" for order in ORDERS], "shortcut=projection"])
def test_gradients_by_length_are_the_coefficients_of_a_polynomial(setting: str) -> None:
    """With every residual's Jacobian times t, the gradient is the sum of t^k G_k: values at n + 1 points give all."""
    graph = small(setting)
    model = warmed(graph)
    x, blocks = images(graph), archspec.residual_blocks(graph)
    found = gradient_by_length(model, graph, x, LABELS, samples=1)
    flat = archspec.build(graph, weights=model.state_dict(), flat=True).double().eval()
    points = torch.linspace(0, 1.5, len(blocks) + 1, dtype=torch.float64)
    rows = []
    for point in points.tolist():
        weighed = Weighed(flat, {block.residual for block in blocks}, point)
        rows.append(_gradient_at(weighed, graph, blocks[0].source, x))
    powers = points.unsqueeze(1) ** torch.arange(len(points))
    parts = torch.linalg.solve(powers, torch.stack(rows).flatten(1)).reshape(len(points), len(x), -1)
    assert torch.allclose(torch.tensor(found.exact), parts.norm(dim=2).mean(1).float(), rtol=1e-4, atol=1e-9)
    whole = parts.sum(0)
    signed = ((parts * whole).sum(2) / whole.square().sum(1)).mean(1)
    assert found.signed == pytest.approx(signed.tolist(), rel=1e-6, abs=1e-8)
    assert found.error < 1e-12
    assert found.counts == (1, 6, 15, 20, 15, 6, 1)


def _gradient_at(interpreter: fx.Interpreter, graph: Graph, name: str, x: Tensor) -> Tensor:
    """The gradient of the loss at a value of a flat model."""
    kept: list[Tensor] = []

    def keep(n: fx.Node) -> Any:
        found = type(interpreter).run_node(interpreter, n)
        if n.meta.get("scope") == name:
            found.requires_grad_()
            kept.append(found)
            return found.clone()  # what reads it may write over it
        return found

    interpreter.run_node = keep  # type: ignore[method-assign]
    loss = functional.cross_entropy(interpreter.run(x.double()), LABELS, reduction="sum")
    return torch.autograd.grad(loss, kept[0])[0]


def test_a_sampled_path_of_no_residuals_is_that_of_shortcuts() -> None:
    """Of length 0 and of the full length there is one path, so that single paths and their sum are the same."""
    graph = small()
    found = gradient_by_length(warmed(graph), graph, images(graph), LABELS)
    for end in (0, -1):
        assert found.sampled[end] == pytest.approx(found.exact[end], rel=1e-9)
    assert all(many >= mean * 0.2 for many, mean in zip(found.sampled, found.exact, strict=True))
    low, high = found.interval()
    assert 0 <= low <= found.means["sampled"] <= high <= 6


def test_merges_of_three_and_concatenations_have_paths_too() -> None:
    text = """\
archspec: 1
name: mixed
input: [1, 8, 8]
classes: 5
blocks:
  three: {channels: width, steps: [add: [[], [conv: {out: channels, kernel: 3}], [act, conv: {out: channels}]]]}
  dense: {channels: new, merge: concat, residual: [norm, act, conv: {out: channels, kernel: 3}]}
stem: [conv: {out: 4, kernel: 3}]
stages: [{block: three, count: 2, channels: 4}, {block: dense, count: 2, channels: 3, shortcut: identity}]
head: classifier
"""
    graph = archspec.compile(text)
    found = gradient_by_length(warmed(graph), graph, images(graph), LABELS)
    assert found.counts == (1, 6, 13, 12, 4)  # (1 + 2x)^2 (1 + x)^2
    assert found.error < 1e-12
    assert sum(found.signed) == pytest.approx(1)


def test_paths_are_drawn_uniformly() -> None:
    sampler = PathSampler([1, 2, 1], random.Random(0))
    drawn = Counter(tuple(sampler.path(2)) for _ in range(5000))
    assert set(drawn) == {(1, 1, 0), (1, 2, 0), (1, 0, 1), (0, 1, 1), (0, 2, 1)}
    assert max(drawn.values()) - min(drawn.values()) < 200
    assert sampler.count(2) == 5


def _hooked(model: fx.GraphModule, graph: Graph, x: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The output of every block and the gradient there, by hooks on its module."""
    outputs: dict[str, Tensor] = {}
    for region in graph.regions:
        if region.kind == "block":

            def keep(module: nn.Module, inputs: Any, output: Tensor, scope: str = region.scope) -> Tensor:
                outputs[scope] = output
                output.retain_grad()
                return output.clone()

            model.get_submodule(region.scope).register_forward_hook(keep)
    functional.cross_entropy(model(x), LABELS, reduction="sum").backward()
    return outputs, {scope: output.grad for scope, output in outputs.items() if output.grad is not None}


def test_the_flow_is_what_hooks_see() -> None:
    graph = small("activation_order=pre")
    model, x = archspec.build(graph, seed=0), images(graph)
    outputs, gradients = _hooked(copy.deepcopy(model).train(), graph, x)
    for flow in gradient_flow(model, graph, x, LABELS):
        output = outputs[flow.scope].detach()
        assert flow.gradient_norm == pytest.approx(gradients[flow.scope].norm().item() / len(x), rel=1e-4)
        assert (flow.mean, flow.variance) == pytest.approx(
            (output.mean().item(), output.var(correction=0).item()), rel=1e-4, abs=1e-6
        )
        assert flow.within + flow.between == pytest.approx(flow.variance)


@pytest.mark.parametrize("order", ORDERS)
def test_the_share_is_that_of_the_parts(order: str) -> None:
    graph = small(f"activation_order={order}")
    model, x = warmed(graph), images(graph)
    outputs, gradients = _hooked(copy.deepcopy(model).eval(), graph, x)
    blocks = archspec.residual_blocks(graph)
    for number, share in list(enumerate(shortcut_shares(model, graph, x, LABELS)))[1:]:
        source, result = (blocks[place].scope for place in (number - 1, number))
        parts = split_block(graph, blocks[number])
        ways = [
            archspec.build(each, weights=model.state_dict()).eval() for each in (parts.shortcut, parts.residuals[0])
        ]
        inputs = [outputs[source].detach().requires_grad_() for _ in ways]
        merged = ways[0](inputs[0].clone()) + ways[1](inputs[1].clone())
        merged.retain_grad()
        archspec.build(parts.after, weights=model.state_dict()).eval()(merged.clone()).backward(gradients[result])
        norms = [each.grad.flatten(1).norm(dim=1) for each in inputs if each.grad is not None]
        assert share.share == pytest.approx((norms[0] / (norms[0] + norms[1])).median().item(), rel=1e-4)
        here = gradients[source].flatten(1).norm(dim=1)
        assert share.shrunk == int((here < gradients[result].flatten(1).norm(dim=1)).sum())
        assert merged.grad is not None
        assert share.shrunk_at_sum == int((here < merged.grad.flatten(1).norm(dim=1)).sum())


def test_shattered_gradients() -> None:
    """The signs of Balduzzi et al. 2017: neighbors' gradients are alike with shortcuts, and unrelated without."""
    found = {}
    for shortcut in ("none", "zero-pad"):
        graph = small("stages.count=6", f"shortcut={shortcut}")
        ends = images(graph, 2)
        found[shortcut] = gradient_autocorrelation(archspec.build(graph, seed=0), graph, *ends, label=0)
    assert found["none"] < 0.3 < 0.4 < found["zero-pad"]


def test_without_shortcuts_there_are_no_lengths() -> None:
    graph = small("shortcut=none")
    model = archspec.build(graph, seed=0)
    with pytest.raises(SpecError, match=r"E872.*no block of `resnet20_cifar` has a shortcut"):
        gradient_by_length(model, graph, images(graph), LABELS)
    assert shortcut_shares(model, graph, images(graph), LABELS) == ()
