"""DOT, Mermaid, PNG and PDF: well formed whatever the names are, and equal for equal networks."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archspec
from archspec.emit.dot import to_dot
from archspec.emit.figure import to_svg
from archspec.emit.figures.contents import DEPTHS, Depth
from archspec.emit.mermaid import to_mermaid
from archspec.emit.pdf import to_pdf
from archspec.emit.png import to_png
from archspec.graph.graph import Graph
from archspec.testing import graphs
from tests.support.figures import check_dot, check_mermaid

HOSTILE = '</text><script>"\'`; end\\N --> x["y"]\n---\n%% {{}} #quot; &amp; \x00\x1b[31m\ud800 ${x}'
"""A title that ends every kind of quoting."""


@settings(max_examples=40)
@given(graphs(), st.sampled_from(DEPTHS), st.one_of(st.just(HOSTILE), st.text(max_size=30)))
def test_texts_are_well_formed(graph: Graph, depth: Depth, title: str) -> None:
    check_dot(to_dot(graph, depth=depth, title=title))
    check_mermaid(to_mermaid(graph, depth=depth, title=title))
    drawn = ET.fromstring(to_svg(graph, depth=depth, title=title).encode("utf-8"))
    assert {element.tag.rpartition("}")[2] for element in drawn.iter()} <= {
        "svg", "title", "desc", "style", "rect", "circle", "path", "text"
    }  # fmt: skip


@pytest.mark.parametrize("name", ["resnet50", "googlenet", "densenet121", "shufflenet_v2_x1_0", "convnext_tiny"])
def test_edges_are_those_of_the_network(name: str) -> None:
    """At the depth of operations, each read of the graph is an edge, and nothing else but what ends in outputs."""
    graph = archspec.compile(name)
    text = to_dot(graph, depth="op")
    edges = re.findall(r"^ *n\d+ -> n\d+", text, re.M)
    assert len(edges) == sum(len(node.inputs) for node in graph.nodes) + len(graph.outputs)
    assert text.count("subgraph") == len(graph.stages) + sum(region.kind == "block" for region in graph.regions)
    assert len(re.findall(r"^ +n\d+(?: ==> | --> | -\.-> )n\d+$", to_mermaid(graph, depth="op"), re.M)) == len(edges)


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_draws_it() -> None:
    text = to_dot(archspec.compile("googlenet"), title=HOSTILE)
    subprocess.run(["dot", "-Tsvg"], input=text.encode(), check=True, capture_output=True)


def test_images() -> None:
    graph = archspec.compile("resnet18")
    image, page = to_png(graph), to_pdf(graph, title=HOSTILE)
    width, height = struct.unpack(">II", image[16:24])
    drawn = archspec.draw(graph)
    assert (width, height) == (2 * drawn.width, 2 * drawn.height)
    assert page.startswith(b"%PDF")
    assert (to_png(graph), to_pdf(graph, title=HOSTILE)) == (image, page)
    assert b"CreationDate (D:20000101000000" in page


def test_a_notebook_shows_a_graph() -> None:
    graph = archspec.compile("resnet18")
    assert graph._repr_svg_() == archspec.draw(graph)._repr_svg_() == archspec.draw("resnet18").svg
