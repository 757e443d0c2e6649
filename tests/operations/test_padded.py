"""Padding of every kind, transposed and standardized convolutions: against timm's modules and torch's definitions."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, fx, nn
from torch.nn import functional as F

import archspec
from archspec.emit.lowlevel import lowlevel_source
from archspec.emit.modules import resolve
from archspec.emit.python import python_source
from archspec.operations.conv import Conv
from archspec.operations.pad import Pad
from archspec.operations.padding import MODES, same_padding
from archspec.operations.pool import Pool
from archspec.operations.shapes import ShapeFault
from archspec.verification.importing import torchvision_models
from tests.support.properties import tries
from tests.support.sources import assert_same_network, executed, network_class


@pytest.fixture(scope="module")
def layers() -> Any:
    """timm's layers; its import needs torchvision's."""
    torchvision_models()
    import timm.layers

    return timm.layers


def module(operation: Any, channels: int, *size: int) -> nn.Module:
    call = operation.torch(((channels, *size),))
    made: nn.Module = resolve(call.target)(*call.args, **call.kwargs)
    return made


def equal(ours: nn.Module, theirs: nn.Module, *sizes: tuple[int, ...]) -> None:
    """The same keys in the same order, and the same values and gradients bit for bit."""
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    for size in sizes:
        x, y = (torch.randn(2, 6, *size, generator=torch.Generator().manual_seed(0)).requires_grad_() for _ in "xy")
        found, expected = ours(x), theirs(y)
        assert torch.equal(found, expected), size
        found.square().sum().backward()
        expected.square().sum().backward()
        assert x.grad is not None
        assert y.grad is not None
        assert torch.equal(x.grad, y.grad)


SIZES = [(7, 8), (8, 8), (15, 10), (9, 13)]


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 2, 1), (5, 2, 1), (2, 3, 1), (3, 1, 2), (3, 2, 2)])
@pytest.mark.parametrize("bias", [True, False])
def test_same_is_timms_at_every_size(layers: Any, kernel: int, stride: int, dilation: int, bias: bool) -> None:
    given = {"kernel": kernel, "stride": stride, "dilation": dilation, "bias": bias}
    theirs = layers.Conv2dSame(6, 4, kernel, stride=stride, dilation=dilation, bias=bias)
    equal(module(Conv(out=4, padding="same", **given), 6, *SIZES[0]), theirs, *SIZES)
    for size in SIZES:
        assert Conv(out=4, padding="same", **given).shape(((6, *size),)) == (4, *(-(-each // stride) for each in size))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_standardized_is_timms(layers: Any, stride: int, bias: bool) -> None:
    for eps in (1e-6, 1e-3):
        conv = Conv(out=4, kernel=3, stride=stride, bias=bias, standardized=True, eps=eps)
        equal(module(conv, 6, 7, 8), layers.StdConv2d(6, 4, 3, stride=stride, bias=bias, eps=eps), *SIZES)
    conv = Conv(out=4, kernel=3, stride=stride, bias=bias, standardized=True, padding="same")
    equal(module(conv, 6, 7, 8), layers.StdConv2dSame(6, 4, 3, stride=stride, bias=bias), *SIZES)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_a_gain_is_timms(layers: Any, stride: int, bias: bool) -> None:
    given = {"kernel": 3, "stride": stride, "bias": bias, "groups": 2, "gamma": 1.7881293296813965}
    theirs = layers.ScaledStdConv2d(6, 4, 3, stride=stride, bias=bias, groups=2, gamma=given["gamma"])
    equal(module(Conv(out=4, standardized=True, gain=True, **given), 6, 7, 8), theirs, *SIZES)
    theirs = layers.ScaledStdConv2dSame(6, 4, 3, stride=stride, bias=bias, groups=2, gamma=given["gamma"])
    equal(module(Conv(out=4, standardized=True, gain=True, padding="same", **given), 6, 7, 8), theirs, *SIZES)


def test_same_is_tensorflows_formula() -> None:
    for size, kernel, stride, dilation in itertools.product(range(1, 14), range(1, 6), range(1, 5), range(1, 4)):
        total = max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
        assert same_padding(size, kernel, stride, dilation) == (total // 2, total - total // 2)


def test_padding_by_side_is_padding_in_front() -> None:
    """With every mode, over one to three axes; equal sides are torch's own padding."""
    for mode, sides in itertools.product(MODES, ([(2, 0)], [(1, 2), (0, 1)], [(1, 0), (1, 1), (0, 2)])):
        rank = len(sides)
        conv = Conv(out=4, kernel=3, padding=tuple(sides), padding_mode=mode)
        ours = module(conv, 6, *[5] * rank)
        around = [each for pair in reversed(sides) for each in pair]
        x = torch.randn(2, 6, *[5] * rank)
        padded = F.pad(x, around, "constant" if mode == "zeros" else mode)
        function = getattr(F, f"conv{rank}d")
        assert torch.equal(ours(x), function(padded, ours.weight))
    assert Conv(out=4, padding=((1, 1), 1)).torch(((6, 5, 5),)) == Conv(out=4, padding=1).torch(((6, 5, 5),))


def test_a_causal_convolution_reads_only_what_came_before() -> None:
    ours = module(Conv(out=1, kernel=2, dilation=4, padding=((4, 0),)), 1, 16)
    x = torch.randn(1, 1, 16, requires_grad=True)
    for position in range(16):
        (gradient,) = torch.autograd.grad(ours(x)[0, 0, position], x)
        assert not gradient[..., position + 1 :].any()


def test_a_transposed_convolution_enlarges_by_its_stride() -> None:
    """Whatever the kernel, unless it is even at stride 1."""
    for size, kernel, stride, dilation in itertools.product(range(1, 5), range(1, 7), range(1, 5), range(1, 3)):
        conv = Conv(out=2, kernel=kernel, stride=stride, dilation=dilation, transposed=True)
        shape = conv.shape(((3, size),))
        assert shape == tuple(module(conv, 3, size)(torch.zeros(1, 3, size)).shape[1:])
        if stride * dilation > 1 or kernel % 2:
            assert shape == (2, size * stride), conv
        else:
            assert shape == (2, size + kernel - 1), conv


def test_a_convolution_and_its_transposition_are_adjoint() -> None:
    """By the inner product: <conv(x), y> is <x, conv^T(y)>, with the same weights and geometry."""
    plain = Conv(out=4, kernel=3, stride=2, padding=1)
    conv = module(plain, 3, 8, 7)
    x, y = torch.randn(2, 3, 8, 7), torch.randn(2, 4, 4, 4)
    back = Conv(out=3, kernel=3, stride=2, padding=1, transposed=True, output_padding=(1, 0))
    assert back.shape((plain.shape(((3, 8, 7),)),)) == (3, 8, 7)
    transposed = module(back, 4, 4, 4)
    transposed.load_state_dict(conv.state_dict())
    torch.testing.assert_close((conv(x) * y).sum(), (x * transposed(y)).sum())


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (2, 2), (3, 1), (2, 1), (2, 3)])
def test_pools_are_timms(layers: Any, kernel: int, stride: int) -> None:
    for kind in ("max", "avg"):
        pool = Pool(kind, kernel, stride, "same")
        theirs = layers.create_pool2d(kind, kernel, stride, padding="same")
        equal(module(pool, 6, *SIZES[0]), theirs, *SIZES)
        for size in SIZES:
            assert pool.shape(((6, *size),)) == (6, *(-(-each // stride) for each in size))


def test_an_average_without_padding_is_that_of_what_is_inside() -> None:
    """TensorFlow's: by the sum and the number of elements of every window."""
    pool = Pool("avg", 3, 2, "same", count_padding=False)
    for size in SIZES:
        ours, x = module(pool, 6, *SIZES[0]), torch.randn(2, 6, *size)
        around = [each for axis in (1, 0) for each in same_padding(size[axis], 3, 2, 1)]
        total, inside = (
            F.avg_pool2d(F.pad(each, around), 3, 2, divisor_override=1) for each in (x, torch.ones_like(x))
        )
        torch.testing.assert_close(ours(x), total / inside)


NETWORK = """
archspec: 1
name: t
input: [3, 15, 14]
classes: 5
stem:
  - conv: {out: 8, kernel: 3, stride: 2, padding: same}
  - conv: {out: 8, kernel: 4, padding: same, bias: true}
  - conv: {out: 8, kernel: 3, padding: [[2, 0], [0, 1]], padding_mode: replicate}
  - conv: {out: 8, kernel: 3, standardized: true, gain: true, gamma: 1.7}
  - conv: {out: 8, kernel: 3, transposed: true, stride: 2}
  - conv: {out: 8, kernel: 3, stride: 2, padding: same, standardized: true, gain: true}
  - conv: {out: 8, kernel: 3, padding_mode: circular}
  - pool: {type: max, kernel: 2, stride: 1, padding: same}
  - pool: {type: avg, kernel: 3, stride: 2, padding: same, count_padding: false}
  - pool: {type: lp, kernel: 2, stride: 1}
stages: {block: basic, count: 1, channels: 8}
"""


def test_a_network_of_all_survives_tracing_and_export() -> None:
    """At another size too: the padding follows the input."""
    graph = archspec.compile(NETWORK)
    model = archspec.build(graph, seed=0).eval()
    traced = fx.symbolic_trace(model)
    exported = torch.export.export(
        model,
        (torch.randn(2, 3, 15, 14),),
        dynamic_shapes=({2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO},),
    ).module()
    for size in ((15, 14), (33, 20), (16, 16)):
        x = torch.randn(2, 3, *size)
        expected = model(x)
        assert torch.equal(traced(x), expected)
        torch.testing.assert_close(exported(x), expected)


def test_a_mode_may_be_a_parameter_of_a_block() -> None:
    """Of one definition with uses that pad in different ways, both sources are written."""
    block = "own: {params: {mode: zeros}, residual: [conv: {out: channels, kernel: 3, padding_mode: mode}]}"
    table = "{block: own, count: 1, channels: [8, 8, 8], stride: 1, mode: [zeros, circular, replicate]}"
    graph = archspec.compile(f"archspec: 1\nname: t\ninput: [8, 7, 6]\nblocks: {{{block}}}\nstages: {table}\n")
    assert_same_network(python_source(graph), graph)
    model = archspec.build(graph, seed=0).eval()
    x = torch.randn(2, 8, 7, 6)
    written = executed(lowlevel_source(graph)).forward(x, dict(model.state_dict()))
    torch.testing.assert_close(written, model(x))


def test_verify_knows_the_network_of_all_in_its_source_and_in_timms_layers(layers: Any) -> None:
    """The source's own classes are those that the network is built of; timm's compute the same."""
    graph = archspec.compile(NETWORK)
    source = network_class(executed(python_source(graph)))
    assert archspec.verify(graph, source).holds("keys", "graph", "outputs")
    names = ("conv1", "conv2", "up", "conv3")
    steps = (
        "conv: {out: 8, kernel: 3, stride: 2, padding: same, name: conv1}",
        "conv: {out: 8, kernel: 3, standardized: true, gain: true, gamma: 1.7, bias: true, name: conv2}",
        "conv: {out: 8, kernel: 4, stride: 2, transposed: true, name: up}",
        "pool: {type: lp, kernel: 2, stride: 1}",
        "pool: {type: max, kernel: 3, stride: 2, padding: same}",
        "conv: {out: 8, kernel: 3, stride: 2, padding: same, standardized: true, name: conv3}",
        "pad: {sides: [[0, 2], 1], mode: reflect}",
        "pad: {sides: [[-1, 1], [0, -1]]}",
    )
    modules = [
        layers.Conv2dSame(3, 8, 3, stride=2, bias=False),
        layers.ScaledStdConv2d(8, 8, 3, gamma=1.7),
        nn.ConvTranspose2d(8, 8, 4, 2, 1, bias=False),
        nn.LPPool2d(2, 2, 1),
        layers.create_pool2d("max", 3, 2, padding="same"),
        layers.StdConv2dSame(8, 8, 3, stride=2),
        nn.ReflectionPad2d((1, 1, 0, 2)),
        nn.ZeroPad2d((0, -1, -1, 1)),
    ]
    assert len(modules) == len(steps)
    labels = iter(names)
    named = [
        (next(labels) if any(True for _ in each.parameters()) else str(at), each) for at, each in enumerate(modules)
    ]
    text = f"archspec: 1\nname: t\ninput: [3, 23, 18]\nstages: []\nhead: []\nstem: [{', '.join(steps)}]\n"
    assert archspec.verify(text, nn.Sequential(OrderedDict(named))).holds("keys", "graph", "outputs")


@tries(60)
@given(data=st.data())
def test_a_pad_removes_positions_as_torch_does(data: st.DataObject) -> None:
    size = data.draw(st.tuples(*[st.integers(1, 6)] * 2))
    sides = data.draw(st.tuples(*[st.tuples(*[st.integers(-4, 4)] * 2)] * 2))
    pad, x = Pad(sides=sides, value=data.draw(st.sampled_from([0.0, 0.5]))), torch.arange(0.0, size[0] * size[1])
    x = x.reshape(1, 1, *size)
    try:
        shape = pad.shape(((1, *size),))
    except ShapeFault:
        assert any(each + min(a, 0) + min(b, 0) < 1 for each, (a, b) in zip(size, sides, strict=True))
        return
    found = F.pad(x, [each for pair in reversed(sides) for each in pair], value=pad.value)
    assert tuple(found.shape[1:]) == shape
    call = pad.torch(((1, *size),))
    assert torch.equal(resolve(call.target)(x, *call.args, **call.kwargs), found)


@tries(60)
@given(data=st.data())
def test_what_a_mode_cannot_repeat_is_refused_as_torch_does(data: st.DataObject) -> None:
    size, before, after = (data.draw(st.integers(low, 4)) for low in (1, 0, 0))
    mode = data.draw(st.sampled_from(["reflect", "circular", "replicate"]))
    conv = Conv(out=1, padding=((before, after),), padding_mode=mode)
    x = torch.zeros(1, 1, size)
    try:
        conv.shape(((1, size),))
    except ShapeFault:
        with pytest.raises(RuntimeError):
            F.pad(x, (before, after), mode)
        return
    found: Tensor = module(conv, 1, size)(x)
    assert tuple(found.shape[1:]) == conv.shape(((1, size),))
