"""The residual networks of the papers, written by hand in torch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.support.reference import torchvision_models

relu = functional.relu


def basic(inputs: int, channels: int, stride: int) -> list[nn.Conv2d]:
    """Two 3x3 convolutions (He et al. 2015, fig. 5, left)."""
    return [
        nn.Conv2d(inputs, channels, 3, stride, 1, bias=False),
        nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
    ]


def bottleneck(groups: int = 1, stride_at: int = 2) -> Callable[[int, int, int], list[nn.Conv2d]]:
    """1x1, 3x3 in groups, 1x1 to four times the channels (He et al. 2015, fig. 5, right; Xie et al. 2016, fig. 3c).

    ``channels`` is the width of one group; the 1x1 or the 3x3 has the stride.
    """

    def convolutions(inputs: int, channels: int, stride: int) -> list[nn.Conv2d]:
        width, strides = channels * groups, (stride, 1) if stride_at == 1 else (1, stride)
        return [
            nn.Conv2d(inputs, width, 1, strides[0], bias=False),
            nn.Conv2d(width, width, 3, strides[1], 1, groups=groups, bias=False),
            nn.Conv2d(width, 4 * channels, 1, bias=False),
        ]

    return convolutions


class Unit(nn.Module):
    """A residual unit in one of the orders of He et al. 2016, fig. 4.

    Args:
        convs: the convolutions of the residual.
        stride: their common stride.
        order: ``post``, ``norm_after_add``, ``act_before_add``, ``act_only_pre`` or ``pre``.
        shortcut: option ``A``, ``B`` or ``C`` of He et al. 2015, ``plain`` for none, or ``pooled``, option A with
            average pooling in the place of subsampling, as in the code of Huang et al. 2016.
        dropout: the probability of dropping an element before the last convolution.
        drop: the probability of dropping the residual of an example in training.
    """

    def __init__(
        self,
        convs: list[nn.Conv2d],
        stride: int,
        order: str = "post",
        shortcut: str = "A",
        dropout: float = 0.0,
        drop: float = 0.0,
    ) -> None:
        super().__init__()
        self.order, self.shortcut, self.stride = order, shortcut, stride
        self.dropout, self.drop = dropout, drop
        inputs, self.out = convs[0].in_channels, convs[-1].out_channels
        for number, conv in enumerate(convs, 1):
            bn = nn.BatchNorm2d(conv.in_channels if order == "pre" else conv.out_channels)
            for name, part in [("conv", conv), ("bn", bn)][:: -1 if order == "pre" else 1]:
                self.add_module(f"{name}{number}", part)
        self.layers = [(getattr(self, f"conv{n}"), getattr(self, f"bn{n}")) for n in range(1, len(convs) + 1)]
        self.changes = stride != 1 or inputs != self.out
        if shortcut == "C" or (shortcut == "B" and self.changes):
            self.downsample = nn.Sequential(nn.Conv2d(inputs, self.out, 1, stride, bias=False))
            if order != "pre":
                self.downsample.append(nn.BatchNorm2d(self.out))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = getattr(self, self.order)(x)
        return result

    def post(self, x: Tensor) -> Tensor:
        (*layers, (conv, bn)), y = self.layers, x
        for conv_, bn_ in layers:
            y = relu(bn_(conv_(y)))
        return relu(self.add(x, bn(conv(y))))

    def norm_after_add(self, x: Tensor) -> Tensor:
        (conv1, bn1), (conv2, bn2) = self.layers
        return relu(bn2(self.add(x, conv2(relu(bn1(conv1(x)))))))

    def act_before_add(self, x: Tensor) -> Tensor:
        (conv1, bn1), (conv2, bn2) = self.layers
        return self.add(x, relu(bn2(conv2(relu(bn1(conv1(x)))))))

    def act_only_pre(self, x: Tensor) -> Tensor:
        (conv1, bn1), (conv2, bn2) = self.layers
        activated = relu(x)
        return self.add(activated if self.changes else x, bn2(conv2(relu(bn1(conv1(activated))))))

    def pre(self, x: Tensor) -> Tensor:
        (conv, bn), *layers = self.layers
        activated = relu(bn(x))
        y = conv(activated)
        for conv, bn in layers:
            y = relu(bn(y))
            if self.dropout:
                y = functional.dropout(y, self.dropout, self.training)
            y = conv(y)
        return self.add(activated if self.changes else x, y)

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """The shortcut from ``x`` and the residual ``y``."""
        if self.shortcut == "plain":
            return y
        if self.drop:
            from torchvision.ops import stochastic_depth

            y = stochastic_depth(y, self.drop, "row", self.training)
        if hasattr(self, "downsample"):
            return self.downsample(x) + y
        if self.changes:
            pooled = self.shortcut == "pooled"
            x = functional.avg_pool2d(x, self.stride) if pooled else x[:, :, :: self.stride, :: self.stride]
            x = functional.pad(x, (0, 0, 0, 0, 0, self.out - x.shape[1]))
        return x + y


class ResNet(nn.Module):
    """A stem of 3x3 (CIFAR) or of 7x7 and pooling (ImageNet), stages of units, global pooling, a linear layer.

    Args:
        counts: units in each stage; the first unit of each stage but the first has stride 2.
        convolutions: the convolutions of a unit from its input channels, its channels and its stride.
        channels: of the stages.
        width: of the stem, 64 with 7x7.
        last_drop: the probability of dropping the last residual, to which it rises linearly (Huang et al. 2016, eq. 4).
    """

    def __init__(
        self,
        counts: tuple[int, ...],
        convolutions: Callable[[int, int, int], list[nn.Conv2d]] = basic,
        channels: tuple[int, ...] = (16, 32, 64),
        width: int = 16,
        order: str = "post",
        shortcut: str = "A",
        dropout: float = 0.0,
        last_drop: float = 0.0,
    ) -> None:
        super().__init__()
        torchvision_models()
        self.order, self.imagenet = order, len(counts) == 4
        if self.imagenet:
            width = 64
        self.conv1 = (
            nn.Conv2d(3, width, 7, 2, 3, bias=False) if self.imagenet else nn.Conv2d(3, width, 3, 1, 1, bias=False)
        )
        if order != "pre":
            self.bn1 = nn.BatchNorm2d(width)
        number = 0
        for stage, (count, out) in enumerate(zip(counts, channels, strict=True), 1):
            units = nn.Sequential()
            for index in range(count):
                number += 1
                stride = 2 if stage > 1 and index == 0 else 1
                drop = last_drop * number / sum(counts)
                unit = Unit(convolutions(width, out, stride), stride, order, shortcut, dropout, drop)
                units.append(unit)
                width = unit.out
            self.add_module(f"layer{stage}", units)
        if order == "pre":
            self.bn1 = nn.BatchNorm2d(width)
        self.fc = nn.Linear(width, 1000 if self.imagenet else 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        if self.order != "pre":
            x = self.bn1(x)
        if self.order not in ("pre", "act_only_pre"):
            x = relu(x)
        if self.imagenet:
            x = functional.max_pool2d(x, 3, 2, 1)
        for name, stage in self.named_children():
            if name.startswith("layer"):
                x = stage(x)
        if self.order == "pre":
            x = self.bn1(x)
        if self.order in ("pre", "act_only_pre"):
            x = relu(x)
        return self.fc(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))
