"""Folding batch norms: before and after as text, against torch's own fusion, and what networks compute."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

import archspec
from archspec.diagnostics import Source
from archspec.graph.graph import Graph
from archspec.passes import INFERENCE, Trained, fold_norm, run
from archspec.testing import graphs
from tests.support.equivalence import compiled, scramble
from tests.support.properties import tries
from tests.support.returned import returned

torch.set_num_threads(1)

TOLERANCE = 1e-5
"""Relative to the largest output, in float32: folding rounds each weight once more."""

PREACTIVATED = """\
archspec: 1
name: tiny
input: [3, 8, 8]
classes: 5
stem: [conv: {out: 4, kernel: 3}]
stages: {block: basic, count: 1, channels: 4, stride: 1}
activation_order: pre
head: classifier
"""

BEFORE = """\
name            operation                 inputs                 shape  written at
input                                                            3x8x8
conv1           conv(out=4, kernel=3)     input                  4x8x8  tiny.yaml:5
layer1.0.bn1    norm                      conv1                  4x8x8  tiny.yaml:6
layer1.0.relu   act                       layer1.0.bn1           4x8x8  tiny.yaml:6
layer1.0.conv1  conv(out=4, kernel=3)     layer1.0.relu          4x8x8  tiny.yaml:6
layer1.0.bn2    norm                      layer1.0.conv1         4x8x8  tiny.yaml:6
layer1.0.relu2  act                       layer1.0.bn2           4x8x8  tiny.yaml:6
layer1.0.conv2  conv(out=4, kernel=3)     layer1.0.relu2         4x8x8  tiny.yaml:6
layer1.0.add    add                       conv1, layer1.0.conv2  4x8x8  tiny.yaml:6
bn1             norm                      layer1.0.add           4x8x8  tiny.yaml:8
relu            act                       bn1                    4x8x8  tiny.yaml:8
avgpool         pool(type=avg, output=1)  relu                   4x1x1  tiny.yaml:8
flatten         flatten                   avgpool                4      tiny.yaml:8
fc              linear(out=5)             flatten                5      tiny.yaml:8"""

AFTER = """\
name            operation                         inputs                 shape  written at
input                                                                    3x8x8
conv1           conv(out=4, kernel=3)             input                  4x8x8  tiny.yaml:5
layer1.0.bn1    norm                              conv1                  4x8x8  tiny.yaml:6
layer1.0.relu   act                               layer1.0.bn1           4x8x8  tiny.yaml:6
layer1.0.conv1  conv(out=4, kernel=3, bias=true)  layer1.0.relu          4x8x8  tiny.yaml:6
layer1.0.relu2  act                               layer1.0.conv1         4x8x8  tiny.yaml:6
layer1.0.conv2  conv(out=4, kernel=3)             layer1.0.relu2         4x8x8  tiny.yaml:6
layer1.0.add    add                               conv1, layer1.0.conv2  4x8x8  tiny.yaml:6
bn1             norm                              layer1.0.add           4x8x8  tiny.yaml:8
relu            act                               bn1                    4x8x8  tiny.yaml:8
avgpool         pool(type=avg, output=1)          relu                   4x1x1  tiny.yaml:8
flatten         flatten                           avgpool                4      tiny.yaml:8
fc              linear(out=5)                     flatten                5      tiny.yaml:8"""


def trained(graph: Graph) -> tuple[nn.Module, Trained]:
    """A model with running statistics and scales that none starts with, in eval mode, and what a pass takes of it."""
    model = archspec.build(graph, seed=0).eval()
    scramble(model)
    return model, Trained(graph, model.state_dict())


def built(network: Trained) -> nn.Module:
    return archspec.build(network.graph, weights=network.state).eval()


def outputs(model: nn.Module, graph: Graph, *size: int) -> list[Tensor]:
    torch.manual_seed(0)
    with torch.no_grad():
        return returned(model(torch.randn(2, graph.input[0], *(size or graph.input[1:]))))


def assert_close(found: list[Tensor], expected: list[Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert (one - other).abs().max() <= TOLERANCE * other.abs().max()


def test_before_and_after() -> None:
    """Left are the norm after an addition, and the one whose convolution the shortcut reads too."""
    graph = archspec.compile(archspec.load(Source("tiny.yaml", PREACTIVATED)))
    _, network = trained(graph)
    folded = fold_norm(network)
    assert (str(graph), str(folded.graph)) == (BEFORE, AFTER)
    keys = [key for key in network.state if not key.startswith("layer1.0.bn2.")]
    keys.insert(keys.index("layer1.0.conv1.weight") + 1, "layer1.0.conv1.bias")
    assert list(folded.state) == keys
    assert folded.graph.origin is None
    assert folded.graph.fingerprint != graph.fingerprint


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("size", [[6], [6, 5], [4, 3, 3]])
def test_a_convolution_is_torchs_fusion_bit_for_bit(size: list[int], affine: bool, bias: bool) -> None:
    layer = f"conv: {{out: 8, kernel: 3, groups: 2, bias: {str(bias).lower()}}}"
    norm = f"norm: {{type: batch, eps: 0.001, affine: {str(affine).lower()}}}"
    model, network = trained(compiled(f"input: {[4, *size]}\nstem: []\nstages: []\nhead: [{layer}, {norm}]"))
    expected = fuse_conv_bn_eval(*model.children())
    folded = built(fold_norm(network))
    (found,) = folded.children()
    assert type(found) is type(expected)
    assert torch.equal(found.weight, expected.weight)
    assert torch.equal(found.bias, expected.bias)


@pytest.mark.parametrize("bias", [False, True])
def test_a_linear_layer_is_torchs_fusion(bias: bool) -> None:
    """The weight bit for bit. torch multiplies the constants of the bias in another order for a linear layer."""
    steps = f"[flatten, linear: {{out: 8, bias: {str(bias).lower()}}}, norm: {{type: batch}}]"
    model, network = trained(compiled(f"input: [4, 3, 3]\nstem: []\nstages: []\nhead: {steps}"))
    linear, norm = model.children()
    expected = fuse_linear_bn_eval(linear, norm)
    found = list(built(fold_norm(network)).children())[-1]
    assert torch.equal(found.weight, expected.weight)
    torch.testing.assert_close(found.bias, expected.bias, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    "steps",
    [
        "[conv: {out: 4}, norm: {type: layer}]",
        "[conv: {out: 4}, norm: {type: group, groups: 2}]",
        "[conv: {out: 4}, act, norm]",
        "[conv: {out: 4}, add: [[], [norm]]]",
        "[norm, conv: {out: 4}]",
        "[flatten, norm]",
    ],
)
def test_what_is_not_folded(steps: str) -> None:
    _, network = trained(compiled(f"input: [4, 3, 3]\nstem: []\nstages: []\nhead: {steps}"))
    assert fold_norm(network) is network


def test_a_convolution_that_is_an_output_is_not_folded() -> None:
    text = "input: [4, 3, 3]\nstem: []\nstages: []\nhead: [conv: {out: 4, name: map}, norm]\noutputs: [map, bn1]"
    _, network = trained(compiled(text))
    assert fold_norm(network) is network


def test_one_norm_after_another() -> None:
    """Both go into the convolution, the second into what the first has made of it."""
    text = "input: [4, 3, 3]\nstem: []\nstages: []\nhead: [conv: {out: 6, kernel: 3}, norm, norm]"
    model, network = trained(compiled(text))
    folded = run(network, INFERENCE)
    assert [node.name for node in folded.graph.nodes] == ["conv1"]
    assert_close(outputs(built(folded), folded.graph), outputs(model, network.graph))


@pytest.mark.parametrize(
    ("name", "norms"),
    [
        ("resnet50", 0),
        ("mobilenet_v2", 0),
        ("googlenet", 0),
        ("vgg11_bn", 0),
        ("regnet_y_400mf", 0),
        ("densenet121", 62),
        ("efficientnet_b0", 0),
        ("shufflenet_v2_x1_0", 0),
        ("resnet20_cifar", 0),
        ("preact_resnet110_cifar", 55),
    ],
)
def test_networks_of_the_zoo_compute_the_same(name: str, norms: int) -> None:
    """And only pre-activated ones keep norms: the first of each block, and the one before pooling or the head."""
    graph = archspec.compile(name)
    model, network = trained(graph)
    folded = fold_norm(network)
    assert [node.operation.name for node in folded.graph.nodes].count("norm") == norms
    size = [min(64, each) for each in graph.input[1:]]
    assert_close(outputs(built(folded), folded.graph, *size), outputs(model, graph, *size))


@tries(25)
@given(graph=graphs())
def test_any_network_computes_the_same(graph: Graph) -> None:
    """In float64, where rounding hides no wrong constant."""
    model = archspec.build(graph, seed=0, dtype=torch.float64).eval()
    scramble(model)
    folded = fold_norm(Trained(graph, model.state_dict()))
    other = archspec.build(folded.graph, weights=folded.state, dtype=torch.float64).eval()
    example = torch.randn(2, *graph.input, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(other(example), model(example), rtol=1e-9, atol=1e-9, equal_nan=True)
