"""A figure as a PDF page."""

from __future__ import annotations

from archspec.emit.figure import figure
from archspec.emit.figures.cairo import pdf
from archspec.emit.figures.contents import Depth
from archspec.graph.graph import Graph


def to_pdf(graph: Graph, *, depth: Depth = "block", title: str | None = None) -> bytes:
    """The bytes of the file, in the colors of light mode; the arguments are those of :func:`figure`.

    >>> import archspec
    >>> to_pdf(archspec.compile("resnet18"), depth="model")[:4]
    b'%PDF'
    """
    return pdf(figure(graph, depth=depth, title=title).svg)
