"""A graph as text: a line a node."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from archspec.operations.base import Operation, arguments
from archspec.operations.shapes import show_shape
from archspec.screen import TextTable, as_text

if TYPE_CHECKING:
    from archspec.graph.graph import Graph, Node


def text(graph: Graph) -> str:
    """The rows of a graph in aligned columns, two spaces apart. A very wide cell widens its own row only."""
    return as_text([TextTable(table(graph))])


def table(graph: Graph) -> list[tuple[str, ...]]:
    """A row for the input and for each node, below the names of the columns."""
    rows: list[tuple[str, ...]] = [("name", "operation", "inputs", "shape", "written at")]
    rows.append(("input", "", "", show_shape(graph.input), ""))
    rows += [_row(node) for node in graph.nodes]
    if graph.frozen:
        words = ["frozen" if node.name in graph.frozen else "" for node in graph.nodes]
        rows = _with_column(rows, ["training", "", *words])
    if graph.shared:
        rows = _with_column(rows, ["weights of", "", *[graph.shared.get(node.name, "") for node in graph.nodes]])
    return rows


def _with_column(rows: list[tuple[str, ...]], words: list[str]) -> list[tuple[str, ...]]:
    """The rows with one column more, before the last."""
    return [(*row[:-1], word, row[-1]) for row, word in zip(rows, words, strict=True)]


def _row(node: Node) -> tuple[str, ...]:
    operation = described(node.operation)
    place = f"{node.span.source.name.removeprefix('archspec library: ')}:{node.span.line}" if node.span else ""
    return node.name, operation, ", ".join(node.inputs), show_shape(node.shape), place


def described(operation: Operation, also: Collection[str] = ()) -> str:
    """An operation with the arguments that differ from their defaults, such as ``conv(out=64, kernel=7)``.

    ``also`` names arguments that are shown with their defaults, too.
    """
    fields = arguments(type(operation))
    kinds = {key: fields[key].metadata["kind"] for key in fields}
    told = set_arguments(operation)
    shown = {key: getattr(operation, key) for key in fields if key in told or key in also}
    given = ", ".join(f"{key}={_value(value, kinds[key])}" for key, value in shown.items())
    return f"{operation.name}({given})" if given else operation.name


def contrasted(operation: Operation, other: Operation) -> tuple[str, str]:
    """Both operations as :func:`described`, each with every argument in which they differ.

    >>> from archspec.operations.conv import Conv
    >>> contrasted(Conv(out=64, kernel=3), Conv(out=64))
    ('conv(out=64, kernel=3)', 'conv(out=64, kernel=1)')
    """
    if type(operation) is not type(other):
        return described(operation), described(other)
    fields = arguments(type(operation))
    differing = {name for name in fields if getattr(operation, name) != getattr(other, name)}
    return described(operation, differing), described(other, differing)


def set_arguments(operation: Operation) -> dict[str, Any]:
    """The arguments that differ from their defaults."""
    fields = arguments(type(operation))
    return {name: value for name, field in fields.items() if (value := getattr(operation, name)) != field.default}


def _listed(axis: Any) -> Any:
    """An axis of a padding as a spec writes it."""
    return list(axis) if isinstance(axis, tuple) else axis


def _value(value: Any, kind: str) -> str:
    if kind == "numbers":
        shown = [f"{number:g}" for number in (value if isinstance(value, tuple) else (value,))]
        return f"[{', '.join(shown)}]" if isinstance(value, tuple) else shown[0]
    if isinstance(value, tuple):
        pairs = any(isinstance(axis, tuple) for axis in value)
        return f"[{', '.join([str(_listed(axis)) for axis in value])}]" if pairs else show_shape(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
