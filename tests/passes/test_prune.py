"""Pruning: before and after as text, regions that move along, and what networkx calls the ancestors of the outputs."""

from __future__ import annotations

from dataclasses import replace

import networkx
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec.diagnostics import Source
from archspec.graph.graph import INPUT, Graph
from archspec.graph.lower import lower
from archspec.passes import prune
from archspec.testing import graphs
from tests.support.properties import tries

BACKBONE = """\
archspec: 1
name: tiny
input: [3, 8, 8]
classes: 5
stem: [conv: {out: 4, kernel: 3}]
stages: {block: basic, count: 1, channels: 4, stride: 1}
head: classifier
outputs: [layer1]
"""

BEFORE = """\
name            operation                  inputs                 shape  written at
input                                                             3x8x8
conv1           conv(out=4, kernel=3)      input                  4x8x8  tiny.yaml:5
layer1.0.conv1  conv(out=4, kernel=3)      conv1                  4x8x8  tiny.yaml:6
layer1.0.bn1    norm                       layer1.0.conv1         4x8x8  tiny.yaml:6
layer1.0.relu   act                        layer1.0.bn1           4x8x8  tiny.yaml:6
layer1.0.conv2  conv(out=4, kernel=3)      layer1.0.relu          4x8x8  tiny.yaml:6
layer1.0.bn2    norm                       layer1.0.conv2         4x8x8  tiny.yaml:6
layer1.0.add    add                        conv1, layer1.0.bn2    4x8x8  tiny.yaml:6
layer1.0.relu2  act                        layer1.0.add           4x8x8  tiny.yaml:6
avgpool         pool(type=avg, output=1)   layer1.0.relu2         4x1x1  tiny.yaml:7
flatten         flatten                    avgpool                4      tiny.yaml:7
fc              linear(out=5)              flatten                5      tiny.yaml:7"""

AFTER = """\
name            operation              inputs               shape  written at
input                                                       3x8x8
conv1           conv(out=4, kernel=3)  input                4x8x8  tiny.yaml:5
layer1.0.conv1  conv(out=4, kernel=3)  conv1                4x8x8  tiny.yaml:6
layer1.0.bn1    norm                   layer1.0.conv1       4x8x8  tiny.yaml:6
layer1.0.relu   act                    layer1.0.bn1         4x8x8  tiny.yaml:6
layer1.0.conv2  conv(out=4, kernel=3)  layer1.0.relu        4x8x8  tiny.yaml:6
layer1.0.bn2    norm                   layer1.0.conv2       4x8x8  tiny.yaml:6
layer1.0.add    add                    conv1, layer1.0.bn2  4x8x8  tiny.yaml:6
layer1.0.relu2  act                    layer1.0.add         4x8x8  tiny.yaml:6"""


def test_a_backbone_has_no_head() -> None:
    spec = archspec.load(Source("tiny.yaml", BACKBONE))
    whole = lower(spec)
    assert _words(str(whole)) == _words(BEFORE)
    assert str(prune(whole)) == AFTER
    assert str(archspec.compile(spec)) == AFTER


def _words(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_what_is_needed_whole_is_the_same_object() -> None:
    graph = archspec.compile("resnet18")
    assert prune(graph) is graph


def test_regions_move_with_their_nodes() -> None:
    """The shortcut of the second block alone: the first block stays whole, the second keeps no result and is gone."""
    graph = archspec.compile("resnet18")
    pruned = prune(replace(graph, outputs={"shortcut": "layer2.0.downsample.1"}))
    assert [(r.scope, r.first, r.last) for r in pruned.regions] == [
        *(("layer1", 4, 18), ("layer1.0", 4, 11), ("layer1.1", 11, 18)),
    ]
    assert [node.name for node in pruned.nodes[18:]] == ["layer2.0.downsample.0", "layer2.0.downsample.1"]


@tries(60)
@given(graph=graphs(), data=st.data())
def test_what_is_left_are_the_ancestors_of_the_outputs(graph: Graph, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from([node.name for node in graph.nodes]), min_size=1, max_size=3))
    graph = replace(graph, outputs={name: name for name in names}, single=False)
    pruned = prune(graph)
    found = graph.to_networkx()
    wanted = {*names, *(above for name in names for above in networkx.ancestors(found, name))} - {INPUT}
    assert [node for node in graph.nodes if node.name in wanted] == list(pruned.nodes)
    regions = [(r.kind, r.scope, r.result, [n.name for n in graph.nodes[r.first : r.last]]) for r in graph.regions]
    left = [
        (*start, result, [n for n in names if n in wanted]) for *start, result, names in regions if result in wanted
    ]
    assert [(r.kind, r.scope, r.result, [n.name for n in pruned.nodes[r.first : r.last]]) for r in pruned.regions] == [
        region for region in left if region[-1]
    ] or pruned is graph
