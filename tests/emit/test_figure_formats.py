"""DOT, Mermaid, PNG and PDF: well formed whatever the names are, and equal for equal networks."""

from __future__ import annotations

import json
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

HOSTILE = '</text><script>"\'`; end\\N --> x["y"]\n---\n%% {{}} #quot; &amp; \x00\x1b[31m\ud800 ${x}'
"""A title that ends every kind of quoting."""


def tokens(text: str) -> list[str]:
    """The tokens of DOT: quoted texts, words and signs. Fails at anything else."""
    found, position = [], 0
    pattern = re.compile(r'\s+|"(?:[^"\\\n]|\\.)*"|[A-Za-z_0-9.]+|->|[{}\[\];=,]')
    while position < len(text):
        match = pattern.match(text, position)
        assert match, text[position : position + 40]
        position = match.end()
        if not match[0].isspace():
            found.append(match[0])
    return found


def check_dot(text: str) -> None:
    words = tokens(text)
    assert words[0] == "digraph"
    depth = 0
    for number, word in enumerate(words[2:]):
        depth += {"{": 1, "}": -1}.get(word, 0)
        assert depth > 0 or number == len(words) - 3
    vertices = set(re.findall(r"^ *(n\d+) \[label=", text, re.M))
    ends = re.findall(r"^ *(n\d+) -> (n\d+)[; ]", text, re.M)
    assert {end for edge in ends for end in edge} == vertices
    assert len(re.findall(r"^ *n\d+ ", text, re.M)) == len(vertices) + len(ends)


ENTITY = r"#\d+;"
PLAIN = rf"(?:[^#&<>\"'`\\;{{}}\[\]|\n]|{ENTITY})*"
TEXT = rf"{PLAIN}(?:<br/>{PLAIN})*"
LINES = [
    r"flowchart TB",
    r" +accDescr: [^;#{}\n]*",
    rf' +subgraph g\d+ \["{PLAIN}"\]',
    r" +end",
    rf' +n\d+\("{TEXT}"\)',
    rf' +n\d+\(\("{TEXT}"\)\)',
    r" +n\d+ (?:-->|==>|-\.->) n\d+",
    r" +classDef \w+_box fill:(?:#\w{6}|none),stroke:(?:#\w{6}|none)(?:,color:#\w{6})?",
    r" +class n\d+(?:,n\d+)* \w+_box",
]


def check_mermaid(text: str) -> None:
    front, title, close, *lines = text.splitlines()
    assert (front, close) == ("---", "---")
    json.loads(title.removeprefix("title: "))
    open_ = 0
    for line in lines:
        assert any(re.fullmatch(pattern, line) for pattern in LINES), line
        open_ += line.strip().startswith("subgraph ")
        open_ -= line.strip() == "end"
        assert open_ >= 0
    assert open_ == 0
    vertices = set(re.findall(r"^ +(n\d+)\(", text, re.M))
    ends = re.findall(r"^ +(n\d+) (?:-->|==>|-\.->) (n\d+)$", text, re.M)
    assert {end for edge in ends for end in edge} == vertices


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
