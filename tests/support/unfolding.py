"""Definitions back to what a plan has: each operation with its path, its call, its weights, and what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from archspec.graph.definitions import Definition, Leaf
from archspec.graph.formulas import Class, Constant, evaluate
from archspec.graph.graph import INPUT, Graph
from archspec.graph.nesting import nest
from archspec.graph.plan import Call


class Unfolded(NamedTuple):
    """An operation: ``call`` is its kind, class or function, arguments, and keyword arguments in order of names."""

    path: str
    call: tuple[Any, ...]
    weights: Mapping[str, tuple[int, ...]]
    inputs: tuple[str, ...]


def unfold(model: Definition) -> tuple[list[Unfolded], dict[str, str]]:
    """The operations of a model in the order in which they run, and what it returns by label."""
    found: list[Unfolded] = []
    values = _values(model, {}, "", (INPUT,), found)
    outputs = {"output": model.result} if model.outputs is None else model.outputs
    return found, {label: values[path] for label, path in outputs.items()}


def _values(
    definition: Definition,
    arguments: Mapping[str, Constant],
    path: str,
    sources: tuple[str, ...],
    found: list[Unfolded],
) -> dict[str, str]:
    assert set(arguments) == {each.name for each in definition.parameters}
    values, position = dict(zip(definition.sources, sources, strict=True)), 0
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
            values[part.path] = _values(inner, given, full, inputs, found)[inner.result]
    return values


def _operation(path: str, leaf: Leaf, arguments: Mapping[str, Constant], inputs: tuple[str, ...]) -> Unfolded:
    target: Any = leaf.call.target
    if leaf.target is not None:
        chosen = evaluate(leaf.target, arguments)
        assert isinstance(chosen, Class)
        target = chosen.target
    args = tuple([evaluate(each, arguments) for each in leaf.call.args])
    kwargs = {name: evaluate(value, arguments) for name, value in sorted(leaf.call.kwargs.items())}
    weights: Any = {name: evaluate(shape, arguments) for name, shape in leaf.weights.items()}
    return Unfolded(path, (leaf.call.kind, target, args, kwargs), weights, inputs)


def expected(graph: Graph, found: list[Unfolded]) -> list[Unfolded]:
    """The same from the plan.

    A node that may work in place does so only where ``found`` does. One without weights and buffers has the name that
    ``found`` gives it, because its name is in no key of the state dict.
    """
    calls = [each for each in nest(graph, flat=True).members if isinstance(each, Call)]
    made, names = [], {INPUT: INPUT}
    for each, like in zip(calls, found, strict=True):
        node = each.node
        torch, inputs = each.torch, each.inputs
        shapes_read = graph.input_shapes(node)
        free = not node.operation.weights(shapes_read) and not node.operation.buffers(shapes_read)
        names[node.name] = like.path if free else each.path
        if like.call[0] != "method" and "inplace" not in like.call[3]:
            torch, inputs = node.operation.torch(graph.input_shapes(node), in_place=False), node.inputs
        weights = {} if torch.kind == "module" else node.operation.weights(graph.input_shapes(node))
        shapes = {name: weight.shape for name, weight in weights.items()}
        inputs = tuple([names[name] for name in inputs])
        call = (torch.kind, torch.target, torch.args, dict(sorted(torch.kwargs.items())))
        made.append(Unfolded(names[node.name], call, shapes, inputs))
    return made


def without_defaults(graph: Graph, found: list[Unfolded]) -> list[Unfolded]:
    """``found`` without arguments that have torch's defaults, and with one number for a size that is equal on all axes.

    A definition writes an argument that only some of its uses leave out.
    """
    made = []
    for each, node in zip(found, graph.nodes, strict=True):
        defaults = node.operation.torch(graph.input_shapes(node)).defaults
        kind, target, args, kwargs = each.call
        if kind == "module":
            kwargs = {name: _collapsed(value) for name, value in kwargs.items()}
            kwargs = {name: value for name, value in kwargs.items() if name not in defaults or value != defaults[name]}
        made.append(each._replace(call=(kind, target, args, kwargs)))
    return made


def _collapsed(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
