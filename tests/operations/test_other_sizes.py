"""Operations that change the size of a map: built, written as sources and in ONNX, at other sizes than the compiled."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import archspec
from archspec.emit.lowlevel import lowlevel_source
from archspec.emit.python import python_source
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


@pytest.mark.parametrize("name", CASES)
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
