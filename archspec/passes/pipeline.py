"""The passes of a purpose, in their order, and running them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from archspec import arguments
from archspec.graph.graph import Graph
from archspec.graph.lower import lower
from archspec.language.spec import Spec
from archspec.passes.fold_norm import Trained, fold_norm
from archspec.passes.prune import prune
from archspec.work import Limits

T = TypeVar("T")

LOWERED: tuple[Callable[[Graph], Graph], ...] = (prune,)
"""What every lowered graph goes through."""

INFERENCE: tuple[Callable[[Trained], Trained], ...] = (fold_norm,)
"""What a network goes through that is trained and will only be run in eval mode."""


def run(value: T, passes: Iterable[Callable[[T], T]]) -> T:
    """What is left of a graph, or of a graph and its weights, after these passes.

    >>> import archspec
    >>> graph = archspec.compile("resnet18")
    >>> run(graph, [prune]) is graph
    True
    """
    takes = "a list of passes such as [prune]"
    arguments.instance(passes, "passes", Iterable, takes)
    for each in passes:
        arguments.function(each, "passes", takes)
        value = each(value)
    return value


def compile_spec(spec: Spec, limits: Limits | None = None) -> Graph:
    """The graph of a spec: lowered, then through the passes of :data:`LOWERED`.

    Raises:
        SpecError: as :func:`archspec.graph.lower.lower` says.
    """
    arguments.instance(spec, "spec", Spec, "a Spec, which `archspec.load` gives")
    return run(lower(spec, Limits.of(limits)), LOWERED)
