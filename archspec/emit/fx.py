"""Graph to ``torch.fx.GraphModule``: nodes made directly, modules on the meta device.

The model mirrors the scopes. A block is a GraphModule of its own; a stage, or a scope whose parts are numbered, is an
``nn.Sequential`` where its parts follow each other; any other scope is written out in the module around it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import fx, nn

from archspec.diagnostics import Span
from archspec.emit.modules import Network, make, resolve
from archspec.graph.graph import INPUT, Graph, Node, Region
from archspec.graph.in_place import in_place
from archspec.language.spec import LANGUAGE_VERSION
from archspec.operations.base import Operation, TorchCall
from archspec.operations.shapes import Shape


def emit(graph: Graph, *, flat: bool = False) -> fx.GraphModule:
    """The model on the meta device, without storage.

    Args:
        graph: the compiled network.
        flat: one graph for the whole network, in place of one for each block.
    """
    module = _Emitter(graph, flat).model()
    module.meta["archspec"] = {"language": LANGUAGE_VERSION, "name": graph.name, "hash": graph.fingerprint}
    return module


_Parts = dict[str, nn.Module | nn.Parameter]
"""What a GraphModule holds, by path, in the order of the state dict."""


@dataclass(slots=True)
class _Call:
    """A scope that became a module, called on one value."""

    path: str
    module: nn.Module
    source: str
    result: str


@dataclass(slots=True)
class _Extent:
    """Where in the graph the nodes of one scope lie."""

    first: int
    last: int
    count: int


class _Emitter:
    """One emission: the graph's nodes, the modules made so far, and what each scope covers."""

    def __init__(self, graph: Graph, flat: bool) -> None:
        self.graph = graph
        self.flat = flat
        self.in_place = in_place(graph)
        self.calls = {node.name: self._torch(node) for node in graph.nodes}
        self.regions: dict[str, Region] = {region.scope: region for region in reversed(graph.regions)}
        self.extents = self._extents()
        self.last_use = self._last_uses()

    def model(self) -> fx.GraphModule:
        """The whole network."""
        nodes = self.graph.nodes
        items: list[Node | _Call] = list(nodes) if self.flat else self._items(0, len(nodes), "")
        outputs = self.graph.outputs
        result = next(iter(outputs.values())) if self.graph.single else dict(outputs)
        return self._graph_module(items, "", INPUT, result, self.graph.name, self.graph.written_at("input"))

    def _torch(self, node: Node) -> TorchCall:
        return node.operation.torch(self.graph.input_shapes(node), in_place=node.name in self.in_place)

    def _extents(self) -> dict[str, _Extent]:
        found: dict[str, _Extent] = {}
        for index, node in enumerate(self.graph.nodes):
            path = node.name.rpartition(".")[0]
            while path:
                extent = found.get(path)
                if extent is None:
                    found[path] = _Extent(index, index, 1)
                else:
                    extent.last = index
                    extent.count += 1
                path = path.rpartition(".")[0]
        return found

    def _last_uses(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for index, node in enumerate(self.graph.nodes):
            for name in node.inputs:
                found[name] = index
        for name in self.graph.outputs.values():
            found[name] = len(self.graph.nodes)
        return found

    def _items(self, first: int, last: int, path: str) -> list[Node | _Call]:
        """Nodes ``first`` up to ``last`` as their module sees them: scopes inside that can be modules are calls."""
        items: list[Node | _Call] = []
        prefix = len(path) + 1 if path else 0
        index = first
        while index < last:
            node = self.graph.nodes[index]
            scope = _child(node.name, prefix)
            extent = self.extents.get(scope) if scope else None
            if extent is None or extent.first != index or extent.last - index + 1 != extent.count:
                items.append(node)
                index += 1
                continue
            items.extend(self._scope(scope, extent))
            index = extent.last + 1
        return items

    def _scope(self, path: str, extent: _Extent) -> list[Node | _Call]:
        """A scope as one call where it can be a module, else its items."""
        items = self._items(extent.first, extent.last + 1, path)
        ends = self._ends(extent)
        if ends is None:
            return items
        source, result = ends
        region = self.regions.get(path)
        module: nn.Module | None = None
        if not (region and region.kind == "block"):
            module = self._sequential(items, path, source, region is not None)
        if module is None and region and (region.first, region.last) == (extent.first, extent.last + 1):
            module = self._graph_module(items, path, source, result, region.name, region.span)
        return items if module is None else [_Call(path, module, source, result)]

    def _ends(self, extent: _Extent) -> tuple[str, str] | None:
        """The one value that a scope reads from outside, and the one that it gives; None where there are more."""
        nodes = self.graph.nodes[extent.first : extent.last + 1]
        inside = {node.name for node in nodes}
        sources = {name for node in nodes for name in node.inputs if name not in inside}
        results = [node.name for node in nodes if self.last_use.get(node.name, -1) > extent.last]
        return (sources.pop(), results[0]) if len(sources) == 1 and len(results) == 1 else None

    def _sequential(self, items: list[Node | _Call], path: str, source: str, is_stage: bool) -> nn.Module | None:
        """An ``nn.Sequential`` of a scope whose parts are modules that follow each other; else None."""
        value = source
        for item in items:
            path_of, reads, result = _flow(item)
            name = path_of[len(path) + 1 :]
            is_module = isinstance(item, _Call) or self.calls[item.name].kind == "module"
            if reads != (value,) or not is_module or "." in name:
                return None
            if not (name.isdecimal() or (is_stage and isinstance(item, _Call))):
                return None
            value = result
        sequential = nn.Sequential()
        for item in items:
            name = _flow(item)[0][len(path) + 1 :]
            sequential.add_module(name, item.module if isinstance(item, _Call) else self._module(item))
        return sequential

    def _module(self, node: Node) -> nn.Module:
        """The torch module of one node, on the meta device."""
        call = self.calls[node.name]
        return make(resolve(call.target), call.args, call.kwargs, has_weights=_has_weights(node))

    def _graph_module(
        self,
        items: list[Node | _Call],
        path: str,
        source: str,
        result: str | dict[str, str],
        name: str,
        span: Span | None,
    ) -> fx.GraphModule:
        """A GraphModule of its own for ``items``, with names relative to ``path``."""
        made: fx.Graph = fx.Graph()
        parts: _Parts = {}
        values = {source: _describe(made.placeholder("x"), source, "input", self.graph.shape(source), span)}
        prefix = len(path) + 1 if path else 0
        for item in items:
            target = _flow(item)[0][prefix:]
            if isinstance(item, _Call):
                parts[target] = item.module
                values[item.result] = self._call(made, item, target, values)
            else:
                values[item.name] = self._add(made, parts, item, target, values)
        if isinstance(result, str):
            _describe(made.output(values[result]), path, "output", self.graph.shape(result), span)
        else:
            shapes = {key: self.graph.shape(value) for key, value in result.items()}
            _describe(made.output({key: values[value] for key, value in result.items()}), path, "output", shapes, span)
        return Network(_root(parts), made, re.sub(r"\W", "", name.title()) or "Network")

    def _call(self, made: fx.Graph, call: _Call, target: str, values: Mapping[str, fx.Node]) -> fx.Node:
        """The fx node that calls a scope's module."""
        region = self.regions.get(call.path)
        span = region.span if region else self.graph.by_name[call.result].span
        added = made.create_node("call_module", target, (values[call.source],), {})
        return _describe(added, call.path, region.name if region else "sequence", self.graph.shape(call.result), span)

    def _add(self, made: fx.Graph, parts: _Parts, node: Node, target: str, values: Mapping[str, fx.Node]) -> fx.Node:
        """The fx node, or the last of the fx nodes, of one node."""
        call = self.calls[node.name]
        if call.kind == "module":
            parts[target] = self._module(node)
            added = made.create_node("call_module", target, tuple([values[name] for name in node.inputs]), {})
            return _describe(added, node.name, node.operation, node.shape, node.span)
        first = self.in_place.get(node.name, 0)
        names = [node.inputs[first], *node.inputs[:first], *node.inputs[first + 1 :]]
        inputs = [values[name] for name in names]
        if not call.fold:
            inputs += self._own_weights(made, parts, node, target)
            added = _called(made, call, inputs, target)
            return _describe(added, node.name, node.operation, node.shape, node.span)
        value = inputs[0]
        for count, other in enumerate(inputs[1:], start=2):
            value = _called(made, call, [value, other], target)
            shape = node.operation.shape(tuple([self.graph.shape(name) for name in names[:count]]))
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


def _describe(
    node: fx.Node, scope: str, operation: Operation | str, shape: Shape | Mapping[str, Shape], span: Span | None
) -> fx.Node:
    """Say in the meta of ``node`` what it stands for: a part of the spec, or a word where it is no operation."""
    node.meta.update(scope=scope, operation=operation, shape=shape, span=str(span or ""))
    return node


def _flow(item: Node | _Call) -> tuple[str, tuple[str, ...], str]:
    """The path of an item, the values that it reads, and the one that it gives."""
    return (item.path, (item.source,), item.result) if isinstance(item, _Call) else (item.name, item.inputs, item.name)


def _has_weights(node: Node) -> bool:
    """Whether modules of this kind take the device on which to make their weights and buffers."""
    return type(node.operation).weights is not Operation.weights


def _child(name: str, prefix: int) -> str:
    """The scope directly below a prefix in which a node stands; empty where it stands in the prefix itself."""
    end = name.find(".", prefix)
    return name[:end] if end > 0 else ""


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
