"""What a spec says of its blocks, for people: the sentence in which most of them name their paper."""

from __future__ import annotations

from archspec.diagnostics import Faults
from archspec.graph.graph import Graph
from archspec.graph.patterns import Definition
from archspec.language.spec import Block, Fragment, Shortcut
from archspec.work import Work


def summary_of(graph: Graph, definition: Definition) -> str:
    """The ``summary`` of the block, shortcut or fragment that a definition is.

    It is empty if the spec says nothing, and for a graph that has no spec.

    >>> import archspec
    >>> from archspec.graph.patterns import definitions, patterns
    >>> graph = archspec.compile("resnet18")
    >>> [summary_of(graph, each) for each in definitions(patterns(graph)) if each.class_name == "Basic"]
    ['Two 3x3 convolutions (He et al. 2015, fig. 5, left).']
    """
    regions = [use.region for use in definition.uses]
    named = {(each.kind, each.name) if each else ("", "") for each in regions}
    kind, name = named.pop()
    if graph.origin is None or named:
        return ""
    known = graph.origin.definitions
    found: Block | Fragment | Shortcut | None = None
    if kind == "block":
        found = known.block(name)
    elif kind == "shortcut":
        found = known.shortcut(name)
    elif kind == "fragment":
        found = known.fragment(name, None, Faults(Work()))
    return found.summary if found else ""
