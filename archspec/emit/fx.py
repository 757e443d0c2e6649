"""Graph to ``torch.fx.GraphModule``: nodes made directly, modules on the meta device, nested as the plan says.

What becomes a module is decided in :mod:`archspec.graph.nesting`: a sequence becomes an ``nn.Sequential``, a block a
GraphModule of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import fx, nn

from archspec.diagnostics import Span
from archspec.emit.modules import Network, make, resolve
from archspec.graph.graph import Graph, Node
from archspec.graph.nesting import Call, Module, nest
from archspec.language.spec import LANGUAGE_VERSION
from archspec.operations.base import Operation, TorchCall
from archspec.operations.shapes import Shape


def emit(graph: Graph, *, flat: bool = False) -> fx.GraphModule:
    """The model on the meta device, without storage.

    Args:
        graph: the compiled network.
        flat: one graph for the whole network, in place of one for each block.
    """
    module = _Writer(graph).graph_module(nest(graph, flat=flat))
    module.meta["archspec"] = {"language": LANGUAGE_VERSION, "name": graph.name, "hash": graph.fingerprint}
    return module


_Parts = dict[str, nn.Module | nn.Parameter]
"""What a GraphModule holds, by path, in the order of the state dict."""


class _Writer:
    """Writes the modules of a plan. It asks the graph for shapes alone."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def graph_module(self, module: Module) -> fx.GraphModule:
        """A GraphModule of its own, with names relative to the module's path."""
        made: fx.Graph = fx.Graph()
        parts: _Parts = {}
        source = module.inputs[0]
        shape = self.graph.shape(source)
        values = {source: _describe(made.placeholder("x"), source, "input", shape, module.span)}
        for member in module.members:
            target = module.relative(member)
            inputs = [values[name] for name in member.inputs]
            if isinstance(member, Module):
                parts[target] = self.module(member)
                called = made.create_node("call_module", target, tuple(inputs), {})
                shape = self.graph.shape(member.result)
                values[member.result] = _describe(called, member.path, member.name, shape, member.span)
            else:
                values[member.result] = self._add(made, parts, member, target, inputs)
        self._output(made, module, values)
        return Network(_root(parts), made, module.class_name)

    def _output(self, made: fx.Graph, module: Module, values: Mapping[str, fx.Node]) -> None:
        """What a GraphModule returns: one value, or several by label."""
        if module.outputs is None:
            result, shape = values[module.result], self.graph.shape(module.result)
            _describe(made.output(result), module.path, "output", shape, module.span)
        else:
            shapes = {label: self.graph.shape(name) for label, name in module.outputs.items()}
            results = {label: values[name] for label, name in module.outputs.items()}
            _describe(made.output(results), module.path, "output", shapes, module.span)

    def module(self, module: Module) -> nn.Module:
        """The module of a scope."""
        if module.kind != "sequential":
            return self.graph_module(module)
        made = nn.Sequential()
        for member in module.members:
            part = self.module(member) if isinstance(member, Module) else _module(member)
            made.add_module(module.relative(member), part)
        return made

    def _add(self, made: fx.Graph, parts: _Parts, call: Call, target: str, inputs: list[fx.Node]) -> fx.Node:
        """The fx node, or the last of the fx nodes, of one node."""
        node = call.node
        if call.torch.kind == "module":
            parts[target] = _module(call)
            added = made.create_node("call_module", target, tuple(inputs), {})
            return _describe(added, node.name, node.operation, node.shape, node.span)
        if not call.torch.fold:
            inputs = [*inputs, *self._own_weights(made, parts, node, target)]
            added = _called(made, call.torch, inputs, target)
            return _describe(added, node.name, node.operation, node.shape, node.span)
        value = inputs[0]
        for count, other in enumerate(inputs[1:], start=2):
            value = _called(made, call.torch, [value, other], target)
            shape = node.operation.shape(tuple([self.graph.shape(name) for name in call.inputs[:count]]))
            _describe(value, node.name, node.operation, shape, node.span)
        return value

    def _own_weights(self, made: fx.Graph, parts: _Parts, node: Node, target: str) -> list[fx.Node]:
        """The weights of an operation that is a function, as attributes."""
        found = []
        for name, weight in node.operation.weights(self.graph.input_shapes(node)).items():
            path = f"{target}.{name}" if name else target
            parts[path] = nn.Parameter(torch.empty(weight.shape, device="meta"))
            read = made.create_node("get_attr", path, (), {})
            found.append(_describe(read, node.name, node.operation, weight.shape, node.span))
        return found


def _module(call: Call) -> nn.Module:
    """The torch module of one node, on the meta device."""
    # Modules of this kind take the device on which to make their weights and buffers.
    has_weights = type(call.node.operation).weights is not Operation.weights
    return make(resolve(call.torch.target), call.torch.args, call.torch.kwargs, has_weights=has_weights)


def _describe(
    node: fx.Node, scope: str, operation: Operation | str, shape: Shape | Mapping[str, Shape], span: Span | None
) -> fx.Node:
    """Say in the meta of ``node`` what it stands for: a part of the spec, or a word where it is no operation."""
    node.meta.update(scope=scope, operation=operation, shape=shape, span=str(span or ""))
    return node


def _called(made: fx.Graph, call: TorchCall, inputs: list[fx.Node], target: str) -> fx.Node:
    """A call of a function or a method on ``inputs``."""
    op = "call_function" if call.kind == "function" else "call_method"
    function = resolve(call.target) if call.kind == "function" else call.target
    args = (inputs, *call.args) if call.packed else (*inputs, *call.args)
    return made.create_node(op, function, args, dict(call.kwargs), target.replace(".", "_"))


def _root(parts: _Parts) -> nn.Module | _Parts:
    """What a GraphModule takes its modules from: a tree where paths are dotted, since it would reorder those."""
    if not any("." in path for path in parts):
        return parts
    root = nn.Module()
    for path, part in parts.items():
        *scopes, name = path.split(".")
        owner = root
        for scope in scopes:
            if scope not in owner._modules:
                owner.add_module(scope, nn.Module())
            owner = owner.get_submodule(scope)
        setattr(owner, name, part)
    return root
