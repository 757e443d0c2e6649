"""Networks and blocks from papers that torchvision does not have, against modules written by hand or timm's."""

from __future__ import annotations

import copy
import importlib

import pytest
import torch
from torch import Tensor, nn

import archspec
from archspec.verification.importing import timm
from tests.support.equivalence import assert_network, compiled, scramble
from tests.support.everywhere import assert_close, assert_close_network, assert_written
from tests.support.reference import torchvision_models

# -- CBAM-ResNet-50 (Woo et al. 2018) ----------------------------------------------------------------------------------


class ChannelGate(nn.Module):
    """Section 3.1, as in the authors' code: one network for the mean and for the largest of each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(width, width // 16), nn.ReLU(), nn.Linear(width // 16, width))

    def forward(self, x: Tensor) -> Tensor:
        gate = (self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))).sigmoid()
        return x * gate[:, :, None, None]  # type: ignore[no-any-return]


class SpatialGate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(2, 1, 7, padding=3, bias=False), nn.BatchNorm2d(1)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], 1)
        return x * self.bn(self.conv(gate)).sigmoid()  # type: ignore[no-any-return]


def attended() -> nn.Module:
    """torchvision's ResNet-50, with both gates behind the last norm of every residual."""
    network = torchvision_models().resnet50()
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        for block in stage:
            block.bn3 = nn.Sequential(block.bn3, ChannelGate(block.bn3.num_features), SpatialGate())
    return network


CBAM_RESNET = """
    extends: resnet50
    input: [3, 64, 64]
    stages: {block: attended}
    blocks:
      attended:
        channels: inner width, before the expansion
        residual:
          - layer: {out: channels, kernel: 1}
          - layer: {out: channels, kernel: 3, stride: stride}
          - layer: {out: 4 * channels, kernel: 1}
          - multiply: [[], [channel-gate]]
          - multiply: {broadcast: true, map: [], gate: [spatial-gate]}
    fragments:
      channel-gate:
        steps:
          - concat: [[mean: {over: positions}], [max: {over: positions}]]
          - channel_shuffle: {groups: 2}
          - reshape: {size: [2, 1]}
          - linear: {out: in_channels // 16}
          - act: {type: relu}
          - linear: {out: in_channels}
          - mean: {over: positions}
          - scale: {by: 2}
          - act: {type: sigmoid}
      spatial-gate:
        steps:
          - concat: [[max: {over: channels}], [mean: {over: channels}]]
          - conv: {out: 1, kernel: 7}
          - norm
          - act: {type: sigmoid}
"""


@pytest.mark.slow
def test_cbam_resnet50() -> None:
    """The sum of what the shared network gives is twice their mean here."""
    graph = compiled(CBAM_RESNET)
    assert_close_network(graph, attended(), by="order")
    assert_written(graph, attended())


def test_the_parameters_of_cbam_resnet50() -> None:
    """The paper's table 4 has 28.09 million."""
    graph = compiled(CBAM_RESNET.replace("64, 64]", "224, 224]"))
    assert round(archspec.analyze(graph).totals.costs.params / 1e4) == 2809


# -- ConvNeXt V2 (Woo et al. 2023) -------------------------------------------------------------------------------------


class ResponseNorm(nn.Module):
    """Algorithm 1, channels last."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        energy = torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True)
        return self.weight * (x * (energy / (energy.mean(-1, keepdim=True) + 1e-6))) + self.bias + x


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_dw, self.norm = nn.Conv2d(width, width, 7, padding=3, groups=width), nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Module()
        self.mlp.fc1, self.mlp.grn = nn.Linear(width, 4 * width), ResponseNorm(4 * width)
        self.mlp.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv_dw(x).permute(0, 2, 3, 1))
        y = self.mlp.fc2(self.mlp.grn(nn.functional.gelu(self.mlp.fc1(y))))
        return x + y.permute(0, 3, 1, 2)  # type: ignore[no-any-return]


class Blocks(nn.Sequential):
    """Two of them behind a stem."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem, self.blocks = nn.Conv2d(3, width, 4, 4), nn.Sequential(Block(width), Block(width))


def test_the_block_of_convnext_v2() -> None:
    assert_close_network(compiled(CONVNEXT_V2), Blocks(16))
    assert_written(compiled(CONVNEXT_V2), Blocks(16))


CONVNEXT_V2 = """
    input: [3, 32, 24]
    silence: [W501]
    norm: {type: layer, eps: 1e-6}
    act: gelu
    naming: {stage: blocks}
    stem: [conv: {out: 16, kernel: 4, stride: 4, bias: true, name: stem}]
    stages: {block: convnext-v2, count: 2, channels: 16}
    head: []
    blocks:
      convnext-v2:
        channels: width
        fixed: {activation_order: act-before-add, shortcut: identity}
        residual:
          - conv: {out: channels, kernel: 7, groups: depthwise, bias: true, name: conv_dw}
          - norm: {name: norm}
          - linear: {out: 4 * channels, name: mlp.fc1}
          - act
          - norm: {type: grn, eps: 1e-6, name: mlp.grn}
          - linear: {out: channels, name: mlp.fc2}
"""


# -- HRNet: each resolution reads all (Wang et al. 2020, figure 3) -----------------------------------------------------


class Exchange(nn.Module):
    """Three maps, each half as large as the one before, and a module of timm's HRNet."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 1, 1, bias=False)
        self.conv2 = nn.Conv2d(8, 16, 3, 2, 1, bias=False)
        self.conv3 = nn.Conv2d(16, 32, 3, 2, 1, bias=False)
        timm()
        found = importlib.import_module("timm.models.hrnet")
        widths = [8, 16, 32]
        self.unit = found.HighResolutionModule(3, found.BasicBlock, (2, 2, 2), [*widths], [*widths], "SUM")

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        first = self.conv1(x)
        second = self.conv2(first)
        found = self.unit([first, second, self.conv3(second)])
        return dict(zip(("y0", "y1", "y2"), found, strict=True))


def fused(to: int) -> str:
    """What one resolution reads of the three."""
    steps = []
    for number in range(3):
        what = f"from: b{number}, name: unit.fuse_layers.{to}.{number}, as: f{to}{number}"
        if number < to:
            steps.append(f"reduced: {{out: {8 * 2**to}, times: {to - number}, {what}}}")
        elif number > to:
            steps.append(f"enlarged: {{out: {8 * 2**to}, by: {2 ** (number - to)}, {what}}}")
    read = ", ".join(f"b{number}" if number == to else f"f{to}{number}" for number in range(3))
    return ", ".join([*steps, f"add: {{from: [{read}]}}", f"act: {{as: y{to}}}"])


def branch(number: int) -> str:
    where = f"name: unit.branches.{number}, from: x{number}, as: b{number}"
    return f"sequence: {{{where}, steps: [basic: {{name: '0'}}, basic: {{name: '1'}}]}}"


HRNET = f"""
    input: [3, 24, 32]
    fragments:
      basic:
        steps:
          - as: x
          - layer: {{out: width, kernel: 3}}
          - layer: {{out: width, kernel: 3, act: none}}
          - add: [[], [from: x]]
          - act
      enlarged:
        params: {{out: null, by: null}}
        steps: [conv: {{out: out, name: "0"}}, norm: {{name: "1"}}, upsample: {{scale: by}}]
      reduced:
        params: {{out: null, times: null}}
        steps:
          - repeat:
              times: times
              index: i
              name: "{{i}}"
              steps:
                - conv: {{out: out if i == times - 1 else width, kernel: 3, stride: 2, name: "0"}}
                - norm: {{name: "1"}}
                - act: {{when: i < times - 1}}
    stem:
      - conv: {{out: 8, kernel: 3, name: conv1, as: x0}}
      - conv: {{out: 16, kernel: 3, stride: 2, name: conv2, as: x1}}
      - conv: {{out: 32, kernel: 3, stride: 2, name: conv3, as: x2}}
      - {branch(0)}
      - {branch(1)}
      - {branch(2)}
    stages: []
    head: [{fused(0)}, {fused(1)}, {fused(2)}]
    outputs: [y0, y1, y2]
"""


def test_an_exchange_unit_of_hrnet() -> None:
    assert_network(HRNET, Exchange(), by="keys")
    assert_written(compiled(HRNET), Exchange())


def test_the_module_by_hand_is_timms() -> None:
    """The block of ConvNeXt V2 above is the one that timm has."""
    timm()
    theirs = importlib.import_module("timm.models.convnext").ConvNeXtBlock(16, use_grn=True, ls_init_value=None)
    scramble(theirs)
    ours = Block(16)
    ours.load_state_dict(copy.deepcopy(theirs.state_dict()))
    x = torch.randn(2, 16, 8, 6)
    assert_close(ours.eval()(x), theirs.eval()(x))
