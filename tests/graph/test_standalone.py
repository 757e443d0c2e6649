"""A graph without a spec is analyzed, built, saved, compared and verified like one that was compiled."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from safetensors import safe_open
from torch import Tensor, nn

import archspec
from archspec.analysis.report import analyze
from archspec.emit.fx import emit
from archspec.graph.graph import INPUT, Graph, Node
from archspec.graph.state import state
from archspec.operations.discovery import operations
from archspec.testing import graphs
from archspec.testing.expectations import check_expectations
from archspec.testing.run import with_storage
from archspec.weights.saving import save
from tests.support.properties import meaning, tries

NAMES = ["resnet18", "preact_resnet50", "googlenet", "densenet121", "convnext_tiny", "regnet_y_400mf", "vgg11_bn"]


def alone(graph: Graph) -> Graph:
    return dataclasses.replace(graph, origin=None)


def costs(graph: Graph) -> tuple[Any, ...]:
    found = analyze(graph)
    outline = (found.name, found.outputs, found.rows, found.blocks, found.nodes, found.totals, found.memory)
    return (*outline, found.receptive_field, found.paths, found.unavailable)


def text_of(model: Any) -> list[str]:
    return [module.code for module in model.modules() if isinstance(module, torch.fx.GraphModule)]


def assert_same_without_origin(graph: Graph) -> None:
    stripped = alone(graph)
    assert stripped.origin is None
    assert costs(stripped) == costs(graph)
    assert list(state(stripped).items()) == list(state(graph).items())
    ours, theirs = emit(stripped), emit(graph)
    assert text_of(ours) == text_of(theirs)
    shapes = [[(key, value.shape) for key, value in model.state_dict().items()] for model in (ours, theirs)]
    assert shapes[0] == shapes[1]
    assert not archspec.diff(stripped, graph)
    assert meaning(stripped) == meaning(graph)


@pytest.mark.parametrize("name", NAMES)
def test_a_network_of_the_zoo(name: str) -> None:
    assert_same_without_origin(archspec.compile(name))


@given(graphs())
@tries(40)
def test_every_network(graph: Graph) -> None:
    assert_same_without_origin(graph)


def test_weights_are_the_same_for_one_seed_and_are_saved_and_loaded(tmp_path: Path) -> None:
    graph = archspec.compile("resnet20_cifar")
    model = archspec.build(alone(graph), seed=5)
    expected = archspec.build(graph, seed=5).state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in model.state_dict().items())
    save(model, alone(graph), tmp_path / "model.safetensors")
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert file.metadata() == {"name": "resnet20_cifar", "hash": alone(graph).fingerprint}
    again = archspec.build(alone(graph), weights=tmp_path / "model.safetensors")
    assert all(torch.equal(value, expected[key]) for key, value in again.state_dict().items())


def test_what_a_spec_says_of_itself_is_not_there() -> None:
    """Keys of specs, expectations and a reference are text of the spec, and no part of the network."""
    graph = archspec.compile("resnet18")
    assert check_expectations(alone(archspec.compile("resnet18"))) == []
    other = alone(archspec.compile("resnet34"))
    found = archspec.diff(alone(graph), other)
    assert (found.keys, bool(found)) == ((), True)
    assert found.stages == archspec.diff(graph, archspec.compile("resnet34")).stages
    with pytest.raises(ValueError, match="there is nothing to compare `resnet18` with"):
        archspec.verify(alone(graph))
    with pytest.raises(ValueError, match="another input needs a spec to compile again, and this graph has no spec"):
        archspec.analyze(alone(graph), input=(3, 32, 32))


class Tiny(nn.Module):
    """The network that :func:`tiny` describes, by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.conv = nn.Conv2d(8, 8, 3, padding=1, groups=2, bias=False)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        value = self.stem(x)
        value = value + self.conv(value)
        return self.fc(torch.flatten(self.pool(value), 1))


def tiny() -> Graph:
    """A network made wholly by hand, without a text."""
    nodes: dict[str, Node] = {}
    shapes = {INPUT: (3, 16, 16)}
    for name, kind, arguments, inputs in (
        ("stem.0", "conv", {"out": 8, "kernel": 3}, (INPUT,)),
        ("stem.1", "norm", {}, ("stem.0",)),
        ("stem.2", "act", {"type": "relu"}, ("stem.1",)),
        ("conv", "conv", {"out": 8, "kernel": 3, "groups": 2}, ("stem.2",)),
        ("add", "add", {}, ("stem.2", "conv")),
        ("pool", "pool", {"type": "avg", "output": 1}, ("add",)),
        ("flatten", "flatten", {}, ("pool",)),
        ("fc", "linear", {"out": 5}, ("flatten",)),
    ):
        operation = operations()[kind](**arguments)
        shapes[name] = operation.shape(tuple(shapes[each] for each in inputs))
        nodes[name] = Node(name, operation, inputs, shapes[name])
    return Graph("tiny", shapes[INPUT], tuple(nodes.values()), {"output": "fc"})


def test_a_graph_made_by_hand_is_the_module_written_by_hand() -> None:
    graph, module = tiny(), Tiny()
    model = archspec.build(graph)
    assert list(model.state_dict()) == list(module.state_dict())
    model.load_state_dict(module.state_dict())
    example = torch.randn(2, 3, 16, 16)
    assert torch.equal(model(example), module(example))
    found = archspec.analyze(graph)
    assert found.totals.costs.params == sum(parameter.numel() for parameter in module.parameters())
    assert found.totals.costs.macs == 16 * 16 * (27 * 8 + 36 * 8) + 8 * 5
    assert [row.name for row in found.rows] == ["stem"]
    assert archspec.verify(graph, module).holds("keys", "graph", "outputs")
    assert graph.to_networkx().name == "tiny"


def test_a_difference_is_found_without_a_line_to_point_at() -> None:
    module = Tiny()
    module.conv = nn.Conv2d(8, 8, 3, padding=1, groups=4, bias=False)
    found = archspec.verify(tiny(), module)
    assert not found.holds("graph")
    assert [(fault.code, fault.span, fault.notes[0]) for fault in found.diagnostics if fault.code == "E906"] == [
        ("E906", None, "in conv")
    ]


def test_an_error_at_run_time_names_the_scope_alone() -> None:
    with pytest.raises(RuntimeError) as caught:
        archspec.build(tiny())(torch.randn(2, 4, 16, 16))
    assert caught.value.__notes__ == ["in stem"]


def test_what_the_harness_tests_of_a_built_network_holds() -> None:
    steps, refused = with_storage(tiny(), largest=10**6)
    assert (refused, [fault for step in steps for fault in step.faults()]) == ("", [])
