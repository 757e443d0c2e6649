"""``archspec show``: a spec after ``extends`` and ``--set``, or the nodes of its network."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click

import archspec
from archspec.diagnostics import Span
from archspec.display import plain
from archspec.graph.graph import Graph, Node
from archspec.graph.text import set_arguments, table
from archspec.language.standalone import standalone
from archspec.language.text.document import Document, Path
from archspec.language.text.yaml_writer import to_yaml

from . import options
from .attempt import demand
from .render import show
from .spelling import as_json
from .streams import put_json, write
from .tables import put_table


@click.command("show", cls=options.SpecCommand)
@options.spec
@options.reading
@click.option("--graph", "nodes", is_flag=True, help="Show the nodes of the compiled network instead.")
@options.form("yaml", "json")
def command(spec: str, reading: options.Reading, nodes: bool, form: str) -> int:
    """Show a spec after `extends` and `--set`, with the origin of each value.

    The output is a complete spec that compiles to the same network. Comments name the origin of values from other
    files. With --graph, the output lists the nodes of the network: name, operation, inputs, shape, and line of the
    spec.

    \b
    Examples:
      archspec show resnext50_32x4d
      archspec show resnet50 --set stages.groups=32 --set stages.base_width=4 --graph
    """
    loaded = reading.load(spec)
    graph = demand(spec, lambda: archspec.compile(loaded, limits=reading.limits))
    document = standalone(loaded)
    if form == "json":
        put_json(_graph_json(graph) if nodes else _spec_json(graph, document))
        return 0
    show(graph.warnings)
    if nodes:
        put_table(table(graph), header=True)
    else:
        write(to_yaml(document), sys.stdout)
    return 0


def _spec_json(graph: Graph, document: Document) -> dict[str, Any]:
    places = {".".join(map(str, path)): _place(document.span(path)) for path in _paths(document.value, ())}
    return _with_graph(graph, {"spec": document.value, "places": places})


def _with_graph(graph: Graph, data: dict[str, Any]) -> dict[str, Any]:
    return {"name": graph.name, "hash": graph.fingerprint, **data, "diagnostics": as_json(graph.warnings)}


def _paths(value: Any, path: Path) -> Iterator[Path]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield (*path, key)
        yield from _paths(item, (*path, key))


def _place(span: Span | None) -> dict[str, Any]:
    file, line, column = (span.source.name, span.line, span.column) if span else (None, None, None)
    return {"file": file, "line": line, "column": column}


def _graph_json(graph: Graph) -> dict[str, Any]:
    regions = [plain(region, "kind", "scope", "name", "first", "last") for region in graph.regions]
    nodes = [_node_json(node) for node in graph.nodes]
    return _with_graph(graph, {**plain(graph, "input", "outputs"), "nodes": nodes, "regions": regions})


def _node_json(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "operation": node.operation.name,
        "arguments": set_arguments(node.operation),
        **plain(node, "inputs", "shape", "scope"),
        **_place(node.span),
        "cells": [{"stage": cell.stage, "name": cell.column, **_place(cell.span)} for cell in node.cells],
    }
