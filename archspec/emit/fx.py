"""Graph to ``torch.fx.GraphModule``: nodes made directly, modules on the meta device, nested as the plan says.

:mod:`archspec.graph.nesting` decides what becomes a module: a sequence becomes an ``nn.Sequential``, and a block a
GraphModule.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

import torch
from torch import fx, nn

from archspec.diagnostics import Span
from archspec.emit.modules import Network, make, resolve
from archspec.emit.two_modes import in_two_modes
from archspec.graph.graph import Graph
from archspec.graph.nesting import nest
from archspec.graph.plan import Call, Module
from archspec.language.spec import LANGUAGE_VERSION
from archspec.operations.base import Operation, TorchCall
from archspec.operations.shapes import Shape


def emit(graph: Graph, *, flat: bool = False) -> fx.GraphModule:
    """The model on the meta device, without storage.

    Args:
        graph: the compiled network.
        flat: one graph for the whole network, in place of one for each block.
    """
    module = _graph_module(graph, nest(graph, flat=flat))
    if graph.training:
        module = in_two_modes(module, [label in graph.training for label in graph.outputs])
    if graph.frozen:
        _freeze(graph, module)
    module.meta["archspec"] = {"language": LANGUAGE_VERSION, "name": graph.name, "hash": graph.fingerprint}
    return module


def _freeze(graph: Graph, module: nn.Module) -> None:
    """Let frozen weights need no gradient, and frozen modules stay in eval mode, whoever changes the mode."""
    frozen = {graph.state_of(name) for name in graph.frozen}
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name.rpartition(".")[0] not in frozen and name not in frozen)
    kept = [name for name, _ in module.named_modules() if name in frozen]
    for path, part in module.named_modules():
        if isinstance(part, Network):
            inside = f"{path}." if path else ""
            part.meta["frozen"] = tuple([name[len(inside) :] for name in kept if name.startswith(inside)])
    module.train()


_Parts = dict[str, nn.Module | nn.Parameter]
"""The modules and parameters of a GraphModule by path, in the order of the state dict."""


def _module(graph: Graph, member: Call | Module) -> nn.Module:
    """The module of a node or a scope, on the meta device."""
    if isinstance(member, Call):
        # Modules of this kind take the device on which to make their weights and buffers.
        has_weights = member.node.operation.has_state
        return make(resolve(member.torch.target), member.torch.args, member.torch.kwargs, has_weights=has_weights)
    if member.kind != "sequential":
        return _graph_module(graph, member)
    made = nn.Sequential()
    for part in member.members:
        made.add_module(member.relative(part), _module(graph, part))
    return made


def _graph_module(graph: Graph, module: Module) -> fx.GraphModule:
    """A GraphModule with names relative to the module's path."""
    made: fx.Graph = fx.Graph()
    parts: _Parts = {}
    source = module.inputs[0]
    values = {source: _describe(made.placeholder("x"), source, "input", graph.shape(source), module.span)}
    for member in module.members:
        target = _target(module, member)
        inputs = [values[name] for name in member.inputs]
        if isinstance(member, Call) and member.torch.kind != "module":
            values[member.result] = _function(graph, made, parts, member, target, inputs)
            continue
        if isinstance(member, Module) or not member.state:
            parts[target] = _module(graph, member)
        called = made.create_node("call_module", target, tuple(inputs), {})
        operation = member.node.operation if isinstance(member, Call) else member.name
        span = member.node.span if isinstance(member, Call) else member.span
        scope = member.node.name if isinstance(member, Call) else member.path  # the path may be that of weights
        values[member.result] = _describe(called, scope, operation, graph.shape(member.result), span)
    if module.outputs is None:
        _describe(made.output(values[module.result]), module.path, "output", graph.shape(module.result), module.span)
    else:
        shapes = {label: graph.shape(name) for label, name in module.outputs.items()}
        results: Any = {label: values[name] for label, name in module.outputs.items()}
        results = tuple(results.values()) if module.returns == "tuple" else results
        _describe(made.output(results), module.path, "output", shapes, module.span)
    shares = any(isinstance(member, Call) and member.state for member in module.members)
    network = Network(_root(parts, tree=shares), made, module.class_name)
    if any("." in path for path in parts):
        _order(network, parts)
    return network


def _order(network: nn.Module, parts: _Parts) -> None:
    """Put every scope at the place of its first tensor, as :func:`archspec.graph.state.state` does.

    torch puts it at the place of its first module, which may have no tensors, such as an activation function.
    """
    first: dict[str, int] = {}
    for position, path in sorted(enumerate(parts), key=lambda item: not _has_tensors(parts[item[1]])):
        while path and path not in first:
            first[path] = position
            path = path.rpartition(".")[0]
    for scope in {path.rpartition(".")[0] for path in first}:
        owner = network.get_submodule(scope)
        prefix = f"{scope}." if scope else ""
        inside = sorted(owner._modules, key=lambda name: first[prefix + name])
        if inside != list(owner._modules):
            owner._modules = {name: owner._modules[name] for name in inside}


def _has_tensors(part: nn.Module | nn.Parameter) -> bool:
    return isinstance(part, nn.Parameter) or any(True for _ in chain(part.parameters(), part.buffers()))


def _function(graph: Graph, made: fx.Graph, parts: _Parts, call: Call, target: str, inputs: list[fx.Node]) -> fx.Node:
    """The fx node of an operation that is a function or a method; the last one if it is folded over its inputs."""
    name, operation, shape, span = call.node.name, call.node.operation, call.node.shape, call.node.span
    if not call.torch.fold:
        for key, weight in operation.weights(graph.input_shapes(call.node)).items():
            path = f"{target}.{key}" if key else target
            if not call.state:
                parts[path] = nn.Parameter(torch.empty(weight.shape, device="meta"))
            inputs.append(_describe(made.create_node("get_attr", path, (), {}), name, operation, weight.shape, span))
        return _describe(_called(made, call.torch, inputs, target), name, operation, shape, span)
    value = inputs[0]
    for count, other in enumerate(inputs[1:], start=2):
        so_far = operation.shape(tuple([graph.shape(each) for each in call.inputs[:count]]))
        value = _describe(_called(made, call.torch, [value, other], target), name, operation, so_far, span)
    return value


def _describe(
    node: fx.Node, scope: str, operation: Operation | str, shape: Shape | Mapping[str, Shape], span: Span | None
) -> fx.Node:
    """Write the origin in the spec to the meta of ``node``. For inputs and outputs, ``operation`` is a word."""
    node.meta.update(scope=scope, operation=operation, shape=shape, span=str(span or ""))
    return node


def _called(made: fx.Graph, call: TorchCall, inputs: list[fx.Node], target: str) -> fx.Node:
    """A call of a function or a method on ``inputs``."""
    op = "call_function" if call.kind == "function" else "call_method"
    function = resolve(call.target) if call.kind == "function" else call.target
    args = (inputs, *call.args) if call.packed else (*inputs, *call.args)
    return made.create_node(op, function, args, dict(call.kwargs), target.replace(".", "_"))


def _target(module: Module, member: Call | Module) -> str:
    """The path inside a module of what a member calls: its own, unless it uses the tensors of another node."""
    if isinstance(member, Module) or not member.state:
        return module.relative(member)
    return module.within(member.state)


def _root(parts: _Parts, *, tree: bool) -> nn.Module | _Parts:
    """The root that a GraphModule takes its modules from: a tree if paths have dots, because it would reorder those."""
    if not tree and not any("." in path for path in parts):
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
