"""Operations that change the size of a map: built, written as sources and in ONNX, at other sizes than the compiled."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

import archspec
from archspec.emit.lowlevel import lowlevel_source
from archspec.emit.python import python_source
from archspec.operations.effects import regrouped_strides
from tests.emit.test_onnx import compare, pair
from tests.support.equivalence import compiled
from tests.support.sources import executed, network_class

Function = Callable[[Tensor], Tensor]

CASES: dict[str, tuple[str, tuple[int, ...], Function]] = {
    "nearest": ("upsample: {scale: 2}", (4, 6, 5), lambda x: F.interpolate(x, scale_factor=2)),
    "nearest in 1-d": ("upsample: {scale: 3}", (4, 6), lambda x: F.interpolate(x, scale_factor=3)),
    "linear": (
        "upsample: {scale: 2, mode: linear}",
        (4, 6),
        lambda x: F.interpolate(x, scale_factor=2, mode="linear"),
    ),
    "bilinear": (
        "upsample: {scale: [2, 3], mode: bilinear}",
        (4, 6, 5),
        lambda x: F.interpolate(x, scale_factor=(2, 3), mode="bilinear"),
    ),
    "corners": (
        "upsample: {scale: 2, mode: bilinear, align_corners: true}",
        (4, 6, 5),
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
    ),
    "bicubic": (
        "upsample: {scale: 2, mode: bicubic}",
        (4, 6, 5),
        lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"),
    ),
    "trilinear": (
        "upsample: {scale: 2, mode: trilinear}",
        (4, 4, 3, 5),
        lambda x: F.interpolate(x, scale_factor=2, mode="trilinear"),
    ),
    "a size": (
        "upsample: {size: [9, 12], mode: bilinear}",
        (4, 6, 5),
        lambda x: F.interpolate(x, (9, 12), mode="bilinear"),
    ),
    "shuffle": ("pixel_shuffle: {factor: 2}", (8, 4, 6), nn.PixelShuffle(2)),
    "unshuffle": ("pixel_unshuffle: {factor: 2}", (4, 4, 6), nn.PixelUnshuffle(2)),
    "mean of channels": ("mean: {over: channels}", (4, 6, 5), lambda x: x.mean(1, keepdim=True)),
    "mean of positions": ("mean: {over: positions}", (4, 6, 5), lambda x: x.mean((2, 3), keepdim=True)),
    "max of channels": ("max: {over: channels}", (4, 6, 5), lambda x: x.max(1, keepdim=True).values),
    "max of positions": ("max: {over: positions}", (4, 6, 5), nn.AdaptiveMaxPool2d(1)),
    "power": ("power: {by: 3}", (4, 6, 5), lambda x: x**3),
    "height and width": ("permute: {order: [0, 2, 1]}", (4, 6, 5), lambda x: x.transpose(2, 3)),
    "blur": (
        "blur: {stride: 2}",
        (4, 6, 5),
        lambda x: F.conv2d(
            F.pad(x, (1, 1, 1, 1), mode="reflect"),
            torch.outer(torch.tensor([0.25, 0.5, 0.25]), torch.tensor([0.25, 0.5, 0.25])).expand(4, 1, 3, 3),
            stride=2,
            groups=4,
        ),
    ),
}


def network(name: str) -> tuple[archspec.Graph, Function]:
    step, shape, function = CASES[name]
    graph = compiled(f"input: {[*shape]}\nstages: []\nstem: [{{{step}}}]\nhead: []")
    return graph, function


def inputs(shape: tuple[int, ...]) -> list[Tensor]:
    """Of the compiled size, and of twice that and four more; blocks of 2 divide both."""
    sizes = (shape[1:], tuple(2 * size + 4 for size in shape[1:]))
    return [torch.randn(2, shape[0], *size, generator=torch.Generator().manual_seed(3)) for size in sizes]


@pytest.mark.parametrize("name", CASES)
def test_what_is_built_is_the_function_of_torch_at_any_size(name: str) -> None:
    graph, function = network(name)
    for flat in (False, True):
        model = archspec.build(graph, flat=flat)
        assert not model.state_dict()
        assert all(torch.equal(model(x), function(x)) for x in inputs(graph.input))


@pytest.mark.parametrize("name", CASES)
def test_the_sources_compute_the_same_at_any_size(name: str) -> None:
    graph, function = network(name)
    readable = network_class(executed(python_source(graph)))()
    lowlevel = executed(lowlevel_source(graph))
    for x in inputs(graph.input):
        assert torch.equal(readable(x), function(x))
        assert torch.equal(lowlevel.forward(x, {}, training=False), function(x))


@pytest.mark.parametrize("name", CASES)
def test_onnx_computes_the_same_at_any_size(name: str) -> None:
    graph, _ = network(name)
    model, exported = pair(graph, dynamic="size")
    assert compare(model, exported, *[tuple(x.shape) for x in inputs(graph.input)]) < 1e-5


LOCAL = [name for name in CASES if not name.endswith("positions") and name != "height and width"]


@pytest.mark.parametrize("name", LOCAL)
def test_how_far_a_position_reads_is_how_far_its_gradient_comes(name: str) -> None:
    """By gradients of positions whose windows do not meet the border."""
    graph, function = network(name)
    (node,) = graph.nodes
    reach = node.operation.reach((graph.input,), node.shape)
    assert isinstance(reach, tuple)
    for axis, each in enumerate(reach):
        seen = 0
        for position in range(node.shape[axis + 1]):
            first = (position * each.stride - each.padding) // 1
            last = first + each.extent - 1
            if first < 0 or last >= graph.input[axis + 1]:
                continue
            x = torch.randn(1, *graph.input, requires_grad=True)
            function(x).select(axis + 2, position).sum().backward()
            assert x.grad is not None
            touched = x.grad.movedim(axis + 2, 0).flatten(1).abs().sum(1).nonzero().flatten().tolist()
            whole = node.operation.name == "upsample" and (position * each.stride - each.padding).denominator == 1
            assert touched[0] >= first if whole else touched[0] == first, position
            assert touched[-1] <= last if whole else touched[-1] == last, position
            seen += 1
        assert seen


@settings(max_examples=100)
@given(st.data())
def test_strides_of_a_reshaped_view_are_those_of_torch(data: st.DataObject) -> None:
    """A view where torch gives one, and a copy where it copies; the axis of the batch stays."""
    sizes = data.draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=2, max_size=3), "sizes")
    x = torch.empty(3, *data.draw(st.permutations(sizes), "order"))
    x = x.permute(0, *data.draw(st.permutations(range(1, x.dim())), "axes"))
    if data.draw(st.booleans(), "sliced") and x.shape[1] > 1:
        x = x[:, 1:]
    elements = x[0].numel()
    divisors = [each for each in range(1, elements + 1) if not elements % each]
    first = data.draw(st.sampled_from(divisors), "channels")
    second = data.draw(st.sampled_from([each for each in divisors if not elements // first % each]), "height")
    shape = (first, second, elements // first // second)
    found = regrouped_strides(tuple(x.shape[1:]), x.stride()[1:], shape)
    try:
        expected = x.view(3, *shape)
    except RuntimeError:
        expected = None
    long = [axis for axis, size in enumerate(shape) if size > 1]
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert [found[axis] for axis in long] == [expected.stride()[axis + 1] for axis in long]
