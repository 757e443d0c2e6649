"""A graph as text."""

from __future__ import annotations

import archspec
from archspec.diagnostics import Source
from archspec.graph.graph import INPUT, Graph, Node
from archspec.operations.discovery import operations

TEXT = """\
archspec: 1
name: tiny
input: [3, 8, 6]
classes: 5
stem:
  - conv: {out: 4, kernel: [3, 5], bias: true}
stages: {block: basic, count: 1, channels: 8, stride: 2}
head: classifier
"""

NODES = """\
name                   operation                           inputs                               shape  written at
input                                                                                           3x8x6
conv1                  conv(out=4, kernel=3x5, bias=true)  input                                4x8x6  tiny.yaml:6
layer1.0.conv1         conv(out=8, kernel=3, stride=2)     conv1                                8x4x3  tiny.yaml:7
layer1.0.bn1           norm                                layer1.0.conv1                       8x4x3  tiny.yaml:7
layer1.0.relu          act                                 layer1.0.bn1                         8x4x3  tiny.yaml:7
layer1.0.conv2         conv(out=8, kernel=3)               layer1.0.relu                        8x4x3  tiny.yaml:7
layer1.0.bn2           norm                                layer1.0.conv2                       8x4x3  tiny.yaml:7
layer1.0.downsample.0  conv(out=8, stride=2)               conv1                                8x4x3  tiny.yaml:7
layer1.0.downsample.1  norm                                layer1.0.downsample.0                8x4x3  tiny.yaml:7
layer1.0.add           add                                 layer1.0.downsample.1, layer1.0.bn2  8x4x3  tiny.yaml:7
layer1.0.relu2         act                                 layer1.0.add                         8x4x3  tiny.yaml:7
avgpool                pool(type=avg, output=1)            layer1.0.relu2                       8x1x1  tiny.yaml:8
flatten                flatten                             avgpool                              8      tiny.yaml:8
fc                     linear(out=5)                       flatten                              5      tiny.yaml:8"""


def test_a_line_a_node() -> None:
    """Arguments that differ from their defaults, inputs in order, shapes, and the author's line or the library's."""
    graph = archspec.compile(archspec.load(Source("tiny.yaml", TEXT)))
    assert str(graph) == NODES
    assert repr(graph) == "<Graph tiny: 1 block, 13 nodes, 3x8x6 to 5>"


def test_a_graph_without_a_spec_has_no_places() -> None:
    act = operations()["act"](type="silu")
    graph = Graph("one", (2, 4), (Node("silu", act, (INPUT,), (2, 4)),), {"a": "silu", "b": INPUT}, single=False)
    assert str(graph).splitlines() == [
        "name   operation       inputs  shape  written at",
        "input                          2x4",
        "silu   act(type=silu)  input   2x4",
    ]
    assert repr(graph) == "<Graph one: 0 blocks, 1 node, 2x4 to 2x4, 2x4>"
