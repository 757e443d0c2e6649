"""A graph as JSON: the network with its shapes, costs, regions and places. ``graph_from_json.py`` reads it back.

``graph_schema.py`` has the schema. Each node and each region has its own line, so that two files can
be compared line by line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from archspec.analysis.parts import measure_totals
from archspec.display import plain
from archspec.graph.graph import Graph, Node, Region
from archspec.graph.summaries import summaries
from archspec.operations.base import arguments
from archspec.operations.facts import applied
from archspec.spans import Source, Span

FORMAT = 1
"""The version of the format. It rises with a change that a reader of the old format would misread."""

COSTS = ("params", "buffers", "macs", "activations", "elementwise")
"""The costs of each node and of the network, counted as in a report (docs/analysis.md)."""


def to_json(graph: Graph) -> str:
    """A network as JSON text in ASCII. Equal networks, and a network that is read back, give the same text.

    >>> import archspec
    >>> text = to_json(archspec.compile("resnet20_cifar"))
    >>> json.loads(text)["nodes"][0]["operation"]
    'conv'
    """
    return "".join(_lines(to_data(graph)))


def to_data(graph: Graph) -> dict[str, Any]:
    """A network as the plain data of its JSON."""
    files = _Files(graph)
    totals = measure_totals(graph)
    nodes = [_node(graph, node, files) for node in graph.nodes]
    regions, named = ([_region(region, files) for region in each] for each in (graph.regions, graph.named))
    return {
        "archspec": "graph",
        "format": FORMAT,
        **plain(graph, "name", "summary", "paper"),
        "hash": graph.fingerprint,
        **plain(graph, "input", "outputs", "single", "returns", "init", "stem", "head", "heads"),
        "training": sorted(graph.training),
        "trimmed": sorted(graph.trimmed),
        "totals": {**plain(totals.costs, *COSTS), **plain(totals, "layers", "nodes")},
        "files": files.as_data(),
        "nodes": nodes,
        "regions": regions,
        "named": named,
        "kept": dict(graph.kept),
        "frozen": [node.name for node in graph.nodes if node.name in graph.frozen],
        "shared": {node.name: graph.shared[node.name] for node in graph.nodes if node.name in graph.shared},
        "summaries": {kind: dict(by_name) for kind, by_name in summaries(graph).items()},
    }


def _node(graph: Graph, node: Node, files: _Files) -> dict[str, Any]:
    operation = node.operation
    facts = applied(operation, graph.input_shapes(node)).facts
    if node.name in graph.borrowing:
        facts = replace(facts, params=0, buffers=0)
    return {
        "name": node.name,
        "scope": node.scope,
        "operation": operation.name,
        "arguments": {
            name: _plain(getattr(operation, name))
            for name, field in arguments(type(operation)).items()
            if field.metadata["kind"] != "value"  # it is among the inputs
        },
        "inputs": list(node.inputs),
        "shape": list(node.shape),
        **{name: getattr(facts, name) for name in COSTS},
        "at": files.place(node.span),
        "cells": [[cell.stage, cell.column, files.place(cell.span)] for cell in node.cells],
    }


def _region(region: Region, files: _Files) -> dict[str, Any]:
    kept = ("kind", "scope", "name", "first", "last", "source", "result", "shortcut", "values", "given")
    return {**plain(region, *kept), "inputs": dict(region.inputs), "at": files.place(region.span)}


def _plain(value: Any) -> Any:
    return list(map(_plain, value)) if isinstance(value, tuple | list) else value


class _Files:
    """The files that places are in, by number. A place has the number of its file."""

    def __init__(self, graph: Graph) -> None:
        own = graph.origin.document.source if graph.origin else None
        self.folder = os.path.dirname(own.name) if own and own.kind == "file" else ""  # noqa: PTH120  # a string, not a path
        self.numbers: dict[tuple[str, str], int] = {}

    def place(self, span: Span | None) -> list[int] | None:
        """A place: the number of the file, then line, column, last line and the column after the last."""
        if span is None:
            return None
        key = self._name(span.source), span.source.kind
        return [self.numbers.setdefault(key, len(self.numbers)), *span[1:]]

    def _name(self, source: Source) -> str:
        """The name of a file relative to the folder of the spec, without the path to that folder."""
        if source.kind != "file":
            return source.name
        name = source.name.removeprefix(f"{self.folder}{os.sep}") if self.folder else source.name
        return os.path.basename(name) if os.path.isabs(name) else name  # noqa: PTH117, PTH119  # a string, not a path

    def as_data(self) -> list[dict[str, str]]:
        return [{"name": name, "kind": kind} for name, kind in self.numbers]


def _lines(data: Mapping[str, Any]) -> Iterator[str]:
    """The text: a line for each key, and for each item of a list of objects."""
    yield "{"
    for number, (key, value) in enumerate(data.items()):
        yield f"{',' if number else ''}\n  {json.dumps(key)}: "
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield from _listed(value)
        else:
            yield json.dumps(value, allow_nan=False)
    yield "\n}\n"


def _listed(items: Iterable[Any]) -> Iterator[str]:
    for number, item in enumerate(items):
        yield f"{',' if number else '['}\n    {json.dumps(item, allow_nan=False)}"
    yield "\n  ]"
