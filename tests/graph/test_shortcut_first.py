"""`first: shortcut` puts a block's shortcut before its residual, in execution and in the state dict."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archspec
from archspec.graph.graph import Graph
from tests.networks.test_families_of_torchvision import REGNET
from tests.support.equivalence import assert_network, codes, compiled, spec
from tests.support.reference import torchvision_models

FIRST_REGNET = REGNET.replace("channels: output width", "channels: output width\n        first: shortcut")

NET = """
    input: [3, 16, 16]
    classes: 5
    stem: {use: cifar, width: 4}
    blocks:
      two:
        channels: output width
        FIRST
        residual:
          - layer: {out: channels, kernel: 3, stride: stride}
          - layer: {out: channels, kernel: 3}
    stages: {block: two, count: [2, 5], channels: [4, 6], stride: [1, 2]}
    """


def net(first: str, more: str = "") -> str:
    return NET.replace("FIRST", f"first: {first}" if first else "summary: Two layers.") + more


def blocks(graph: Graph) -> dict[str, list[str]]:
    """The names of the nodes of each block, relative to it."""
    regions = (region for region in graph.regions if region.kind == "block")
    return {r.scope: [n.name.removeprefix(r.scope + ".") for n in graph.nodes[r.first : r.last]] for r in regions}


def executed(model: nn.Module) -> list[str]:
    """The names of the convolutions and norms of a model, in the order in which they run."""
    found: list[str] = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d | nn.Linear):
            module.register_forward_hook(lambda *_, name=name: found.append(name))
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, 64, 64))
    return found


# -- torchvision's RegNet ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("se", [0, 0.25])
def test_regnet_has_the_keys_of_torchvision_in_order(se: float) -> None:
    torchvision_models()
    from torchvision.models.regnet import BlockParams, RegNet

    params = BlockParams.from_init_params(6, 16, 20.0, 2.2, 8, se_ratio=se or None)
    reference = RegNet(params, num_classes=7, norm_layer=nn.BatchNorm2d)
    text = FIRST_REGNET.replace("se: 0.25", f"se: {se}")
    model = assert_network(text, reference)
    order = executed(reference)
    assert executed(model) == order
    assert executed(archspec.build(spec(text), flat=True)) == order


# -- the order of the nodes --------------------------------------------------------------------------------------------


def test_the_shortcut_stands_before_the_residual() -> None:
    graph = compiled(net("shortcut"))
    residual = ["conv1", "bn1", "relu", "conv2", "bn2"]
    assert blocks(graph)["layer1.0"] == [*residual, "add", "relu2"]
    assert blocks(graph)["layer2.0"] == ["downsample.0", "downsample.1", *residual, "add", "relu2"]
    assert graph.by_name["layer2.0.add"].inputs == ("layer2.0.downsample.1", "layer2.0.bn2")


@pytest.mark.parametrize("first", ["residual", "null", ""])
def test_the_residual_comes_first_where_nothing_is_said(first: str) -> None:
    residual = ["conv1", "bn1", "relu", "conv2", "bn2"]
    assert blocks(compiled(net(first)))["layer2.0"] == [*residual, "downsample.0", "downsample.1", "add", "relu2"]


@pytest.mark.parametrize("order", ["post", "norm-after-add", "act-before-add", "act-only-pre", "pre"])
@pytest.mark.parametrize("shortcut", ["projection", "projection-all", "zero-pad", "avg-projection", "inverted", "none"])
def test_only_the_order_changes(shortcut: str, order: str) -> None:
    """The nodes and what they read are the same, each node comes after what it reads, and so do copies of blocks."""
    more = f"shortcut: {shortcut}\n    activation_order: {order}\n    drop_path: 0.1\n"
    graph, plain = compiled(net("shortcut", more)), compiled(net("residual", more))
    assert Counter(node[:4] for node in graph.nodes) == Counter(node[:4] for node in plain.nodes)
    assert [(r.scope, r.first, r.last, r.result) for r in graph.regions] == [
        (r.scope, r.first, r.last, r.result) for r in plain.regions
    ]
    known = {"input"}
    for node in graph.nodes:
        assert set(node.inputs) <= known, node.name
        known.add(node.name)
    by_block = net("shortcut", more).replace("channels: [4, 6]", "channels: [4, [6, 6, 6, 6, 6]]")
    assert [node[:4] for node in compiled(by_block).nodes] == [node[:4] for node in graph.nodes]


def test_a_shortcut_of_its_own_scope_numbers_after_the_residual() -> None:
    """The order changes where nodes stand, not what they are called."""
    graph = compiled(net("shortcut", 'naming: {shortcut: ""}\n'))
    assert blocks(graph)["layer2.0"] == ["conv3", "bn3", "conv1", "bn1", "relu", "conv2", "bn2", "add", "relu2"]


# -- what the shortcut reads -------------------------------------------------------------------------------------------


class PreActivated(nn.Module):
    """A full pre-activation block whose projection runs before the residual's convolutions."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        conv = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False))
        self.conv1 = conv(channels, out, stride=stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(out), conv(out, out)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(x))
        x = self.downsample(y) if hasattr(self, "downsample") else x
        return x + self.conv2(functional.relu(self.bn2(self.conv1(y))))


class PreActivatedNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.layer1 = nn.Sequential(PreActivated(4, 4, 1), PreActivated(4, 4, 1))
        self.layer2 = nn.Sequential(PreActivated(4, 6, 2), *(PreActivated(6, 6, 1) for _ in range(4)))
        self.bn1, self.fc = nn.BatchNorm2d(6), nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.layer2(self.layer1(self.conv1(x)))))
        return self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))


def test_a_shortcut_that_reads_the_activated_value_follows_it() -> None:
    assert_network(net("shortcut", "activation_order: pre\n"), PreActivatedNet())


def test_the_residuals_last_norm_still_starts_at_zero() -> None:
    graph = compiled(net("shortcut", "init: {zero_init_residual: true}\n"))
    zero = [node.name for node in graph.nodes if getattr(node.operation, "zero_init", False)]
    assert zero == [f"{name}.bn2" for name in blocks(graph)]


# -- what may be said --------------------------------------------------------------------------------------------------


def test_another_word_is_refused() -> None:
    with pytest.raises(archspec.SpecError) as refused:
        compiled(net("merge"))
    (fault,) = refused.value.diagnostics
    assert (fault.code, fault.span.line if fault.span else 0) == ("E204", 9)


def test_a_block_without_a_shortcut_has_nothing_to_put_first() -> None:
    with pytest.raises(archspec.SpecError) as refused:
        compiled(net("shortcut").replace("residual:", "steps:"))
    assert codes(refused.value) == ["E206"]


def test_it_is_part_of_what_a_spec_means() -> None:
    assert archspec.compile(spec(net("shortcut"))).fingerprint != archspec.compile(spec(net(""))).fingerprint
