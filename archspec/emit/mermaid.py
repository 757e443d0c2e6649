"""A figure as a Mermaid flowchart, which GitHub, GitLab and many editors draw inside Markdown."""

from __future__ import annotations

import json
import re

from archspec.emit.figures.contents import Depth, picture
from archspec.emit.figures.links import Cluster, Edge, Vertex, links
from archspec.emit.figures.palette import AREAS, FORBIDDEN
from archspec.graph.graph import Graph

_ARROWS = {"flow": "-->", "projection": "==>", "gate": "-.->", "size": "-.->"}
_DESCRIBED = re.compile(r"[^\w ,.:/()\N{MULTIPLICATION SIGN}\N{EN DASH}-]+")
"""Characters that a description cannot have: they have a meaning that would end it, and it has no entity codes."""
_ENTITIES = {character: f"#{ord(character)};" for character in "#&<>\"'`\\;{}[]|%*_~:@()$"}
"""Characters with a meaning in Mermaid, Markdown or HTML, with the entity codes that Mermaid reads in texts."""


def to_mermaid(graph: Graph, *, depth: Depth = "block", title: str | None = None) -> str:
    """The network as a flowchart with a subgraph for each stage and block, colored as in :func:`figure`.

    Args:
        graph: the compiled network.
        depth: what is drawn, as in :func:`archspec.emit.figure.figure`.
        title: the text above the chart; the network's name by default.

    >>> import archspec
    >>> print(to_mermaid(archspec.compile("resnet18"), depth="model").splitlines()[3])
    flowchart TB
    """
    contents = picture(graph, depth, title)
    found = links(contents)
    lines = ["---", f"title: {json.dumps(_plain(contents.title))}", "---", "flowchart TB"]
    described = _DESCRIBED.sub(" ", contents.description.replace(";", "."))
    lines.append(f"  accDescr: {described}")
    looks: dict[str, list[str]] = {}
    for depth_of, member in found.whole.walk():
        indent = "  " * (depth_of + 1)
        if isinstance(member, Cluster):
            lines.append(f'{indent}subgraph {member.name} ["{_text(member.label)}"]')
        elif member is None:
            lines.append(f"{indent}end")
        else:
            lines.append(f"{indent}{member.name}{_box(member)}")
            looks.setdefault(member.look, []).append(member.name)
    lines += [f"  {edge.source} {_arrow(edge)} {edge.target}" for edge in found.edges]
    for look, names in looks.items():
        fill, stroke = ("none", "none") if look == "value" else AREAS[look][:2]
        color = "" if look == "value" else ",color:#1a1a1a"
        name = f"{look}_box"  # the bare word may be a keyword
        lines += [f"  classDef {name} fill:{fill},stroke:{stroke}{color}", f"  class {','.join(names)} {name}"]
    return "\n".join([*lines, ""])


def _arrow(edge: Edge) -> str:
    return _ARROWS[edge.style] + (f'|"{_text(edge.name)}"|' if edge.name else "")


def _box(vertex: Vertex) -> str:
    text = "<br/>".join(map(_text, vertex.lines))
    if vertex.look == "merge" and len(vertex.lines[0]) == 1:
        return f'(("{text}"))'
    return f'("{text}")'


def _plain(text: str) -> str:
    return " ".join(FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text).split())


def _text(text: str) -> str:
    """A text without characters that have a meaning.

    >>> _text('layer1 "x"')
    'layer1 #34;x#34;'
    """
    return "".join([_ENTITIES.get(character, character) for character in _plain(text)])
