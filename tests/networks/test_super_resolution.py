"""Networks that enlarge images, from papers, against modules written by hand; and the same at another size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.support.equivalence import assert_network


class Espcn(nn.Module):
    """Shi et al. 2016, section 3.1: three convolutions, and a shuffle of channels into pixels."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 64, 5, padding=2), nn.Conv2d(64, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, factor**2, 3, padding=1)
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.conv2(torch.tanh(self.conv1(x))))
        return nn.functional.pixel_shuffle(self.conv3(x), self.factor)


ESPCN = """
    input: [1, 9, 11]
    params: {factor: 3}
    act: tanh
    stem:
      - conv: {out: 64, kernel: 5, bias: true}
      - act
      - conv: {out: 32, kernel: 3, bias: true}
      - act
      - conv: {out: 3 * 3, kernel: 3, bias: true}
      - pixel_shuffle: {factor: factor}
    stages: []
    head: []
"""


def test_espcn() -> None:
    reference = Espcn(3)
    model = assert_network(ESPCN, reference)
    reference.load_state_dict(model.state_dict())
    x = torch.randn(2, 1, 14, 8)
    assert torch.equal(model.eval()(x), reference.eval()(x))
    assert model(x).shape == (2, 1, 42, 24)


class ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.prelu = nn.PReLU()
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(x)))))


class SrResNet(nn.Module):
    """Ledig et al. 2017, figure 4: residual blocks inside one long skip connection, and two shuffles of pixels."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.conv1, self.prelu = nn.Conv2d(3, channels, 9, padding=4, bias=True), nn.PReLU()
        self.layer1 = nn.Sequential(*[ResidualBlock(channels) for _ in range(blocks)])
        self.conv2, self.bn1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.conv3, self.prelu2 = nn.Conv2d(channels, 4 * channels, 3, padding=1, bias=True), nn.PReLU()
        self.conv4, self.prelu3 = nn.Conv2d(channels, 4 * channels, 3, padding=1, bias=True), nn.PReLU()
        self.conv5 = nn.Conv2d(channels, 3, 9, padding=4, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        first = self.prelu(self.conv1(x))
        x = first + self.bn1(self.conv2(self.layer1(first)))
        for conv, prelu in ((self.conv3, self.prelu2), (self.conv4, self.prelu3)):
            x = prelu(nn.functional.pixel_shuffle(conv(x), 2))
        found: Tensor = self.conv5(x)
        return found


SRRESNET = """
    input: [3, 12, 10]
    params: {wide: 16}
    act: prelu
    activation_order: act-before-add
    stem:
      - conv: {out: wide, kernel: 9, bias: true}
      - act: {as: first}
    stages: {block: residual, count: 3, channels: wide}
    head:
      - conv: {out: width, kernel: 3}
      - norm
      - add: [[], [from: first]]
      - enlarged
      - enlarged
      - conv: {out: 3, kernel: 9, bias: true}
    blocks:
      residual:
        channels: width of every layer
        residual:
          - layer: {out: channels, kernel: 3}
          - layer: {out: channels, kernel: 3, act: none}
    fragments:
      enlarged:
        steps:
          - conv: {out: 4 * width, kernel: 3, bias: true}
          - pixel_shuffle: {factor: 2}
          - act
"""


def test_srresnet() -> None:
    reference = SrResNet(16, 3)
    model = assert_network(SRRESNET, reference, by="order")
    x = torch.randn(2, 3, 7, 9)
    reference.load_state_dict(dict(zip(reference.state_dict(), model.state_dict().values(), strict=True)))
    assert torch.equal(model.eval()(x), reference.eval()(x))
    assert model(x).shape == (2, 3, 28, 36)
