"""A figure as a PNG image."""

from __future__ import annotations

from archspec.emit.figure import figure
from archspec.emit.figures.cairo import png
from archspec.emit.figures.contents import Depth
from archspec.graph.graph import Graph


def to_png(graph: Graph, *, depth: Depth = "block", title: str | None = None) -> bytes:
    """The bytes of the file, in the colors of light mode; the arguments are those of :func:`figure`.

    >>> import archspec
    >>> to_png(archspec.compile("resnet18"), depth="model")[1:4]
    b'PNG'
    """
    drawn = figure(graph, depth=depth, title=title)
    return png(drawn.svg, drawn.sheet)
