"""A map enlarged to the size of a kept value: at every size of the input, in every target, and its faults."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import archspec
from archspec.emit.graph_json import to_json
from archspec.emit.lowlevel import lowlevel_source
from archspec.emit.python import python_source
from archspec.operations.discovery import operations
from archspec.operations.shapes import ShapeFault
from tests.emit.test_onnx import compare, pair
from tests.support.equivalence import assert_network, codes, compiled, spec
from tests.support.sources import executed, network_class


class Halves(nn.Module):
    """One level of a feature pyramid: a map of half the size, enlarged to the one that it was made of."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 6, 3, 2, 1)
        self.conv3 = nn.Conv2d(14, 4, 1)
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        first = self.conv1(x)
        larger = F.interpolate(self.conv2(first), size=first.shape[-2:], mode=self.mode)
        found: Tensor = self.conv3(torch.cat([larger, first], 1))
        return found


def network(mode: str) -> str:
    return f"""
    input: [3, 13, 10]
    stem:
      - conv: {{out: 8, kernel: 3, bias: true, as: first}}
      - conv: {{out: 6, kernel: 3, stride: 2, bias: true}}
      - upsample: {{like: first, mode: {mode}}}
      - concat: [[], [from: first]]
      - conv: {{out: 4, bias: true}}
    stages: []
    head: []
    """


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_it_holds_at_every_size(mode: str) -> None:
    reference = Halves(mode)
    model = assert_network(network(mode), reference)
    reference.load_state_dict(model.state_dict())
    graph = compiled(network(mode))
    readable, lowlevel = executed(python_source(graph)), executed(lowlevel_source(graph))
    for size in ((13, 10), (16, 8), (7, 21)):
        x = torch.randn(2, 3, *size)
        expected = reference(x)
        written = network_class(readable)()
        written.load_state_dict(model.state_dict())
        assert torch.equal(model(x), expected)
        assert torch.equal(written(x), expected)
        torch.testing.assert_close(lowlevel.forward(x, dict(model.state_dict()), training=False), expected)
    scrambled, exported = pair(graph, dynamic="size")
    assert compare(scrambled, exported, (2, 3, 13, 10), (1, 3, 16, 8), (1, 3, 7, 21)) < 1e-5


def test_the_value_is_no_path_and_its_map_is_not_read() -> None:
    """One node of another branch gives the size alone: it has no gradient, and does not widen the receptive field."""
    text = """
    input: [4, 24, 24]
    stem:
      - as: large
      - conv: {out: 4, kernel: 9, as: wide, from: large}
      - pool: {type: avg, kernel: 2, from: large}
      - upsample: {like: wide}
    stages: []
    head: []
    """
    graph = compiled(text)
    assert archspec.analyze(graph).receptive_field.size == 2  # type: ignore[union-attr]
    signal = archspec.signal(graph)
    assert signal is not None
    model = archspec.build(graph)
    model(torch.randn(1, 4, 24, 24, requires_grad=True)).sum().backward()
    assert all(each.grad is None for each in model.parameters())


def test_a_graph_in_json_keeps_it() -> None:
    graph = compiled(network("bilinear"))
    again = archspec.graph_from_json(to_json(graph))
    assert again.fingerprint == graph.fingerprint
    data = json.loads(to_json(graph))
    assert [node["inputs"] for node in data["nodes"] if node["operation"] == "upsample"] == [["conv2", "conv1"]]


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("upsample: {like: first, scale: 2}", "E206"),
        ("upsample: {like: frist}", "E317"),
        ("upsample: {like: first, mode: trilinear}", "E506"),
        ("upsample: {like: [first]}", "E202"),
        ("upsample: {like: flat}", "E504"),
    ],
)
def test_what_is_refused(step: str, code: str) -> None:
    text = f"""
    input: [3, 13, 10]
    stem:
      - as: first
      - pool: {{type: avg, output: 1}}
      - flatten: {{as: flat}}
      - conv: {{out: 6, kernel: 3, stride: 2, from: first}}
      - {step}
    stages: []
    head: []
    """
    with pytest.raises(archspec.SpecError) as refused:
        archspec.compile(spec(text))
    assert codes(refused.value)[0] == code


def test_values_of_another_number_of_axes_do_not_meet() -> None:
    with pytest.raises(ShapeFault, match="4x6x5 cannot have the size of 7"):
        operations()["upsample"]().shape(((4, 6, 5), (7,)))
