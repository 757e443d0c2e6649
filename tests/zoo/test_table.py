"""The five ResNets against the project's own table, at every input size and number of classes."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import archspec
from archspec.language.load import load
from tests.support.reference import torchvision_model

TABLE: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("table.yaml").read_text())
MODELS: dict[str, dict[str, Any]] = TABLE["models"]

names = st.sampled_from(list(MODELS))
sizes = st.integers(1, 600)
classes = st.integers(1, 30_000)


def compiled(name: str, height: int, width: int, classes: int) -> archspec.Graph:
    overrides = [f"input=[3, {height}, {width}]", f"classes={classes}"]
    return archspec.compile(load(name, overrides=overrides))


def expected_maps(name: str, height: int, width: int, classes: int) -> dict[str, tuple[int, ...]]:
    """The table's maps for another input: what it halves is halved, rounded up, and the global pool stays 1x1."""
    found: dict[str, tuple[int, ...]] = {}
    before = 224
    for scope, text in TABLE["maps"].items():
        *size, channels = (int(number) for number in text.split("x"))
        if scope == "fc":
            found[scope] = (classes,)
            continue
        if MODELS[name]["block"] == "basic" and scope not in ("conv1", "maxpool"):
            channels //= 4
        factor = before // size[0]
        height, width = (1, 1) if scope == "avgpool" else (math.ceil(height / factor), math.ceil(width / factor))
        before = size[0]
        found[scope] = (channels, height, width)
    return found


def maps(graph: archspec.Graph) -> dict[str, tuple[int, ...]]:
    """The compiled network's shapes at the places of the table: a node's own, or a stage's."""
    stages = {stage.scope: graph.shape(stage.result) for stage in graph.stages}
    return {scope: stages.get(scope) or graph.shape(scope) for scope in TABLE["maps"]}


def parameters(graph: archspec.Graph) -> int:
    weights = [node.operation.weights(graph.input_shapes(node)).values() for node in graph.nodes]
    return sum(math.prod(weight.shape) for found in weights for weight in found)


@given(name=names, height=sizes, width=sizes, classes=classes)
@example(name="resnet50", height=224, width=224, classes=1000)
@example(name="resnet18", height=1, width=1, classes=1)
@example(name="resnet152", height=225, width=31, classes=1000)
@settings(max_examples=150)
def test_shapes_and_parameters_are_the_tables(name: str, height: int, width: int, classes: int) -> None:
    graph = compiled(name, height, width, classes)
    assert maps(graph) == expected_maps(name, height, width, classes)
    assert graph.output == (classes,)
    assert [len(graph.blocks(stage)) for stage in graph.stages] == MODELS[name]["counts"]
    features = expected_maps(name, height, width, classes)["avgpool"][0]
    thousand = parameters(graph) - (classes - 1000) * (features + 1)
    assert f"{thousand / 1e6:.1f}" == str(MODELS[name]["params"])


def note(seen: dict[str, tuple[int, ...]], scope: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
    seen[scope] = tuple(output.shape[1:])


@pytest.mark.slow
@given(name=names, height=sizes, width=sizes, classes=classes)
@example(name="resnet152", height=97, width=33, classes=7)
@settings(max_examples=8)
def test_shapes_and_parameters_are_torchvisions(name: str, height: int, width: int, classes: int) -> None:
    graph = compiled(name, height, width, classes)
    with torch.device("meta"):
        model = torchvision_model(name, num_classes=classes).eval()
        seen: dict[str, tuple[int, ...]] = {}
        for scope in TABLE["maps"]:
            model.get_submodule(scope).register_forward_hook(partial(note, seen, scope))
        model(torch.empty(2, 3, height, width))
    assert maps(graph) == seen
    assert parameters(graph) == sum(parameter.numel() for parameter in model.parameters())
    built = archspec.build(graph, device="meta").eval()
    assert built(torch.empty(2, 3, height, width, device="meta")).shape == (2, classes)


@pytest.mark.parametrize("name", MODELS)
def test_built_stages_have_the_tables_blocks(name: str) -> None:
    model = archspec.build(name, device="meta")
    stages = [model.get_submodule(f"layer{number}") for number in (1, 2, 3, 4)]
    assert [len(list(stage.children())) for stage in stages] == MODELS[name]["counts"]
