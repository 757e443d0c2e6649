"""The signal at initialization, compared with live torch, and what every spec gives."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from types import FrameType

import pytest
from hypothesis import given, settings

import archspec
from archspec.analysis.indexed import index_graph
from archspec.analysis.signal_walk import backward, forward
from archspec.graph.graph import INPUT, Graph, Node
from archspec.operations.base import Operation
from archspec.operations.shapes import Shape
from archspec.testing import specs
from tests.operations.entries import ENTRIES
from tests.support.zoo import ZOO
from tests.tools.signal_check import measure

SMALL = ["stages.count=3", "input=[3, 16, 16]"]
SEEDS = 3


SHORTCUTS = ("none", "zero-pad", "projection", "projection-all")
ORDERS = ("post", "pre", "norm-after-add", "act-before-add", "act-only-pre")
GRID = [
    pytest.param(shortcut, order, marks=[] if shortcut == "zero-pad" or order == "post" else pytest.mark.slow)
    for shortcut in SHORTCUTS
    for order in ORDERS
    if shortcut != "none" or order == "post"
]


@pytest.mark.parametrize(("shortcut", "order"), GRID)
def test_gradients_and_activations_are_those_that_torch_computes(shortcut: str, order: str) -> None:
    spec = archspec.load("resnet20_cifar", overrides=[*SMALL, f"shortcut={shortcut}", f"activation_order={order}"])
    report = archspec.signal(spec)
    runs = [measure.gradients(spec, seed, 16) for seed in range(SEEDS)]
    for number, block in enumerate(report.blocks):
        norms = [math.log(run.norms[number] / run.norms[-1]) for run in runs]
        assert block.gradient_norm == pytest.approx(math.exp(sum(norms) / SEEDS), rel=0.35), block.scope
        variances = [run.variances[number] for run in runs]
        assert block.activation_variance == pytest.approx(sum(variances) / SEEDS, rel=0.35), block.scope


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_every_spec_of_the_zoo_has_a_signal(name: str) -> None:
    report = archspec.signal(name)
    assert not report.unavailable
    assert report.blocks
    assert all(math.isfinite(block.gradient_norm) and block.activation_variance > 0 for block in report.blocks)


@pytest.mark.parametrize("settings_", [["shortcut=none"], ["activation_order=pre"], ["shortcut=projection-all"]])
def test_the_effective_field_is_where_the_gradient_is(settings_: list[str]) -> None:
    spec = archspec.load("resnet20_cifar", overrides=["stages.count=2", "input=[3, 80, 80]", *settings_])
    field = archspec.signal(spec).effective_receptive_field
    assert field is not None
    found = sum(measure.field(spec, seed, 4) for seed in range(SEEDS)) / SEEDS
    assert field.deviation == pytest.approx(found, rel=0.15)
    assert field.size == 4 * field.deviation


@pytest.mark.parametrize("order", ["post", pytest.param("pre", marks=pytest.mark.slow), "act-before-add"])
def test_the_gradient_takes_paths_of_the_predicted_length(order: str) -> None:
    spec = archspec.load("resnet20_cifar", overrides=[*SMALL, f"activation_order={order}"])
    lengths = archspec.signal(spec).path_length
    assert lengths is not None
    found = sum(measure.mean_length(spec, seed, 8) for seed in range(2)) / 2
    assert lengths.mean == pytest.approx(found, rel=0.15)
    assert sum(lengths.counts) == pytest.approx(1)
    assert sum(k * share for k, share in enumerate(lengths.counts)) == pytest.approx(lengths.mean)


@pytest.mark.parametrize("norm", ["batch", "none", "layer", "instance", "{type: group, groups: 4}"])
def test_any_norm_is_predicted(norm: str) -> None:
    spec = archspec.load("resnet20_cifar", overrides=["stages.count=2", "input=[3, 16, 16]", f"norm={norm}"])
    report = archspec.signal(spec)
    runs = [measure.gradients(spec, seed, 16).norms for seed in range(SEEDS)]
    found = sum(math.log(norms[0] / norms[-1]) for norms in runs) / SEEDS
    assert report.blocks[0].gradient_norm == pytest.approx(math.exp(found), rel=0.35)


@pytest.mark.parametrize("init", ["{conv: he-fan-in}", "{conv: xavier}", "{zero_init_residual: true}", "{conv: torch}"])
def test_any_initialization_is_predicted(init: str) -> None:
    spec = archspec.load("resnet20_cifar", overrides=["stages.count=2", "input=[3, 16, 16]", f"init={init}"])
    report = archspec.signal(spec)
    runs = [measure.gradients(spec, seed, 16) for seed in range(SEEDS)]
    for number, block in enumerate(report.blocks):
        found = sum(math.log(run.norms[number] / run.norms[-1]) for run in runs) / SEEDS
        assert block.gradient_norm == pytest.approx(math.exp(found), rel=0.35)
        variance = sum(run.variances[number] for run in runs) / SEEDS
        assert block.activation_variance == pytest.approx(variance, rel=0.35)


@pytest.mark.parametrize("order", ["post", "act-before-add"])
def test_without_norms_the_gradient_follows_the_activations(order: str) -> None:
    """The product of a value and its gradient is the same at every block, and its share of the energy is torch's."""
    settings = ["stages.count=2", "stages.channels=[8, 8, 8]", "stem={use: cifar, width: 8}", "input=[1, 16, 16]"]
    spec = archspec.load("resnet20_cifar", overrides=[*settings, "norm=none", f"activation_order={order}"])
    network = index_graph(archspec.compile(spec))
    ahead = forward(network)
    behind = backward(network, ahead, len(network.nodes) - 1, None, {})
    products, shares = [], []
    for region in [each for each in network.graph.regions if each.kind == "block"]:
        at = next(i for i, node in enumerate(network.nodes) if node.name == region.result)
        ((law,), (back,)) = ahead.signals[at], behind.gradients[at] or ()
        assert back.following
        elements = math.prod(network.nodes[at].shape)
        products.append(elements * (back.following.constant * law.mean + back.following.slope * law.power))
        shares.append((products[-1] / elements) ** 2 / (law.power * back.energy))
    assert products == pytest.approx([products[-1]] * len(products), rel=0.1)
    runs = [measure.alignments(spec, seed, 16) for seed in range(12)]
    found = [sum(run[i] for run in runs) / len(runs) for i in range(len(shares))]
    assert all(0.6 < mine / other < 1.7 for mine, other in zip(shares, found, strict=True)), (shares, found)


def test_a_residual_that_starts_at_zero_takes_no_gradient() -> None:
    report = archspec.signal("resnet20_cifar", overrides=["init.zero_init_residual=true"])
    assert [block.residual_share for block in report.blocks] == [0.0] * 9
    assert report.path_length is not None
    assert report.path_length.counts[0] == 1


@dataclass(frozen=True)
class Unknown(Operation):
    name = "unknown"
    summary = "Has no rule for the signal."

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return inputs[0]


def test_an_operation_without_a_rule_is_named() -> None:
    nodes = (Node("a", Unknown(), (INPUT,), (3, 8, 8)), Node("b", Unknown(), ("a",), (3, 8, 8)))
    report = archspec.signal(Graph("tiny", (3, 8, 8), nodes, {"output": "b"}))
    assert report.unavailable == ("unknown",)
    assert (report.blocks, report.gradient_span, report.score, report.path_length) == ((), None, None, None)
    assert report.as_data()["unavailable"] == ["unknown"]
    assert "archspec has no rule for the signal in `unknown`" in str(report)


def calls(count: int) -> int:
    """How many Python functions a prediction for so many blocks calls."""
    graph = archspec.compile("resnet20_cifar", overrides=[f"stages.count={count}"])
    found = 0

    def counted(frame: FrameType, event: str, argument: object) -> None:
        nonlocal found
        found += event == "call"

    sys.setprofile(counted)
    try:
        archspec.signal(graph)
    finally:
        sys.setprofile(None)
    return found


def test_the_cost_is_linear_in_the_nodes() -> None:
    calls(10)
    assert calls(80) < 2.3 * calls(40)


@settings(max_examples=15)
@given(specs())
def test_any_spec_has_finite_figures(spec: archspec.Spec) -> None:
    report = archspec.signal(spec)
    if any(ENTRIES[node.operation.name].unavailable for node in archspec.compile(spec).nodes):
        assert report.unavailable
        return
    assert not report.unavailable
    for block in report.blocks:
        assert math.isfinite(block.activation_variance)
        assert math.isfinite(block.gradient_norm)
        assert block.residual_share is None or 0 <= block.residual_share <= 1
    assert report.score is not None
    assert math.isfinite(report.score)
    assert str(report).startswith(report.name)
