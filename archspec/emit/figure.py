"""Figures: the architecture as a paper would print it, without torch and without a library for graph layout."""

from __future__ import annotations

from dataclasses import dataclass, field

from archspec.emit.figures.contents import Depth, picture
from archspec.emit.figures.sheet import Sheet, sheet
from archspec.emit.figures.svg import svg
from archspec.graph.graph import Graph
from archspec.wording import Brief


@dataclass(frozen=True, slots=True, repr=False)
class Figure(Brief):
    """A drawn network: ``svg`` is the text of a file; ``width`` and ``height`` are in pixels. A notebook shows it.

    >>> import archspec
    >>> archspec.draw("resnet18", depth="model").svg[:4]
    '<svg'
    """

    title: str
    svg: str = field(repr=False)
    width: int
    height: int
    sheet: Sheet = field(repr=False, compare=False)

    def _repr_svg_(self) -> str:
        return self.svg


def figure(graph: Graph, *, depth: Depth = "block", title: str | None = None) -> Figure:
    """The figure of a network.

    Args:
        graph: the compiled network.
        depth: ``model`` draws whole stages with their parameters and MACs, ``stage`` draws blocks, ``block`` also draws
            the inside of each kind of block, and ``op`` draws every operation.
        title: the text above the figure; the network's name by default.

    >>> import archspec
    >>> drawn = figure(archspec.compile("resnet18"))
    >>> drawn.svg.startswith("<svg"), "basic" in drawn.svg
    (True, True)
    """
    contents = picture(graph, depth, title)
    placed = sheet(contents)
    text = svg(placed, contents.title, contents.description)
    return Figure(contents.title, text, round(placed.width), round(placed.height), placed)


def to_svg(graph: Graph, *, depth: Depth = "block", title: str | None = None) -> str:
    """The text of a file with the figure; the arguments are those of :func:`figure`.

    >>> import archspec
    >>> to_svg(archspec.compile("resnet18"), title="A network").splitlines()[1]
    '<title>A network</title>'
    """
    return figure(graph, depth=depth, title=title).svg
