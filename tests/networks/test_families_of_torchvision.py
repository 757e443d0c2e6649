"""Families that torchvision has, as small networks made of its own blocks: one spec each, equal keys, equal results."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

import archspec
from tests.support.equivalence import assert_network, codes, compiled, spec
from tests.support.reference import torchvision_models

torchvision_models()


# -- MobileNetV2 -------------------------------------------------------------------------------------------------------

MOBILENET = """
    input: [3, 64, 64]
    classes: 7
    naming: {convention: sequential, head: "", residual: conv, fragment: ""}
    act: relu6
    fragments:
      narrow:
        params: {out: null}
        steps:
          - conv: {out: out, kernel: 1}
          - norm
    blocks:
      inverted:
        channels: output width
        params: {expand: 6}
        fixed: {activation_order: act-before-add, shortcut: inverted}
        residual:
          - layer: {out: in_channels * expand, kernel: 1, when: expand > 1}
          - layer: {out: in_channels * expand, kernel: 3, stride: stride, groups: in_channels * expand}
          - narrow: {out: channels}
    stem: [layer: {out: 32, kernel: 3, stride: 2}]
    stages:
      block: inverted
      count:    [1, 2, 3]
      channels: [16, 24, 32]
      stride:   [1, 2, 2]
      expand:   [1, 6, 6]
      after:    [null, null, [layer: {out: 1280, kernel: 1}]]
    head:
      - pool: {type: avg, output: 1, name: avgpool}
      - flatten: {name: flat}
      - dropout: {p: 0.2, name: classifier.0}
      - linear: {out: classes, name: classifier.1}
    """


def test_mobilenet_v2_with_the_keys_of_torchvision() -> None:
    from torchvision.models import MobileNetV2

    settings = [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2]]
    assert_network(MOBILENET, MobileNetV2(num_classes=7, inverted_residual_setting=settings))


# -- RegNet ------------------------------------------------------------------------------------------------------------

REGNET = """
    input: [3, 64, 64]
    classes: 7
    naming:
      stem: stem
      stage: trunk_output.block{stage}
      block: block{stage}-{index}
      residual: f
      shortcut: proj
      layer: "{letter(n - 1)}"
    blocks:
      y:
        channels: output width
        params: {group_width: 1, se: 0}
        residual:
          - layer: {out: channels, kernel: 1}
          - layer: {out: channels, kernel: 3, stride: stride, groups: channels // group_width}
          - se: {squeeze: round(in_channels * se), when: se > 0}
          - layer: {out: channels, kernel: 1}
    stem:
      - conv: {out: 32, kernel: 3, stride: 2}
      - norm
      - act
    stages:
      block: y
      quantized_linear: {depth: 6, w_0: 16, w_a: 20.0, w_m: 2.2}
      group_width: 8
      stride: 2
      se: 0.25
    """


@pytest.mark.parametrize("se", [0, 0.25])
def test_regnet_by_its_rule(se: float) -> None:
    """Widths and counts come from four numbers, as torchvision computes them. It assigns the projection first."""
    from torchvision.models.regnet import BlockParams, RegNet

    params = BlockParams.from_init_params(6, 16, 20.0, 2.2, 8, se_ratio=se or None)
    reference = RegNet(params, num_classes=7, norm_layer=nn.BatchNorm2d)
    assert_network(REGNET.replace("se: 0.25", f"se: {se}"), reference, by="sets")


# -- ConvNeXt ----------------------------------------------------------------------------------------------------------

CONVNEXT = """
    input: [3, 64, 64]
    classes: 7
    norm: {type: layer, eps: 1e-6}
    act: gelu
    naming:
      stem: features.0
      stage: features.{2 * stage - 1}
      after: features.{2 * stage}
      head: classifier
    blocks:
      convnext:
        channels: width
        fixed: {activation_order: act-before-add, shortcut: identity}
        residual:
          - sequence:
              name: block
              steps:
                - conv: {out: channels, kernel: 7, groups: channels, bias: true, name: "0"}
                - norm: {name: "2"}
                - linear: {out: 4 * channels, name: "3"}
                - act: {name: "4"}
                - linear: {out: channels, name: "5"}
          - layer_scale: {initial: 0.5}
    fragments:
      downsample:
        params: {out: null}
        steps:
          - norm
          - conv: {out: out, kernel: 2, stride: 2, bias: true}
    stem:
      - conv: {out: 8, kernel: 4, stride: 4, bias: true}
      - norm
    stages:
      block: convnext
      count:    [2, 1]
      channels: [8, 12]
      after:    [{use: downsample, out: 12}, null]
    head:
      - pool: {type: avg, output: 1, name: pooled}
      - norm
      - flatten
      - linear: {out: classes}
    """


def test_convnext() -> None:
    """Layer normalisation over channels, linear layers at every position, a learned scale; drop paths of 0."""
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    reference = ConvNeXt([CNBlockConfig(8, 12, 2), CNBlockConfig(12, None, 1)], num_classes=7, layer_scale=0.5)
    model = archspec.build(spec(CONVNEXT))
    model.load_state_dict(reference.state_dict())
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        # The same sums in another memory layout: torchvision permutes once for a whole block.
        torch.testing.assert_close(model.eval()(x), reference.eval()(x), rtol=1e-5, atol=1e-6)


# -- one and three dimensions ------------------------------------------------------------------------------------------


class Plus1d(nn.Module):
    """A residual block over one dimension."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        conv = partial(nn.Conv1d, kernel_size=3, padding=1, bias=False)
        self.conv1, self.bn1 = conv(channels, out, stride=stride), nn.BatchNorm1d(out)
        self.conv2, self.bn2 = conv(out, out), nn.BatchNorm1d(out)
        self.downsample = None
        if stride > 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv1d(channels, out, 1, stride, bias=False), nn.BatchNorm1d(out))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu((x if self.downsample is None else self.downsample(x)) + y)


class ResNet1d(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv1d(2, 64, 7, 2, 3, bias=False), nn.BatchNorm1d(64)
        self.layer1 = nn.Sequential(Plus1d(64, 8, 1), Plus1d(8, 8, 1))
        self.layer2 = nn.Sequential(Plus1d(8, 16, 2), Plus1d(16, 16, 1))
        self.fc = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.max_pool1d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.fc(nn.functional.adaptive_avg_pool1d(self.layer2(self.layer1(x)), 1).flatten(1))


def test_one_dimension() -> None:
    """The library's stem, block, shortcut and head over signals: the input's rank alone decides."""
    text = "input: [2, 101]\nclasses: 5\nstages: {block: basic, count: 2, channels: [8, 16], stride: [1, 2]}\n"
    assert_network(text, ResNet1d())


VIDEO = """
    input: [3, 4, 32, 32]
    classes: 7
    naming: {stem: stem, layer: 'conv{n}'}
    stem:
      - conv: {out: 64, kernel: [3, 7, 7], stride: [1, 2, 2]}
      - norm
      - act
    stages: {block: basic, count: [1, 1], channels: [64, 128], stride: [1, 2]}
    """


R2PLUS1D = """
    input: [3, 4, 32, 32]
    classes: 7
    naming: {stem: stem}
    stem:
      - conv: {out: 45, kernel: [1, 7, 7], stride: [1, 2, 2]}
      - norm
      - act
      - conv: {out: 64, kernel: [3, 1, 1]}
      - norm
      - act
    fragments:
      factored:
        summary: A 3x3x3 convolution as one over space and one over time (Tran et al. 2018).
        params: {out: null, middle: null, stride: 1}
        steps:
          - conv: {out: middle, kernel: [1, 3, 3], stride: [1, stride, stride], name: "0"}
          - norm: {name: "1"}
          - act: {name: "2"}
          - conv: {out: out, kernel: [3, 1, 1], stride: [stride, 1, 1], name: "3"}
    blocks:
      factored:
        channels: output width
        let: {middle: in_channels * channels * 27 // (in_channels * 9 + 3 * channels)}
        residual:
          - factored: {out: channels, middle: middle, stride: stride, name: conv1.0}
          - norm: {name: conv1.1}
          - act: {name: conv1.2}
          - factored: {out: channels, middle: middle, name: conv2.0}
          - norm: {name: conv2.1}
    stages: {block: factored, count: [1, 1], channels: [64, 128], stride: [1, 2]}
    """


@pytest.mark.parametrize("factored", [False, True])
def test_three_dimensions_with_the_keys_of_torchvision(factored: bool) -> None:
    """R3D, and R(2+1)D with its convolutions factored over space and time."""
    from torchvision.models.video.resnet import (
        BasicBlock,
        BasicStem,
        Conv2Plus1D,
        Conv3DSimple,
        R2Plus1dStem,
        VideoResNet,
    )

    class Short(VideoResNet):
        """torchvision's VideoResNet with two stages."""

        def __init__(self) -> None:
            conv, stem = (Conv2Plus1D, R2Plus1dStem) if factored else (Conv3DSimple, BasicStem)
            super().__init__(BasicBlock, [conv] * 4, [1, 1, 1, 1], stem, num_classes=7)
            del self.layer3, self.layer4
            self.fc = nn.Linear(128, 7)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.avgpool(self.layer2(self.layer1(self.stem(x)))).flatten(1))

    assert_network(R2PLUS1D if factored else VIDEO, Short())


# -- ResNet-C and D ----------------------------------------------------------------------------------------------------


def test_deep_stem_and_average_pooled_projection() -> None:
    """ResNet-D: three 3x3 convolutions in the stem, average pooling before the projection (He et al. 2018)."""
    from torchvision.models.resnet import BasicBlock, ResNet

    reference = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=5)
    conv = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)

    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for n, (a, b, stride) in enumerate(((3, 32, 2), (32, 32, 1), (32, 64, 1)), 1):
                self.add_module(f"conv{n}", conv(a, b, stride=stride))
                self.add_module(f"bn{n}", nn.BatchNorm2d(b))
            for n in range(1, 5):
                layer = reference.get_submodule(f"layer{n}")
                down = layer[0].downsample
                if down is not None:
                    down[0].stride = (1, 1)
                    layer[0].downsample = nn.Sequential(
                        nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False), down[0], down[1]
                    )
                self.add_module(f"layer{n}", layer)
            self.fc = reference.fc

        def forward(self, x: Tensor) -> Tensor:
            for n in range(1, 4):
                x = torch.relu(self.get_submodule(f"bn{n}")(self.get_submodule(f"conv{n}")(x)))
            x = nn.functional.max_pool2d(x, 3, 2, 1)
            for n in range(1, 5):
                x = self.get_submodule(f"layer{n}")(x)
            return self.fc(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))

    text = """
        input: [3, 70, 66]
        classes: 5
        stem: deep
        stages: {block: basic, count: 1, channels: [64, 128, 256, 512], stride: [1, 2, 2, 2]}
        shortcut: avg-projection
        """
    assert_network(text, Deep())
    assert codes(compiled(text)) == []
