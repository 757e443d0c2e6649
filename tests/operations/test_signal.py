"""The rules of each operation for signal and gradient, compared with what torch computes of random values."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import archspec
from archspec.graph.graph import INPUT, Graph, Node
from archspec.operations.act import ACTIVATIONS
from archspec.operations.base import Operation
from archspec.operations.discovery import operations
from archspec.operations.functions import FUNCTIONS
from archspec.operations.signal import Law, Usage, averaged, mixed, uniform
from tests.operations.entries import ENTRIES

EXAMPLES = 48
NORMS = ("batch", "layer", "instance", "rms", "grn", "local_response", "frozen")
FOLDED = {"subtract": operator.sub, "maximum": torch.maximum, "minimum": torch.minimum}
Value = tuple[tuple[int, ...], float, float, float]
"""A shape, and the mean, the variance within channels and that between the means of channels."""

MAP: Value = ((48, 6, 6), 0.3, 1.5, 0.4)
SHIFTED: Value = ((48, 6, 6), 1.5, 1.0, 0.4)
CENTERED: Value = ((48, 6, 6), 0.0, 1.5, 0.0)
GATE: Value = ((48, 1, 1), 0.5, 0.01, 0.0)
FLAT: Value = ((200,), 0.3, 1.5, 0.4)

ONE: list[tuple[str, dict[str, Any], Value]] = [
    ("conv", {"out": 64, "kernel": 3}, MAP),
    ("conv", {"out": 64, "kernel": 3, "stride": 2, "bias": True}, MAP),
    ("conv", {"out": 96, "kernel": (1, 5), "dilation": 2, "groups": 4}, MAP),
    ("conv", {"out": 48, "kernel": 3, "groups": 48}, CENTERED),
    ("conv", {"out": 64, "kernel": 5}, ((48, 30), 0.3, 1.5, 0.4)),
    ("conv", {"out": 64, "kernel": 3, "stride": 2}, ((32, 4, 6, 6), 0.3, 1.5, 0.4)),
    ("conv", {"out": 64, "kernel": 3, "stride": 2, "padding": "same"}, MAP),
    ("conv", {"out": 64, "kernel": 3, "padding": ((2, 0), (0, 2))}, MAP),
    *[("conv", {"out": 64, "kernel": 3, "padding_mode": mode}, MAP) for mode in ("reflect", "replicate", "circular")],
    ("conv", {"out": 64, "kernel": 3, "transposed": True, "stride": 2, "bias": True}, MAP),
    ("conv", {"out": 64, "kernel": 4, "transposed": True, "stride": 2, "groups": 4}, MAP),
    ("conv", {"out": 64, "kernel": 4, "transposed": True}, MAP),
    ("conv", {"out": 64, "kernel": 3, "standardized": True}, MAP),
    ("conv", {"out": 64, "kernel": 3, "standardized": True}, SHIFTED),
    ("conv", {"out": 64, "kernel": 3, "standardized": True, "gain": True, "gamma": 1.7, "padding": 0}, SHIFTED),
    ("conv", {"out": 48, "kernel": 3, "standardized": True, "groups": 48}, MAP),
    ("linear", {"out": 150}, FLAT),
    ("linear", {"out": 64}, MAP),
    *[("norm", {"type": kind}, MAP) for kind in NORMS],
    ("norm", {"type": "frozen", "eps": 0.5}, MAP),
    ("norm", {"type": "group", "groups": 8}, MAP),
    ("norm", {"type": "batch", "zero_init": True}, MAP),
    *[("act", {"type": kind}, MAP) for kind in ACTIVATIONS],
    ("act", {"type": "leaky_relu", "slope": 0.3}, MAP),
    ("act", {"type": "prelu", "initial": 0.5, "per_channel": True}, MAP),
    ("act", {"type": "elu", "alpha": 0.5}, MAP),
    ("act", {"type": "celu", "alpha": 0.5}, MAP),
    ("act", {"type": "gelu", "approximate": "tanh"}, MAP),
    ("act", {"type": "hardtanh", "min": -0.5, "max": 2}, MAP),
    ("act", {"type": "softplus", "beta": 2}, MAP),
    ("act", {"type": "softmax", "branches": 2}, CENTERED),
    ("act", {"type": "softmax", "branches": 3}, MAP),
    ("act", {"type": "softmax", "groups": 4}, MAP),
    ("pool", {"type": "avg", "output": 1}, MAP),
    ("pool", {"type": "avg", "kernel": 2}, MAP),
    ("pool", {"type": "avg", "kernel": 3, "stride": 1, "padding": 1, "count_padding": False}, CENTERED),
    ("pool", {"type": "avg", "output": 4}, MAP),
    ("pool", {"type": "max", "kernel": 2}, MAP),
    ("pool", {"type": "max", "kernel": 3, "stride": 2, "padding": 1}, MAP),
    ("pool", {"type": "max", "kernel": 3, "stride": 2, "padding": "same"}, MAP),
    ("pool", {"type": "avg", "kernel": 2, "stride": 1, "padding": "same"}, CENTERED),
    ("pool", {"type": "lp", "kernel": 2}, MAP),
    ("pool", {"type": "lp", "kernel": 3, "stride": 1, "power": 4}, CENTERED),
    ("pool", {"type": "lp", "kernel": 2, "power": 1}, MAP),
    ("dropout", {"p": 0.3}, MAP),
    ("scale", {"by": -0.5}, MAP),
    ("shift", {"by": 2.0}, MAP),
    ("scale", {"by": 0.5, "learned": True}, MAP),
    ("scale", {"by": 0.5, "learned": True, "per": "whole"}, MAP),
    ("shift", {"by": 0.5, "learned": True}, MAP),
    ("layer_scale", {"initial": 0.1}, MAP),
    ("pad", {"sides": ((2, 0), 1)}, MAP),
    ("pad", {"sides": 1, "value": 2.0}, MAP),
    ("pad", {"sides": ((-1, 1), (-2, 0))}, MAP),
    ("pad", {"sides": ((-1, 2), -1), "value": 2.0}, MAP),
    *[("pad", {"sides": ((2, 0), 1), "mode": mode}, MAP) for mode in ("reflect", "replicate", "circular")],
    ("pad_channels", {"out": 80}, MAP),
    ("slice", {"start": 8, "stop": 40}, MAP),
    ("channel_shuffle", {"groups": 4}, MAP),
    ("subsample", {"stride": 2}, MAP),
    ("flatten", {}, MAP),
    ("upsample", {"scale": 2}, MAP),
    ("upsample", {"scale": 2, "mode": "bilinear"}, CENTERED),
    ("upsample", {"scale": (3, 1), "mode": "bicubic"}, MAP),
    ("upsample", {"size": (9, 4), "mode": "bilinear", "align_corners": True}, MAP),
    ("upsample", {"scale": 3, "mode": "linear"}, ((48, 30), 0.3, 1.5, 0.4)),
    ("blur", {"stride": 2}, MAP),
    ("blur", {"kernel": 4}, CENTERED),
    ("pixel_shuffle", {"factor": 2}, ((192, 6, 6), 0.3, 1.5, 0.4)),
    ("pixel_unshuffle", {"factor": 2}, MAP),
    *[(name, {"over": over}, MAP) for name in ("mean", "max") for over in ("channels", "positions")],
    ("power", {"by": 2}, MAP),
    ("power", {"by": 3}, ((48, 6, 6), 1.0, 0.2, 0.1)),
    ("permute", {"order": (0, 2, 1)}, ((48, 6, 4), 0.3, 1.5, 0.4)),
    ("permute", {"order": (1, 0, 2)}, ((48, 12, 4), 0.3, 1.5, 0.0)),
    ("reshape", {"size": 2}, MAP),
    ("reshape", {"size": (12, 6)}, MAP),
]


def tensor(value: Value) -> torch.Tensor:
    shape, mean, within, between = value
    means = mean + math.sqrt(between) * torch.randn(shape[0], *(1 for _ in shape[1:]))
    return (means + math.sqrt(within) * torch.randn(EXAMPLES, *shape)).requires_grad_()


def law(value: Value) -> Law:
    return Law(value[0][0], *value[1:])


def moments(value: torch.Tensor) -> tuple[float, float, float]:
    """The mean, the variance within channels, and that between the means of channels, of which the noise is taken."""
    by_channel = value.detach().transpose(0, 1).flatten(1)
    means, within = by_channel.mean(1), by_channel.var(1).mean()
    return means.mean().item(), within.item(), (means.var() - within / by_channel.shape[1]).item()


def energies(operation: Operation, inputs: list[torch.Tensor], seed: int) -> tuple[torch.Tensor, list[float]]:
    """The output of an operation with new weights, and the mean square of the gradient at each input."""
    shapes = tuple(tuple(each.shape[1:]) for each in inputs)
    weights = operation.weights(shapes)
    call = operation.torch(shapes)
    model = torch.nn.Module()
    if call.kind == "module" or weights:
        shape = shapes[0]
        node = Node("node", operation, (INPUT,), operation.shape((shape,)))
        model = archspec.build(Graph("one", shape, (node,), {"output": "node"}), seed=seed).train()
        output = model(inputs[0])
    else:
        output = functional(operation, call, inputs)
    output.backward(torch.randn_like(output))
    return output, [each.grad.pow(2).mean().item() for each in inputs if each.grad is not None]


def functional(operation: Operation, call: Any, inputs: list[torch.Tensor]) -> torch.Tensor:
    found: torch.Tensor
    if operation.name == "add":
        found = sum(inputs[1:], inputs[0])
    elif operation.name == "multiply":
        found = math.prod(inputs[1:], start=inputs[0])
    elif operation.name in FOLDED:
        found = functools.reduce(FOLDED[operation.name], inputs)
    elif operation.name == "concat":
        found = torch.cat(inputs, 1)
    else:
        node = Node("node", operation, (INPUT,), operation.shape((tuple(inputs[0].shape[1:]),)))
        graph = Graph("one", tuple(inputs[0].shape[1:]), (node,), {"output": "node"})
        found = archspec.build(graph).train()(inputs[0])
    return found


def compare(operation: Operation, values: list[Value], *, seeds: int = 3, rel: float = 0.1) -> None:
    """The prediction beside the mean over a few seeds."""
    usage = Usage(tuple(value[0] for value in values), operation.shape(tuple(value[0] for value in values)), {})
    signals = tuple((law(value),) for value in values)
    result = operation.signal(usage, signals)
    assert result is not None
    back = operation.gradient(usage, signals, result, uniform(result, 1.0, 0.0))
    runs = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        output, found = energies(operation, [tensor(value) for value in values], seed)
        runs.append((*moments(output), *found))
    mean, within, between, *gradient = (sum(each) / seeds for each in zip(*runs, strict=True))
    whole = mixed(result)
    size = math.sqrt(whole.power) + 1e-3
    channels = whole.channels
    apart = size * (rel + 2 * math.sqrt(whole.between / channels / seeds) / size)
    if operation.name != "flatten":  # its features are single elements
        assert mean == pytest.approx(whole.mean * whole.root, abs=apart)
        aggregated = whole.power - whole.level * whole.root**2
        assert within == pytest.approx(aggregated, rel=rel, abs=rel * size**2 / 2)
        level = whole.level * whole.root**2 - (whole.mean * whole.root) ** 2
        assert channels == 1 or between == pytest.approx(level, rel=0.35, abs=rel * size**2)
    for predicted, value, measured in zip(back, signals, gradient, strict=True):
        assert measured == pytest.approx(averaged(value, predicted).energy, rel=rel, abs=1e-9)


@pytest.mark.parametrize(("name", "arguments", "value"), ONE, ids=lambda each: str(each)[:40])
def test_an_operation_of_one_value(name: str, arguments: dict[str, Any], value: Value) -> None:
    compare(operations()[name](**arguments), [value])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("subtract", [MAP, CENTERED]),
        ("subtract", [CENTERED, MAP, ((48, 6, 6), -1.0, 0.5, 0.0)]),
        ("maximum", [MAP, CENTERED]),
        ("maximum", [CENTERED, MAP, ((48, 6, 6), -1.0, 0.5, 0.0)]),
        ("minimum", [MAP, ((48, 6, 6), 1.0, 0.5, 0.0)]),
        ("add", [MAP, CENTERED]),
        ("add", [MAP, CENTERED, ((48, 6, 6), -1.0, 0.5, 0.0)]),
        ("concat", [MAP, ((16, 6, 6), -1.0, 0.5, 0.0)]),
        ("multiply", [MAP, GATE]),
        ("multiply", [GATE, MAP]),
        ("multiply", [MAP, CENTERED]),
    ],
)
def test_a_merge(name: str, values: list[Value]) -> None:
    compare(operations()[name](), values)


ATTENTION: Value = ((1, 6, 6), 0.5, 0.2, 0.0)


@pytest.mark.parametrize("name", ["add", "multiply", "subtract", "maximum"])
@pytest.mark.parametrize("values", [[CENTERED, ATTENTION], [CENTERED, GATE], [GATE, ATTENTION]], ids=str)
def test_a_merge_that_repeats_values(name: str, values: list[Value]) -> None:
    compare(operations()[name](broadcast=True), values)


def test_every_operation_has_a_rule_and_a_comparison() -> None:
    compared = {name for name, *_ in ONE} | {"add", "concat", "multiply", "drop_path", "channel_conv", *FOLDED}
    unavailable = {name for name, entry in ENTRIES.items() if entry.unavailable}
    assert compared == set(operations()) - unavailable
    without = {name for name, kind in operations().items() if kind.signal is Operation.signal}
    assert without == unavailable
    assert set(FUNCTIONS) == set(ACTIVATIONS) - {"glu", "softmax"}  # which read several channels


def test_dropped_paths_scale_what_is_kept() -> None:
    """With few examples torch's mean is far from the expected one, so this is over many."""
    operation = operations()["drop_path"](p=0.25)
    usage = Usage((MAP[0],), MAP[0], {})
    result = operation.signal(usage, ((law(MAP),),))
    assert result is not None
    kept = torch.rand(200_000) < 0.75
    values = (0.3 + math.sqrt(1.9) * torch.randn(200_000)) * kept / 0.75
    assert result[0].power == pytest.approx(values.pow(2).mean().item(), rel=0.02)
    (back,) = operation.gradient(usage, ((law(MAP),),), result, uniform(result, 1.0, 0.0))
    assert back[0].energy == pytest.approx(1 / 0.75)


@pytest.mark.parametrize(("kernel", "mean"), [(3, 0.0), (5, 0.5)])
def test_a_convolution_of_channels(kernel: int, mean: float) -> None:
    """It has few weights, so this is the mean over many; between channels the mean is the same for one of them."""
    operation, shape = operations()["channel_conv"](kernel=kernel), (48, 1, 1)
    usage, values = Usage((shape,), shape, {}), ((Law(48, mean, 1.5, 0.0),),)
    result = operation.signal(usage, values)
    assert result is not None
    (back,) = operation.gradient(usage, values, result, uniform(result, 1.0, 0.0))
    torch.manual_seed(0)
    weights = torch.cat([torch.nn.init.kaiming_normal_(torch.empty(1, 1, kernel), mode="fan_out") for _ in range(3000)])
    x = (mean + math.sqrt(1.5) * torch.randn(8, 3000, 48)).requires_grad_()
    output = torch.nn.functional.conv1d(x, weights, padding=kernel // 2, groups=3000)
    output.backward(torch.randn_like(output))
    assert x.grad is not None
    assert result[0].power == pytest.approx(output.pow(2).mean().item(), rel=0.06)
    assert back[0].energy == pytest.approx(x.grad.pow(2).mean().item(), rel=0.06)


@settings(max_examples=12)
@given(st.data())
def test_a_convolution_of_any_geometry(data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, 3), "rank")
    size = data.draw(st.tuples(*[st.integers(3, 9 if rank < 3 else 5)] * rank), "size")
    kernel = data.draw(st.integers(1, 3), "kernel")
    stride = data.draw(st.integers(1, 2), "stride")
    padding = data.draw(st.integers(0, kernel // 2), "padding")
    groups = data.draw(st.sampled_from([1, 2]), "groups")
    conv = operations()["conv"](out=64, kernel=kernel, stride=stride, padding=padding, groups=groups)
    compare(conv, [((48, *size), 0.2, 1.0, 0.3)], seeds=4, rel=0.2)


@settings(max_examples=40)
@given(st.sampled_from(sorted(FUNCTIONS)), st.floats(-3, 3), st.floats(0.01, 4))
def test_an_activation_of_any_gaussian(kind: str, mean: float, deviation: float) -> None:
    """Its mean, its mean square and the mean square of its slope, against sums over a fine grid of torch's function."""
    grid = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    weights = torch.exp(-grid.pow(2) / 2)
    weights /= weights.sum()
    points = (mean + deviation * grid).requires_grad_()
    found = getattr(torch.nn, ACTIVATIONS[kind])().double()(points)
    (slopes,) = torch.autograd.grad(found.sum(), points)
    operation = operations()["act"](type=kind)
    usage = Usage(((8,),), (8,), {})
    values = ((Law(8, mean, deviation**2),),)
    result = operation.signal(usage, values)
    assert result is not None
    (back,) = operation.gradient(usage, values, result, uniform(result, 1.0, 0.0))
    power = (weights * found.pow(2)).sum().item()
    assert result[0].power == pytest.approx(power, rel=0.03, abs=1e-4)
    assert result[0].mean == pytest.approx((weights * found).sum().item(), rel=0.03, abs=0.01 * math.sqrt(power) + 1e-4)
    assert back[0].energy == pytest.approx((weights * slopes.pow(2)).sum().item(), rel=0.04, abs=2e-3)


def test_pieces_remember_which_elements_were_kept() -> None:
    """A ReLU after a sum with a rectified value: the gradient comes back to positive elements more than to zeros."""
    relu, add = operations()["act"](), operations()["add"]()
    usage = Usage(((64, 1, 1),), (64, 1, 1), {})
    both = Usage(((64, 1, 1),) * 2, (64, 1, 1), {})
    gaussian = (Law(64, 0.0, 1.0),)
    first = relu.signal(usage, (gaussian,))
    assert first
    total = add.signal(both, (first, gaussian))
    assert total
    second = relu.signal(usage, (total,))
    assert second
    (middle,) = relu.gradient(usage, (total,), second, uniform(second, 1.0, 0.0))
    shortcut, _ = add.gradient(both, (first, gaussian), total, middle)
    (start,) = relu.gradient(usage, (gaussian,), first, shortcut)
    z, f = torch.randn(2_000_000), torch.randn(2_000_000)
    kept = ((z.relu() + f > 0) & (z > 0)).float().mean().item()
    assert start[0].energy == pytest.approx(kept, rel=0.02)
    assert kept > 1.1 * 0.5 * ((z.relu() + f) > 0).float().mean().item()
