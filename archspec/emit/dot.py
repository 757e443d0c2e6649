"""A figure as DOT, the language of Graphviz, which lays it out: ``dot -Tsvg FILE``."""

from __future__ import annotations

from archspec.emit.figures.contents import Depth, picture
from archspec.emit.figures.links import Cluster, Edge, Vertex, links
from archspec.emit.figures.palette import AREAS, FORBIDDEN, LINES
from archspec.graph.graph import Graph


def to_dot(graph: Graph, *, depth: Depth = "block", title: str | None = None) -> str:
    """The network as a directed graph with a cluster for each stage and block, colored as in :func:`figure`.

    Args:
        graph: the compiled network.
        depth: what is drawn, as in :func:`archspec.emit.figure.figure`.
        title: the text above the graph; the network's name by default.

    >>> import archspec
    >>> print(to_dot(archspec.compile("resnet18"), depth="model").splitlines()[-2])
      n6 -> n7;
    """
    contents = picture(graph, depth, title)
    found = links(contents)
    lines = [
        f"digraph {_quoted(contents.title)} {{",
        f'  label={_quoted(contents.title)}; labelloc="t"; fontname="Helvetica"; rankdir="TB";',
        '  node [shape="box", style="rounded,filled", fontname="Helvetica", fontsize=11];',
        '  edge [fontname="Helvetica", fontsize=9];',
    ]
    for depth_of, member in found.whole.walk():
        indent = "  " * (depth_of + 1)
        if isinstance(member, Cluster):
            label = f'label={_quoted(member.label)}; style="rounded,dashed"; fontsize=10;'
            lines.append(f'{indent}subgraph "cluster_{member.name}" {{ {label}')
        elif member is None:
            lines.append(f"{indent}}}")
        else:
            lines.append(f"{indent}{member.name} [{_attributes(member)}];")
    lines += [f"  {edge.source} -> {edge.target}{_line(edge)};" for edge in found.edges]
    return "\n".join([*lines, "}\n"])


def _line(edge: Edge) -> str:
    color, _, width = LINES[edge.style]
    named = [f"label={_quoted(edge.name)}"] if edge.name else []
    styled = [] if edge.style == "flow" else [f'color="{color}", penwidth={width}']
    return f" [{', '.join([*named, *styled])}]" if named or styled else ""


def _attributes(vertex: Vertex) -> str:
    label = f"label={_quoted(*vertex.lines)}"
    if vertex.look == "value":
        return f'{label}, shape="plaintext", style=""'
    colors = AREAS[vertex.look]
    shape = ', shape="circle", margin=0' if vertex.look == "merge" and len(vertex.lines[0]) == 1 else ""
    return f'{label}, fillcolor="{colors.fill}", color="{colors.stroke}"{shape}'


def _quoted(*lines: str) -> str:
    r"""Lines as one string of DOT, in which only the breaks between lines have a meaning.

    >>> print(_quoted('a "b"', r"c\N"))
    "a \"b\"\nc\\N"
    """
    texts = [" ".join(FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", line).split()) for line in lines]
    return '"' + r"\n".join([text.replace("\\", "\\\\").replace('"', '\\"') for text in texts]) + '"'
