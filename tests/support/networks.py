"""Small networks for the tests: a residual network in torch, and specs of it and of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

import archspec
from archspec.verification.verdict import Verdict
from tests.support.equivalence import spec

RESIDUAL = """
    input: [3, 16, 16]
    classes: 5
    stem:
      - layer: {out: 8, kernel: 3}
    stages:
      block: basic
      count:    [1, 1]
      channels: [8, 12]
      stride:   [1, 2]
    head:
      - pool: {type: avg, output: 1}
      - flatten
      - dropout: {p: 0.2}
      - linear: {out: classes}
    """

MODULES = ("conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "conv4", "bn4", "conv5", "bn5", "project", "norm", "fc")

OURS = {
    "conv1": "conv1",
    "bn1": "bn1",
    "conv2": "layer1.0.conv1",
    "bn2": "layer1.0.bn1",
    "conv3": "layer1.0.conv2",
    "bn3": "layer1.0.bn2",
    "conv4": "layer2.0.conv1",
    "bn4": "layer2.0.bn1",
    "conv5": "layer2.0.conv2",
    "bn5": "layer2.0.bn2",
    "project": "layer2.0.downsample.0",
    "norm": "layer2.0.downsample.1",
    "fc": "fc",
}
"""What the spec's network calls the modules of :class:`Residual`."""


class Residual(nn.Module):
    """The network of ``RESIDUAL`` written by hand: two basic blocks between a stem and a head."""

    def __init__(self, names: dict[str, str] | None = None, order: Sequence[str] = MODULES) -> None:
        super().__init__()
        made = {
            "conv1": nn.Conv2d(3, 8, 3, padding=1, bias=False),
            "bn1": nn.BatchNorm2d(8),
            "conv2": nn.Conv2d(8, 8, 3, padding=1, bias=False),
            "bn2": nn.BatchNorm2d(8),
            "conv3": nn.Conv2d(8, 8, 3, padding=1, bias=False),
            "bn3": nn.BatchNorm2d(8),
            "conv4": nn.Conv2d(8, 12, 3, 2, padding=1, bias=False),
            "bn4": nn.BatchNorm2d(12),
            "conv5": nn.Conv2d(12, 12, 3, padding=1, bias=False),
            "bn5": nn.BatchNorm2d(12),
            "project": nn.Conv2d(8, 12, 1, 2, bias=False),
            "norm": nn.BatchNorm2d(12),
            "fc": nn.Linear(12, 5),
        }
        self.names = names or {name: name for name in MODULES}
        for name in order:
            self.add_module(self.names[name], made[name])

    def part(self, name: str) -> nn.Module:
        return self.get_submodule(self.names[name])

    def stem(self, x: Tensor) -> Tensor:
        return self.part("bn1")(self.part("conv1")(x)).relu()

    def first(self, x: Tensor) -> Tensor:
        y = torch.relu(self.part("bn2")(self.part("conv2")(x)))
        return torch.relu(self.part("bn3")(self.part("conv3")(y)) + x)

    def second(self, x: Tensor) -> Tensor:
        y = torch.relu(self.part("bn4")(self.part("conv4")(x)))
        return torch.relu(self.part("bn5")(self.part("conv5")(y)) + self.part("norm")(self.part("project")(x)))

    def head(self, x: Tensor) -> Tensor:
        x = nn.functional.dropout(x.mean((2, 3)), 0.2, self.training)
        return self.part("fc")(x)  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.second(self.first(self.stem(x))))


def changed(change: Callable[[Residual], None]) -> Residual:
    """The network by hand after a change."""
    made = Residual()
    change(made)
    return made


def verdict(reference: nn.Module, text: str = RESIDUAL, **options: object) -> Verdict:
    """What a verification of a small spec finds."""
    return archspec.verify(archspec.compile(spec(text)), reference, **options)  # type: ignore[arg-type]
