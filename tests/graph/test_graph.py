"""The intermediate representation: order, regions, and what networkx sees."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx
import pytest
from hypothesis import given

import archspec
from archspec.graph.builder import Builder
from archspec.graph.graph import Graph, Node
from archspec.operations.conv import Conv
from archspec.operations.flatten import Flatten
from archspec.testing import graphs
from archspec.work import Work
from tests.support.equivalence import compiled
from tests.support.properties import tries

NAMES = ["resnet18", "resnet50", "resnext50_32x4d", "resnet56_cifar", "plain56_cifar", "preact_resnet110_cifar"]


@pytest.mark.parametrize("name", NAMES)
def test_nodes_are_in_topological_order_and_named_once(name: str) -> None:
    graph = archspec.compile(name)
    known = {"input"}
    for node in graph.nodes:
        assert set(node.inputs) <= known
        assert node.name not in known
        assert node.scope == node.name.rpartition(".")[0]
        known.add(node.name)


@pytest.mark.parametrize("name", NAMES)
def test_networkx_sees_the_same_graph(name: str) -> None:
    graph = archspec.compile(name)
    found = graph.to_networkx()
    assert networkx.is_directed_acyclic_graph(found)
    assert set(found) == {"input", *(node.name for node in graph.nodes)}
    for node in graph.nodes:
        edges = sorted(found.in_edges(node.name, data="position"), key=lambda edge: edge[2])
        assert tuple(edge[0] for edge in edges) == node.inputs
    assert list(networkx.descendants(found, "input")).sort() == [node.name for node in graph.nodes].sort()


WRITERS = (networkx.write_graphml, networkx.write_gml, networkx.write_gexf)


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize(
    ("name", "overrides"), [("resnet18", {}), ("googlenet", {}), ("resnet18", {"outputs": ["layer1", "layer3"]})]
)
def test_a_plain_graph_can_be_written_in_the_formats_of_networkx(
    name: str, overrides: dict[str, Any], write: Any, tmp_path: Path
) -> None:
    graph = archspec.compile(name, overrides=overrides)
    write(graph.to_networkx(plain=True), tmp_path / "written")
    assert (tmp_path / "written").stat().st_size


@tries(60)
@given(graph=graphs())
def test_a_plain_graph_has_what_the_whole_one_has(graph: Graph) -> None:
    whole, plain = graph.to_networkx(), graph.to_networkx(plain=True)
    assert [*whole.edges(data=True)] == [*plain.edges(data=True)]
    for name, data in whole.nodes(data=True):
        found = plain.nodes[name]
        assert found.keys() == {key for key, value in data.items() if value is not None}
        assert all(type(value) in (str, int, float, bool) for value in found.values())
        assert all(found[key] == data[key] for key in found if key not in ("operation", "shape"))
    assert archspec.skip_paths(plain, to=graph.main) == archspec.skip_paths(whole)
    networkx.write_graphml(plain, io.BytesIO())


def test_a_value_that_is_read_twice_by_one_node_is_two_edges() -> None:
    graph = compiled("input: [3, 8, 8]\nstem: [add: [[], []]]\nstages: {block: basic, count: 1, channels: 4}\n")
    assert graph.to_networkx().number_of_edges("input", "add") == 2
    assert graph.uses()["input"] == 2


@pytest.mark.parametrize("name", NAMES)
def test_regions_cover_their_nodes(name: str) -> None:
    """A block reads one value from outside, and what it gives is its last node; a stage is its blocks in a row."""
    graph = archspec.compile(name)
    for stage in graph.stages:
        blocks = graph.blocks(stage)
        assert (blocks[0].first, blocks[-1].last) == (stage.first, stage.last)
        for before, after in pairwise(blocks):
            assert before.last == after.first
            assert before.result == after.source
        for block in blocks:
            nodes = graph.nodes[block.first : block.last]
            inside = {node.name for node in nodes}
            assert {name for node in nodes for name in node.inputs} - inside == {block.source}
            assert nodes[-1].name == block.result
            assert all(node.name.startswith(f"{block.scope}.") for node in nodes)
            assert block.shortcut == (name != "plain56_cifar")


def test_a_shape_does_not_depend_on_which_operations_are_still_in_use() -> None:
    """A freed operation's address is soon that of another; here the caller keeps none of them."""
    provenance = compiled("input: [3, 8, 8]\nstages: {block: basic, count: 1, channels: 4}\n").nodes[0].provenance
    source = Node("input", Flatten(), (), (3, 8, 8), provenance)
    builder = Builder((3, 8, 8), Work())
    weights = 0
    for number in range(2_000):
        out, kernel = number % 97 + 1, number % 3 + 1
        node = builder.add("conv", Conv(out=out, kernel=kernel), (source,), provenance)
        builder.nodes.clear()
        size = 8 if kernel % 2 else 7
        weights += out * 3 * kernel * kernel
        assert (node.shape, builder.weights) == ((out, size, size), weights)
        del node
