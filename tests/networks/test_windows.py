"""Networks whose windows are not symmetric or not plain: a stack of causal convolutions, and partial convolution."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import archspec
from archspec.verification.importing import torchvision_models

WAVENET = """
archspec: 1
name: wavenet
input: [1, 64]
classes: 16
norm: none
act: relu
shortcut: identity
blocks:
  gated:
    activation_order: pre
    residual:
      - multiply:
          - - conv: {out: channels, kernel: 2, dilation: dilation, padding: [[dilation, 0]], bias: true}
            - act: {type: tanh}
          - - conv: {out: channels, kernel: 2, dilation: dilation, padding: [[dilation, 0]], bias: true}
            - act: {type: sigmoid}
      - conv: {out: channels, bias: true}
stem:
  - conv: {out: 8, kernel: 2, padding: [[1, 0]], bias: true}
stages: {block: gated, count: 1, channels: 8, dilation: [1, 2, 4, 8], stride: 1}
head: [act, conv: {out: 16, bias: true}, act, conv: {out: classes, bias: true}]
"""


class Causal(nn.Conv1d):
    """A convolution that reads only what came before (van den Oord et al. 2016, section 2.1)."""

    def __init__(self, channels: int, out: int, dilation: int = 1) -> None:
        super().__init__(channels, out, 2, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (self.dilation[0], 0)))


class Gated(nn.Module):
    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.filter, self.gate, self.out = Causal(8, 8, dilation), Causal(8, 8, dilation), nn.Conv1d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        gated: Tensor = torch.tanh(self.filter(x)) * torch.sigmoid(self.gate(x))
        return x + self.out(gated)


class WaveNet(nn.Module):
    """The stack of section 2.3, without the skip connections to the output."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Causal(1, 8)
        self.blocks = nn.Sequential(*[Gated(dilation) for dilation in (1, 2, 4, 8)])
        self.last = nn.Sequential(nn.ReLU(), nn.Conv1d(8, 16, 1), nn.ReLU(), nn.Conv1d(16, 16, 1))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.last(self.blocks(self.stem(x)))
        return found


def loaded(spec: str, reference: nn.Module) -> nn.Module:
    """The spec's network with the weights of a reference, whose tensors come in the same order."""
    model = archspec.build(spec, seed=0)
    ours, theirs = model.state_dict(), reference.state_dict()
    assert [tuple(each.shape) for each in ours.values()] == [tuple(each.shape) for each in theirs.values()]
    model.load_state_dict(dict(zip(ours, theirs.values(), strict=True)))
    return model


def test_a_stack_of_causal_convolutions() -> None:
    """Equal bit for bit at two lengths; no output reads what comes after it; the field is 17 positions and one more."""
    reference = WaveNet()
    model = loaded(WAVENET, reference)
    for length in (64, 37):
        x = torch.randn(2, 1, length)
        assert torch.equal(model(x), reference(x))
    x = torch.randn(1, 1, 64, requires_grad=True)
    (gradient,) = torch.autograd.grad(model(x)[0, :, 40].sum(), x)
    (read,) = torch.nonzero(gradient[0, 0], as_tuple=True)
    assert (read.min().item(), read.max().item()) == (40 - 16, 40)
    field = archspec.analyze(WAVENET).receptive_field
    assert field is not None
    assert field.size == 17
    assert field.center == (-8.0,)


def test_partial_convolution_is_a_combination() -> None:
    """timm's of FasterNet (Chen et al. 2023, section 3.2): a slice is convolved, and joined with the other channels."""
    torchvision_models()
    fasternet: Any = pytest.importorskip("timm.models.fasternet")
    reference = fasternet.Partial_conv3(16, 4, "split_cat")
    steps = "concat: [[slice: {stop: width // 4}, conv: {out: width, kernel: 3}], [slice: {start: width // 4}]]"
    model = loaded(f"archspec: 1\nname: t\ninput: [16, 9, 8]\nstem: [{steps}]\nstages: []\nhead: []\n", reference)
    for size in ((9, 8), (5, 12)):
        x = torch.randn(2, 16, *size)
        assert torch.equal(model(x), reference(x))
