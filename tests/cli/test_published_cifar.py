"""Weights as an independent repository of ResNets for CIFAR publishes them, loaded through a map of two keys.

Its file is what ``torch.save`` made of ``{"state_dict": ..., "best_prec1": ...}``, with a wrapper's ``module.`` before
each key. Its last layer is called ``linear``. Its shortcuts of option A put half of the zeros before the channels,
unlike He et al., and so does the spec here. The class is written from that description.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

import archspec
from archspec.lab.data import load_data

from .conftest import Run

MAP = {"keys": {"fc.weight": "linear.weight", "fc.bias": "linear.bias"}}
SPEC = """
archspec: 1
name: published20
extends: resnet20_cifar
shortcuts:
  both-sides:
    same: []
    change:
      - subsample: {stride: stride}
      - pad_channels: {out: out_channels, at: both}
shortcut: both-sides
"""
WEIGHTS = ("--weights", "published.th", "--map", "map.json")


class PublishedBlock(nn.Module):
    def __init__(self, width: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        self.added, self.stride, self.deleted = planes - width, stride, False

    def forward(self, x: Tensor) -> Tensor:
        straight: Tensor = self.shortcut(x)
        if self.added:
            straight = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.added // 2, self.added // 2))
        if self.deleted:
            return functional.relu(straight)
        return functional.relu(self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x))))) + straight)


class PublishedResNet(nn.Module):
    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        for number, (before, planes) in enumerate([(16, 16), (16, 32), (32, 64)], start=1):
            first = PublishedBlock(before, planes, 1 if number == 1 else 2)
            rest = [PublishedBlock(planes, planes, 1) for _ in range(blocks - 1)]
            self.add_module(f"layer{number}", nn.Sequential(first, *rest))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        out = functional.avg_pool2d(out, out.size()[3])
        found: Tensor = self.linear(out.view(out.size(0), -1))
        return found


def published(zipped: bool = True, counters: bool = True) -> PublishedResNet:
    """A network with 20 layers whose norms have statistics that fit; its file is written."""
    torch.manual_seed(0)
    model = PublishedResNet(3)
    for _ in range(20):
        model(torch.randn(64, 3, 8, 8))
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    if not counters:  # torch before 0.4.1 had none
        state = {key: value for key, value in state.items() if "num_batches" not in key}
    torch.save({"state_dict": state, "best_prec1": 91.25}, "published.th", _use_new_zipfile_serialization=zipped)
    Path("published20.yaml").write_text(SPEC)
    Path("map.json").write_text(json.dumps(MAP))
    return model.eval()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("counters", [True, False])
def test_build(zipped: bool, counters: bool, run: Run, here: Path) -> None:
    theirs = published(zipped, counters)
    found = run("build", "published20.yaml", *WEIGHTS, "-o", "ours.safetensors")
    assert found.status == 0, found.err
    ours = archspec.build("published20.yaml", weights="ours.safetensors").eval()
    images = torch.randn(8, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(ours(images), theirs(images), atol=1e-5)


def test_train(run: Run, here: Path) -> None:
    """With a rate of nothing, the parameters stay what they were."""
    theirs = published()
    still = ("--epochs", "1", "--lr", "0", "--schedule", "constant", "--data", "synthetic", "--size", "8")
    found = run("train", "published20.yaml", *WEIGHTS, *still, "-o", "ours.safetensors")
    assert found.status == 0, found.err
    ours = load_file("ours.safetensors")
    for key, value in theirs.named_parameters():
        assert torch.equal(ours[key.replace("linear", "fc")], value), key


@pytest.mark.slow
def test_lesion(run: Run, here: Path) -> None:
    """The accuracy of the whole network, and without each block, is that of the published class."""
    theirs, draw = published(), random.Random(0)
    for name in "abcdefghij":
        Path("images", name).mkdir(parents=True)
        for number in range(16):
            image = Image.frombytes("RGB", (8, 8), draw.randbytes(192))
            image.save(Path("images", name, f"{number}.png"))
    small = ("--seeds", "1", "--draws", "1", "--deleted", "1", "--data", "folder:images")
    found = run("lab", "lesion", "published20.yaml", *WEIGHTS, *small, "-o", "lesions")
    assert found.status == 0, found.err
    data = load_data("folder:images")

    def accuracy() -> float:
        with torch.no_grad():
            return (theirs(data.test.images).argmax(1) == data.test.labels).double().mean().item()

    tables: dict[str, Any] = {
        table["name"]: table["rows"] for table in json.loads(Path("lesions/results.json").read_text())["tables"]
    }
    assert tables["networks"][0]["test_accuracy"]["mean"] == pytest.approx(accuracy())
    assert len(tables["blocks"]) == 9
    for row in tables["blocks"]:
        block = theirs.get_submodule(row["block"])
        assert isinstance(block, PublishedBlock)
        block.deleted = True
        assert row["accuracy"]["mean"] == pytest.approx(accuracy()), row["block"]
        block.deleted = False
