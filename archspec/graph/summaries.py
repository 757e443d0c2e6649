"""What a spec says of its blocks, for people: the sentence in which most of them name their paper."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.diagnostics import Faults
from archspec.graph.graph import Graph
from archspec.graph.patterns import Definition
from archspec.language.spec import Block, Fragment, Shortcut
from archspec.work import Work


def summaries(graph: Graph) -> Mapping[str, Mapping[str, str]]:
    """The ``summary`` of each block, shortcut and fragment that the network uses and that has one, by kind and name.

    >>> import archspec
    >>> summaries(archspec.compile("resnet18"))["block"]
    {'basic': 'Two 3x3 convolutions (He et al. 2015, fig. 5, left).'}
    """
    if graph.origin is None:
        return graph.summaries
    known = graph.origin.definitions
    found: dict[str, dict[str, str]] = {}
    for kind, name in dict.fromkeys((each.kind, each.name) for each in (*graph.regions, *graph.named)):
        definition: Block | Fragment | Shortcut | None = None
        if kind == "block":
            definition = known.block(name)
        elif kind == "shortcut":
            definition = known.shortcut(name)
        elif kind == "fragment":
            definition = known.fragment(name, None, Faults(Work()))
        if definition and definition.summary:
            found.setdefault(kind, {})[name] = definition.summary
    return found


def summary_of(graph: Graph, definition: Definition) -> str:
    """The summary of the block, shortcut or fragment that a definition is; empty if the spec says nothing.

    >>> import archspec
    >>> from archspec.graph.patterns import definitions, patterns
    >>> graph = archspec.compile("resnet18")
    >>> basic = next(each for each in definitions(patterns(graph)) if each.class_name == "Basic")
    >>> summary_of(graph, basic)
    'Two 3x3 convolutions (He et al. 2015, fig. 5, left).'
    """
    named = {(each.kind, each.name) if each else ("", "") for each in (use.region for use in definition.uses)}
    kind, name = named.pop()
    return "" if named else summaries(graph).get(kind, {}).get(name, "")
