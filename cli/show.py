"""``archspec show``: what a spec says after ``extends`` and ``--set``, or the nodes that it compiles to."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from typing import Any

import click

import archspec
from archspec.diagnostics import Source, Span
from archspec.display import plain
from archspec.graph.graph import Graph, Limits, Node
from archspec.language.standalone import standalone
from archspec.language.text.document import Document, Path
from archspec.language.text.yaml_writer import to_yaml
from archspec.operations.base import Operation, arguments
from archspec.operations.shapes import show_shape

from . import options
from .render import put_json, write
from .spelling import as_json
from .tables import put_table


@click.command("show", cls=options.SpecCommand)
@options.spec
@options.overrides
@options.limits
@click.option("--graph", "nodes", is_flag=True, help="Show the nodes of the compiled network instead.")
@options.form("yaml", "json")
def command(spec: str, overrides: tuple[str, ...], allow_outside: bool, limits: Limits, nodes: bool, form: str) -> int:
    """Show a spec after `extends` and `--set`, with where each value came from.

    What is printed is a spec itself: it stands alone, and compiles to the same network. Comments name the place of what
    was written elsewhere. With --graph, the nodes of the network: name, operation, inputs, shape, and line of the spec.

    \b
    Examples:
      archspec show resnext50_32x4d
      archspec show resnet50 --set stages.groups=32 --graph
    """
    loaded = options.load(options.source(spec), overrides, allow_outside)
    graph = archspec.compile(loaded, limits=limits)
    document = standalone(loaded)
    if form == "json":
        put_json(_graph_json(graph) if nodes else _spec_json(graph, document))
        return 0
    options.show(graph.warnings)
    if nodes:
        put_table(_node_table(graph), header=True)
    else:
        write(to_yaml(document), sys.stdout)
    return 0


def _spec_json(graph: Graph, document: Document) -> dict[str, Any]:
    places = {".".join(map(str, path)): _place(document.span(path)) for path in _paths(document.value, ())}
    return {
        "name": graph.name,
        "hash": graph.fingerprint,
        "spec": document.value,
        "places": places,
        "diagnostics": as_json(graph.warnings),
    }


def _paths(value: Any, path: Path) -> Iterator[Path]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield (*path, key)
        yield from _paths(item, (*path, key))


def _place(span: Span | None) -> dict[str, Any]:
    file, line, column = (span.source.name, span.line, span.column) if span else (None, None, None)
    return {"file": file, "line": line, "column": column}


def _graph_json(graph: Graph) -> dict[str, Any]:
    return {
        "name": graph.name,
        "hash": graph.fingerprint,
        **plain(graph, "input", "outputs"),
        "nodes": [_node_json(node) for node in graph.nodes],
        "regions": [plain(region, "kind", "scope", "name", "first", "last") for region in graph.regions],
        "diagnostics": as_json(graph.warnings),
    }


def _node_json(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "operation": node.operation.name,
        "arguments": _set_arguments(node.operation),
        **plain(node, "inputs", "shape", "scope"),
        **_place(node.span),
    }


def _set_arguments(operation: Operation) -> dict[str, Any]:
    """The arguments that differ from their defaults."""
    found = {}
    for name, field in arguments(type(operation)).items():
        value = getattr(operation, name)
        if field.default is dataclasses.MISSING or value != field.default:
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


def _node_table(graph: Graph) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("name", "operation", "inputs", "shape", "written at")]
    rows.append(("input", "", "", show_shape(graph.input), ""))
    for node in graph.nodes:
        given = ", ".join(f"{key}={_value(value)}" for key, value in _set_arguments(node.operation).items())
        operation = f"{node.operation.name}({given})" if given else node.operation.name
        place = f"{_short_name(node.span.source)}:{node.span.line}" if node.span else ""
        rows.append((node.name, operation, ", ".join(node.inputs), show_shape(node.shape), place))
    return rows


def _short_name(source: Source) -> str:
    return source.name.removeprefix("archspec library: ")


def _value(value: Any) -> str:
    if isinstance(value, list):
        return show_shape(tuple(value))
    return str(value).lower() if isinstance(value, bool) else str(value)
