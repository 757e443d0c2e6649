"""What repeats in a network: its modules as a few definitions with parameters, as a person would write classes.

Modules of the plan (:mod:`archspec.graph.nesting`) that differ only in numbers are uses of one definition. Each number
that differs is a parameter, or a formula of parameters. A part that some uses lack is optional.
"""

from __future__ import annotations

from archspec import arguments
from archspec.graph.abstraction import Abstraction
from archspec.graph.definitions import DefinedPart, Definition, Leaf, Parameter, Use
from archspec.graph.graph import Graph
from archspec.graph.runs import Repeat, runs

__all__ = ["DefinedPart", "Definition", "Leaf", "Parameter", "Repeat", "Use", "definitions", "patterns", "runs"]


def patterns(graph: Graph) -> Definition:
    """The definition of the model. Its parts lead to the other definitions.

        >>> import archspec
        >>> model = patterns(archspec.compile("resnet18"))
        >>> model.kind, [part.path for part in model.parts][3:6]
        ('model', ['maxpool', 'layer1', 'layer2'])

    Raises:
        TypeError: not a Graph.
    """
    arguments.instance(graph, "graph", Graph, "a Graph, which `archspec.compile` gives")
    return Abstraction(graph).model


def definitions(model: Definition) -> tuple[Definition, ...]:
    """All definitions of a model, each after those that it uses; the model is the last.

    >>> import archspec
    >>> [each.kind for each in definitions(patterns(archspec.compile("resnet18")))][-1]
    'model'
    """
    found: dict[int, Definition] = {}

    def visit(definition: Definition) -> None:
        if id(definition) not in found:
            for part in definition.parts:
                if isinstance(part.what, Use):
                    visit(part.what.definition)
            found[id(definition)] = definition

    visit(model)
    return tuple(found.values())
