"""The project's table: shapes and parameters of the five ResNets, stage by stage, against torchvision's modules."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import archspec
from archspec.language.load import load
from tests.support.properties import tries
from tests.support.reference import torchvision_model

NAMES = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
PARTS = ("conv1", "bn1", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool", "fc")


@functools.cache
def reference(name: str) -> nn.Module:
    """torchvision's network, without storage."""
    with torch.device("meta"):
        return torchvision_model(name).eval()


def measured(name: str, height: int, width: int, classes: int) -> dict[str, tuple[tuple[int, ...], int]]:
    """The output's shape and the parameters of each part, as torch has them."""
    model = reference(name)
    model.fc = nn.Linear(model.fc.in_features, classes, device="meta")
    found: dict[str, tuple[tuple[int, ...], int]] = {}

    def note(part: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            found[part] = tuple(output.shape[1:]), sum(p.numel() for p in module.parameters())

        return hook

    hooks = [model.get_submodule(part).register_forward_hook(note(part)) for part in PARTS]
    model(torch.empty(2, 3, height, width, device="meta"))
    for each in hooks:
        each.remove()
    return found


def inferred(name: str, height: int, width: int, classes: int) -> dict[str, tuple[tuple[int, ...], int]]:
    """The same as archspec reports it, without torch."""
    overrides = [f"input=[3, {height}, {width}]", f"classes={classes}"]
    parts = archspec.analyze(load(name, overrides=overrides), lengths=False).parts
    found = {part.name: (tuple(part.output), part.costs.params) for part in (*parts.nodes(), *parts.stages())}
    return {name: found[name] for name in PARTS}


@pytest.mark.parametrize("name", NAMES)
def test_every_stage_is_torchvisions(name: str) -> None:
    """At any input size and number of classes; batch norms of 1x1 maps are none of torch's trouble in eval mode."""

    @given(height=st.integers(1, 512), width=st.integers(1, 512), classes=st.integers(1, 30_000))
    @example(height=224, width=224, classes=1000)
    @example(height=1, width=33, classes=1)
    @settings(tries(3), suppress_health_check=list(HealthCheck))
    def each(height: int, width: int, classes: int) -> None:
        assert inferred(name, height, width, classes) == measured(name, height, width, classes)

    each()
