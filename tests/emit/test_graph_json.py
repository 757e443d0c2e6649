"""A graph as JSON, and read back: the same graph, the same figures, the same model, the same text."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from jsonschema import Draft202012Validator

import archspec
from archspec.emit.graph_json import to_json
from archspec.emit.graph_schema import graph_schema
from archspec.graph.graph import Graph, Node, Region
from archspec.testing import graphs
from tests.support.zoo import ZOO

SCHEMA = Draft202012Validator(graph_schema())
SOME = (
    "resnet18",
    "densenet121",
    "googlenet",
    "mobilenet_v3_small",
    "shufflenet_v2_x1_0",
    "convnext_tiny",
    "r2plus1d_18",
)


def compare(graph: Graph, back: Graph) -> None:
    """Every field that two equal graphs share, as the docstring of `graph_from_json` says."""
    assert back == graph
    assert back.fingerprint == graph.fingerprint
    for name in ("name", "summary", "paper", "input", "single", "stem", "head", "heads", "trimmed"):
        assert getattr(back, name) == getattr(graph, name), name
    assert list(back.outputs.items()) == list(graph.outputs.items())
    assert dict(back.init) == dict(graph.init)
    for one, other in zip(graph.nodes, back.nodes, strict=True):
        assert one[:4] == other[:4]
        assert type(one.operation) is type(other.operation)
        assert at(one.span) == at(other.span)
        cells = [[(cell.stage, cell.column, at(cell.span)) for cell in node.cells] for node in (one, other)]
        assert cells[0] == cells[1]
    for ones, others in ((graph.regions, back.regions), (graph.named, back.named)):
        for region, read in zip(ones, others, strict=True):
            assert dataclasses.replace(region, span=None) == dataclasses.replace(read, span=None)
            assert at(region.span) == at(read.span)
    assert back.origin is None


def at(span: Any) -> Any:
    """A place, with the kind of its source and the end of its name: the folder depends on the machine."""
    return span and (span.source.kind, span.source.name.rpartition("/")[2], *span[1:])


def test_no_field_of_a_graph_is_forgotten() -> None:
    """A new field is either written or listed here."""
    data = json.loads(to_json(archspec.compile("resnet18")))
    left_out = {"origin", "warnings", "work"}
    assert {field.name for field in dataclasses.fields(Graph)} - left_out <= data.keys()
    assert {field.name for field in dataclasses.fields(Region)} - {"span"} <= data["regions"][0].keys()
    assert {*Node._fields} - {"provenance"} <= data["nodes"][0].keys()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"summary": "Other."},
        {"nodes": lambda graph: (*graph.nodes[:-1], graph.nodes[-1]._replace(name="other"))},
        {"nodes": lambda graph: (*graph.nodes[:-1], graph.nodes[-1]._replace(operation=graph.nodes[0].operation))},
        {"regions": lambda graph: graph.regions[:-1]},
        {"regions": lambda graph: (*graph.regions[:-1], dataclasses.replace(graph.regions[-1], values={"a": 1}))},
        {"init": {"conv": "xavier"}},
        {"outputs": {"other": "fc"}},
    ],
    ids=("name", "summary", "name of a node", "operation", "no region", "values of a region", "init", "outputs"),
)
def test_graphs_that_differ_are_not_equal(change: dict[str, Any]) -> None:
    graph = archspec.compile("resnet20_cifar")
    ((name, value),) = change.items()
    other = dataclasses.replace(graph, **{name: value(graph) if callable(value) else value})
    assert other != graph
    assert graph == dataclasses.replace(
        graph, origin=None, nodes=tuple([node._replace(provenance=None) for node in graph.nodes])
    )


@settings(max_examples=25)
@given(graphs())
def test_a_drawn_graph_reads_back(graph: Graph) -> None:
    text = to_json(graph)
    assert text.isascii()
    back = archspec.graph_from_json(text)
    compare(graph, back)
    assert to_json(back) == text
    assert not list(SCHEMA.iter_errors(json.loads(text)))
    reports = [archspec.analyze(each, lengths=False).as_data() for each in (graph, back)]
    assert reports[0] | {"file": ""} == reports[1]


@pytest.mark.parametrize("name", SOME)
def test_a_network_of_the_zoo_reads_back(name: str) -> None:
    graph = archspec.compile(name)
    text = to_json(graph)
    back = archspec.graph_from_json(text)
    compare(graph, back)
    assert to_json(back) == text
    assert not list(SCHEMA.iter_errors(json.loads(text)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_every_network_of_the_zoo_reads_back(name: str) -> None:
    graph = archspec.compile(name)
    back = archspec.graph_from_json(to_json(graph))
    compare(graph, back)
    reports = [archspec.analyze(each).as_data() for each in (graph, back)]
    assert reports[0] | {"file": ""} == reports[1]


SPEC = """\
archspec: 1
name: net
input: [3, 16, 16]
classes: 4
stem: cifar
stages: {block: bottleneck, count: [2, 1], channels: [4, 8]}
"""


@cache
def resnet() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(to_json(archspec.compile("resnet18")))
    return found


def test_costs_and_shapes_are_those_of_the_built_network() -> None:
    """Torch counts the parameters, and runs the shapes."""
    model = archspec.build("resnet18", device="meta", flat=True)
    shapes: dict[str, list[int]] = {}

    class Shapes(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> Any:
            found = super().run_node(n)
            if "scope" in n.meta:
                shapes[n.meta["scope"]] = list(found.shape[1:])
            return found

    Shapes(model).run(torch.zeros(1, 3, 224, 224, device="meta"))
    nodes = {node["name"]: node for node in resnet()["nodes"]}
    assert {name: shape for name, shape in shapes.items() if name in nodes} == {
        name: node["shape"] for name, node in nodes.items()
    }
    assert resnet()["totals"]["params"] == sum(each.numel() for each in model.parameters())
    for name, module in model.named_modules():
        if name in nodes:
            assert nodes[name]["params"] == sum(each.numel() for each in module.parameters())


@pytest.mark.parametrize("flat", [False, True])
def test_a_graph_that_was_read_builds_the_same_model(flat: bool) -> None:
    graph = archspec.compile(SPEC)
    models = [archspec.build(each, seed=3, flat=flat) for each in (graph, archspec.graph_from_json(to_json(graph)))]
    states = [model.state_dict() for model in models]
    assert [*states[0]] == [*states[1]]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert models[0].code == models[1].code
    # The place of the input, which the output has too, is in the spec, which a graph that was read does not have.
    ends = ("placeholder", "output")
    written = [[(n.name, str(n.meta.get("span"))) for n in model.graph.nodes if n.op not in ends] for model in models]
    assert written[0] == written[1]
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(models[0](x), models[1](x))


def test_the_text_does_not_depend_on_the_folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The spec by its path from anywhere, and what it extends and imports."""
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "blocks.yaml").write_text("archspec: 1\nblocks: {own: {residual: [layer: {out: channels, kernel: 3}]}}\n")
    (folder / "net.yaml").write_text(
        "archspec: 1\nname: net\nimport: blocks.yaml\nstages: {block: own, count: 1, channels: 64}\n"
    )
    texts = [to_json(archspec.compile(folder / "net.yaml"))]
    monkeypatch.chdir(tmp_path)
    texts.append(to_json(archspec.compile("a/net.yaml")))
    monkeypatch.chdir(folder)
    texts.append(to_json(archspec.compile("net.yaml")))
    assert texts[0] == texts[1] == texts[2]
    assert str(tmp_path) not in texts[0]


def test_what_a_person_writes_by_hand() -> None:
    """Everything that follows from the rest may be left out."""
    conv = {"name": "stem.conv", "operation": "conv", "arguments": {"out": 8, "kernel": 3}, "inputs": ["input"]}
    act = {"name": "stem.relu", "operation": "act", "inputs": ["stem.conv"]}
    data = {"archspec": "graph", "format": 1, "name": "tiny", "input": [3, 8, 8], "outputs": {"output": "stem.relu"}}
    graph = archspec.graph_from_json(json.dumps({**data, "nodes": [conv, act]}))
    assert [node.shape for node in graph.nodes] == [(8, 8, 8), (8, 8, 8)]
    assert (graph.nodes[0].span, graph.single) == (None, True)
    assert archspec.build(graph)(torch.zeros(2, 3, 8, 8)).shape == (2, 8, 8, 8)
