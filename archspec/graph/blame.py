"""Faults of the nodes of a finished graph, each at a line of the author's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archspec.diagnostics import Diagnostic, Label, Span
from archspec.graph.graph import Graph, Node
from archspec.language.authors import FOUND


def fault_at(graph: Graph, node: Node | None, code: str, message: str, **more: Any) -> Diagnostic:
    """The diagnostic for a fault at a node, or without one of the network as a whole.

    Its place is the step, if the spec itself has it; else what the spec says that decides the node. ``more`` are
    further fields of the diagnostic.
    """
    origin = graph.origin
    if origin is None:
        return Diagnostic(code, message, node.span if node else None, **more)
    authors = origin.authors
    place = written = node.span if node else origin.document.key_span(("name",))
    if node and not (written and authors.own(written.source)):
        decided = list(_decided(node))
        own = [span for span in decided if authors.own(span.source)]
        place = next(iter([*own, *decided]), written)
    if written and place != written:
        more["labels"] = (Label(written, FOUND), *more.get("labels", ()))
    (found,) = authors.first([Diagnostic(code, message, place, **more)])
    return found


def _decided(node: Node) -> Iterator[Span]:
    provenance = node.provenance
    if provenance and provenance.env and provenance.written:
        yield from provenance.env.decided(provenance.written, node.operation)
