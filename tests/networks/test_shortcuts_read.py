"""What a shortcut reads in pre-activation orders, by the step that a residual begins with, against modules by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from torch import Tensor, nn
from torch.nn import functional

from archspec.strategies.specs import SpecText, specs
from tests.support.equivalence import assert_network, compiled
from tests.support.properties import compiled as compiled_text
from tests.support.properties import tries

NET = """
    input: [3, 16, 16]
    classes: 5
    stem: [conv: {out: 4, kernel: 3}]
    activation_order: ORDER
    fragments:
      wide: {params: {out: null, step: 1}, steps: [layer: {out: out, kernel: 3, stride: step}]}
    blocks:
      b:
        residual: RESIDUAL
    shortcut: projection-all
    naming: {fragment: ""}
    stages: {block: b, count: 2, channels: [4, 6], stride: [1, 2]}
    """
STRIDED = "layer: {out: channels, kernel: 3, stride: stride}"
LAYER = "layer: {out: channels, kernel: 3}"

conv = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)


class Block(nn.Module):
    """A residual block whose projection reads what ``reads`` says: the block's input, or its activated value."""

    def __init__(self, order: str, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.order, self.stride = order, stride
        self.build(channels, out, stride)
        norm = [] if order == "pre" else [nn.BatchNorm2d(out)]
        self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), *norm)

    def build(self, channels: int, out: int, stride: int) -> None:
        raise NotImplementedError

    def add_layer(self, number: int, conv_number: int, channels: int, out: int, stride: int = 1) -> None:
        """The parts of a layer, in the order of the state dict."""
        parts = {f"conv{conv_number}": conv(channels, out, stride=stride)}
        if self.order == "pre":
            parts = {f"bn{number}": nn.BatchNorm2d(channels), **parts}
        else:
            parts[f"bn{number}"] = nn.BatchNorm2d(out)
        for name, part in parts.items():
            self.add_module(name, part)

    def activated(self, number: int, x: Tensor) -> Tensor:
        return functional.relu(self.get_submodule(f"bn{number}")(x) if self.order == "pre" else x)

    def convolved(self, number: int, conv_number: int, x: Tensor) -> Tensor:
        y = self.get_submodule(f"conv{conv_number}")(x)
        return y if self.order == "pre" else self.get_submodule(f"bn{number}")(y)


class LayerFirst(Block):
    def build(self, channels: int, out: int, stride: int) -> None:
        self.add_layer(1, 1, channels, out, stride)
        self.add_layer(2, 2, out, out)

    def forward(self, x: Tensor) -> Tensor:
        first = self.activated(1, x)
        y = self.convolved(1, 1, first)
        return self.downsample(first) + self.convolved(2, 2, self.activated(2, y))


class ConvFirst(Block):
    def build(self, channels: int, out: int, stride: int) -> None:
        self.conv1 = conv(channels, out, stride=stride)
        self.add_layer(1, 2, out, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.downsample(x) + self.convolved(1, 2, self.activated(1, self.conv1(x)))


class PoolFirst(Block):
    def build(self, channels: int, out: int, stride: int) -> None:
        self.pool = nn.MaxPool2d(3, stride, 1)
        self.add_layer(1, 1, channels, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.downsample(x) + self.convolved(1, 1, self.activated(1, self.pool(x)))


class NormAndActByHand(Block):
    def build(self, channels: int, out: int, stride: int) -> None:
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = conv(channels, out, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.downsample(x) + self.conv1(functional.relu(self.bn1(x)))


class Branches(Block):
    """The first branch begins with a pool, so the first layer that reads the block's input is in the second."""

    def build(self, channels: int, out: int, stride: int) -> None:
        self.pool = nn.MaxPool2d(3, stride, 1)
        self.add_layer(1, 1, channels, out)
        self.add_layer(2, 2, channels, out, stride)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.convolved(1, 1, self.activated(1, self.pool(x)))
        second = self.activated(2, x)
        return self.downsample(second) + (pooled + self.convolved(2, 2, second))


class Net(nn.Module):
    def __init__(self, order: str, block: Callable[[str, int, int, int], Block]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.layer1 = nn.Sequential(block(order, 4, 4, 1), block(order, 4, 4, 1))
        self.layer2 = nn.Sequential(block(order, 4, 6, 2), block(order, 6, 6, 1))
        if order == "pre":
            self.bn1 = nn.BatchNorm2d(6)
        self.fc = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer2(self.layer1(self.conv1(x)))
        x = functional.relu(self.bn1(x) if hasattr(self, "bn1") else x)
        return self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))


POOL = "pool: {type: max, kernel: 3, stride: stride, padding: 1}"


@pytest.mark.parametrize("order", ["pre", "act-only-pre"])
@pytest.mark.parametrize(
    ("residual", "block"),
    [
        (f"[{STRIDED}, {LAYER}]", LayerFirst),
        (f"[wide: {{out: channels, step: stride}}, {LAYER}]", LayerFirst),
        (f"[layer: {{out: 99, when: false}}, {STRIDED}, {LAYER}]", LayerFirst),
        (f"[conv: {{out: channels, kernel: 3, stride: stride}}, {LAYER}]", ConvFirst),
        (f"[{POOL}, {LAYER}]", PoolFirst),
        ("[norm, act, conv: {out: channels, kernel: 3, stride: stride}]", NormAndActByHand),
        (f"[add: [[{POOL}, {LAYER}], [{STRIDED}]]]", Branches),
    ],
)
def test_what_a_projection_reads(residual: str, block: type[Block], order: str) -> None:
    assert_network(NET.replace("ORDER", order).replace("RESIDUAL", residual), Net(order, block))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shortcut", ["projection", "projection-all", "zero-pad", "avg-projection"])
@pytest.mark.parametrize("first", ["conv: {out: 8, kernel: 3, stride: stride}", POOL])
def test_a_shortcut_fits_whatever_a_residual_begins_with(first: str, shortcut: str, stride: int) -> None:
    text = NET.replace("ORDER", "pre").replace("RESIDUAL", f"[{first}, {LAYER}]").replace("projection-all", shortcut)
    text = text.replace("channels: [4, 6], stride: [1, 2]", f"channels: [8, 8], stride: {stride}")
    graph = compiled(text)
    for region in graph.regions:
        beside = [node for node in graph.nodes[region.first : region.last] if "downsample" in node.name]
        if region.kind == "block" and beside:
            assert beside[0].inputs == (region.source,)


@given(spec=specs())
@tries(40)
def test_a_shortcut_never_reads_a_value_of_another_size(spec: SpecText) -> None:
    """What the first node of any shortcut reads has the shape of what reaches the block."""
    graph = compiled_text(spec)
    for region in graph.regions:
        scope = f"{region.scope}.downsample." if region.scope else ""
        beside = [node for node in graph.nodes[region.first : region.last] if scope and node.name.startswith(scope)]
        if region.kind == "block" and beside:
            assert graph.shape(beside[0].inputs[0]) == graph.shape(region.source)
