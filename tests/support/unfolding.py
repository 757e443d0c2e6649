"""Definitions back to what a plan has: each operation with its path, its call, its weights, and what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from archspec.graph.definitions import Definition, Leaf
from archspec.graph.formulas import Class, Constant, evaluate
from archspec.graph.graph import INPUT, Graph
from archspec.graph.nesting import Call, nest


class Unfolded(NamedTuple):
    """An operation: ``call`` is its kind, class or function, arguments and keyword arguments."""

    path: str
    call: tuple[Any, ...]
    weights: Mapping[str, tuple[int, ...]]
    inputs: tuple[str, ...]


def unfold(model: Definition) -> tuple[list[Unfolded], str | dict[str, str]]:
    """The operations of a model in the order in which they run, and what it returns."""
    found: list[Unfolded] = []
    values = _values(model, {}, "", INPUT, found)
    result = values[model.result]
    return found, result if model.outputs is None else {label: values[path] for label, path in model.outputs.items()}


def _values(
    definition: Definition, arguments: Mapping[str, Constant], path: str, source: str, found: list[Unfolded]
) -> dict[str, str]:
    assert set(arguments) == {each.name for each in definition.parameters}
    values, position = {"": source}, 0
    for part in definition.parts:
        if part.when is not None and not evaluate(part.when, arguments):
            values[part.path] = values[part.instead]
            continue
        full = ".".join(filter(None, (path, str(position) if definition.positional else part.path)))
        position += 1
        inputs = tuple([values[each] for each in part.inputs])
        if isinstance(part.what, Leaf):
            found.append(_operation(full, part.what, arguments, inputs))
            values[part.path] = full
        else:
            given = {name: evaluate(value, arguments) for name, value in part.what.arguments.items()}
            inner = part.what.definition
            (source_of_part,) = inputs
            values[part.path] = _values(inner, given, full, source_of_part, found)[inner.result]
    return values


def _operation(path: str, leaf: Leaf, arguments: Mapping[str, Constant], inputs: tuple[str, ...]) -> Unfolded:
    target: Any = leaf.call.target
    if leaf.target is not None:
        chosen = evaluate(leaf.target, arguments)
        assert isinstance(chosen, Class)
        target = chosen.target
    args = tuple([evaluate(each, arguments) for each in leaf.call.args])
    kwargs = {name: evaluate(value, arguments) for name, value in leaf.call.kwargs.items()}
    weights: Any = {name: evaluate(shape, arguments) for name, shape in leaf.weights.items()}
    return Unfolded(path, (leaf.call.kind, target, args, kwargs), weights, inputs)


def expected(graph: Graph, found: list[Unfolded]) -> list[Unfolded]:
    """The same from the plan. A node that may work in place does so only where ``found`` does."""
    in_place = {each.path: each.call[0] == "method" or "inplace" in each.call[3] for each in found}
    calls = [each for each in nest(graph, flat=True).members if isinstance(each, Call)]
    made = []
    for each in calls:
        node = each.node
        torch, inputs = each.torch, each.inputs
        if not in_place.get(node.name):
            torch, inputs = node.operation.torch(graph.input_shapes(node), in_place=False), node.inputs
        weights = {} if torch.kind == "module" else node.operation.weights(graph.input_shapes(node))
        shapes = {name: weight.shape for name, weight in weights.items()}
        made.append(Unfolded(node.name, (torch.kind, torch.target, torch.args, dict(torch.kwargs)), shapes, inputs))
    return made


def without_defaults(graph: Graph, found: list[Unfolded]) -> list[Unfolded]:
    """``found`` without arguments that have torch's defaults, and with one number for a size that is equal on all axes.

    A definition writes an argument that only some of its uses leave out.
    """
    made = []
    for each in found:
        node = graph.by_name[each.path]
        defaults = node.operation.torch(graph.input_shapes(node)).defaults
        kind, target, args, kwargs = each.call
        if kind == "module":
            kwargs = {name: _collapsed(value) for name, value in kwargs.items()}
            kwargs = {name: value for name, value in kwargs.items() if name not in defaults or value != defaults[name]}
        made.append(each._replace(call=(kind, target, args, kwargs)))
    return made


def _collapsed(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
