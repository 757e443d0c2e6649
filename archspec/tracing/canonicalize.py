"""From a trace to the canonical form: each fx node by its rule, or else by its own name and arguments."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from archspec.tracing import rules
from archspec.tracing.canonical_form import CanonicalForm
from archspec.tracing.form_builder import FormBuilder, Operand, StateTensor, UnknownCall, Value
from archspec.tracing.trace import Trace


def canonicalize(trace: Trace, keys: frozenset[str]) -> CanonicalForm:
    """The canonical form of a traced network.

    Args:
        trace: the network.
        keys: the keys of its state dict.
    """
    return _TraceReader(trace, keys).form()


class _TraceReader:
    """Reads the nodes of one trace in order."""

    def __init__(self, trace: Trace, keys: frozenset[str]) -> None:
        self.trace = trace
        self.builder = FormBuilder(keys=keys)
        self.values: dict[fx.Node, Any] = {}
        self.owners = _first_names(trace.root, keys)
        self.order = {node: number for number, node in enumerate(trace.nodes)}
        self.holders: dict[int, list[fx.Node]] = {}
        """The nodes whose value lies in a storage."""

    def form(self) -> CanonicalForm:
        for number, node in enumerate(self.trace.nodes):
            self.builder.place = place(node)
            self.builder.source = number
            self.builder.result = self.trace.results.get(node)
            if node.op == "output":
                return self.builder.finish(map(self.builder.value, _tensors(self.argument(node.args[0]))))
            self.values[node] = self.value(node)
            if isinstance(self.values[node], Value):
                self.holders.setdefault(self.values[node].storage, []).append(node)
        raise AssertionError("a trace ends with its output")

    def value(self, node: fx.Node) -> Any:
        """The value of a node in the form. A result without tensors, such as a size, stays as it is."""
        result = self.builder.result
        if not any(map(torch.is_tensor, _leaves(result))):
            return result
        if node.op == "placeholder":
            self.builder.dtype = result.dtype
            return self.builder.add("input", (), tuple(result.shape), shape=tuple(result.shape))
        if node.op == "get_attr":
            return self.attribute(str(node.target), result)
        args, kwargs = self.argument(node.args), self.argument(node.kwargs)
        target: Any = node.target
        if node.op == "call_module":
            target = self.trace.root.get_submodule(str(node.target))
        before = len(self.builder.steps)
        try:
            found = self.known(node, target, args, kwargs)
        except (UnknownCall, TypeError, ValueError, IndexError, AttributeError):
            del self.builder.steps[before:]
            self.builder.views = {key: view for key, view in self.builder.views.items() if view < before}
            found = self.unknown(node, target, args, kwargs)
        first = args[0] if args else None
        if isinstance(first, Value) and isinstance(found, Value) and rules.writes(target, node.args, node.kwargs):
            found = self.written(first, found)
        return found

    def argument(self, argument: Any) -> Any:
        """An argument with nodes replaced by their values."""
        return fx.node.map_aggregate(argument, lambda a: self.values[a] if isinstance(a, fx.Node) else a)

    def attribute(self, target: str, result: Any) -> Any:
        """A parameter or buffer by its first key. A tensor outside the state dict is a constant, with its values."""
        key = self.owners.get(target)
        if key is not None:
            return StateTensor(key, tuple(result.shape))
        found: Any = operator.attrgetter(target)(self.trace.root)
        if not isinstance(found, Tensor):
            return found
        return self.builder.add("constant", (), tuple(found.shape), values=_values(found))

    def known(self, node: fx.Node, target: Any, args: Any, kwargs: Any) -> Any:
        """The value of a call by its rule."""
        if isinstance(target, nn.Module):
            rule = rules.module_rule(type(target))
            if rule is None or target._forward_hooks or target._forward_pre_hooks:
                raise UnknownCall
            return rule[0](self.builder, *args, *[self.held(node, target, name) for name in rule[1].split()], **kwargs)
        if isinstance(target, type) and issubclass(target, tuple):  # a named tuple, as GoogLeNet returns in training
            return tuple(target(*args, **kwargs))
        function = rules.method_rule(target) if isinstance(target, str) else rules.function_rule(target)
        if function is None:
            raise UnknownCall
        return function(self.builder, *args, **kwargs)

    def held(self, node: fx.Node, module: nn.Module, name: str) -> Any:
        """An attribute of a module, for its rule."""
        found = getattr(module, name)
        if not isinstance(found, Tensor):
            return found
        key = self.owners.get(f"{node.target}.{name}")
        if key is None:
            raise UnknownCall
        return StateTensor(key, tuple(found.shape))

    def unknown(self, node: fx.Node, target: Any, args: Any, kwargs: Any) -> Any:
        """A call without a rule: its name and arguments, and for a module its ``extra_repr`` and state dict too."""
        operands: list[Value] = []

        def frozen(argument: Any) -> Any:
            if isinstance(argument, Operand):
                operands.append(self.builder.plain(argument))
                return "operand"
            if isinstance(argument, tuple | list):
                return tuple([frozen(item) for item in argument])
            if isinstance(argument, dict):
                return tuple([(key, frozen(item)) for key, item in argument.items()])
            return argument if isinstance(argument, int | float | str | None) else repr(argument)

        arguments: tuple[Any, ...] = (frozen(args), frozen(dict(kwargs)))
        state: dict[str, StateTensor] = {}
        name = target if isinstance(target, str) else rules.qualified(target)
        if isinstance(target, nn.Module):
            name = rules.qualified(type(target))
            arguments = (*arguments, target.extra_repr(), target.training)
            for role, tensor in target.state_dict(keep_vars=True).items():
                if isinstance(tensor, Tensor):  # not the extra state of a module
                    key = f"{node.target}.{role}"
                    state[role] = StateTensor(self.owners.get(key, key), tuple(tensor.shape))
        result = self.builder.result
        shape = tuple(result.shape) if torch.is_tensor(result) else ()
        found = self.builder.add(name, operands, shape, state=state, arguments=arguments)
        return found if torch.is_tensor(result) else self.parts(found, result, ())

    def parts(self, whole: Value, result: Any, path: tuple[Any, ...]) -> Any:
        """The tensors among the results of a call that returns several."""
        if torch.is_tensor(result):
            return self.builder.add("part", (whole,), tuple(result.shape), path=path)
        if isinstance(result, dict):
            return {key: self.parts(whole, item, (*path, str(key))) for key, item in result.items()}
        if isinstance(result, tuple | list):
            return tuple([self.parts(whole, item, (*path, number)) for number, item in enumerate(result)])
        return result

    def written(self, target: Value, found: Value) -> Value:
        """After a call that writes over ``target``, all nodes that hold the same value get the new one.

        Another view of that storage gets a step of its own if it is read later: no rule tracks the effect on it.
        """
        found = found._replace(storage=target.storage)
        for node in self.holders.get(target.storage, []):
            value = self.values[node]
            if value.step == target.step:
                self.values[node] = found._replace(axes=value.axes) if len(value.axes) == len(found.axes) else found
            elif any(self.order[user] > self.builder.source for user in node.users):
                view = self.builder.add("view of what was written over", (value, found), value.shape, axes=value.axes)
                self.values[node] = view._replace(storage=target.storage)
        return found


def place(node: fx.Node) -> str:
    """The network's own name for a call: the ``scope`` in the node's ``meta`` if any, else the module's path."""
    if "scope" in node.meta:
        return str(node.meta["scope"])
    if node.op == "call_module":
        return str(node.target)
    stack: Mapping[str, Any] = node.meta.get("nn_module_stack") or {}
    path = list(stack.values())[-1][0] if stack else ""
    return f"{path}.{node.name}" if path else node.name


def _first_names(root: nn.Module, keys: frozenset[str]) -> dict[str, str]:
    """Every key of the state dict, to the first key of the same tensor: tied weights have several keys."""
    first: dict[int, str] = {}
    found = {}
    for named in (root.named_parameters(remove_duplicate=False), root.named_buffers(remove_duplicate=False)):
        for path, tensor in named:
            if path in keys:
                found[path] = first.setdefault(id(tensor), path)
    return found


def _leaves(result: Any) -> list[Any]:
    found: list[Any] = []
    fx.node.map_aggregate(result, found.append)
    return found


def _tensors(result: Any) -> Iterator[Operand]:
    if isinstance(result, Operand):
        yield result
    elif isinstance(result, dict | tuple | list):
        for item in result.values() if isinstance(result, dict) else result:
            yield from _tensors(item)


def _values(tensor: Tensor) -> Any:
    """The values of a constant; of a large one, their hash."""
    if tensor.is_meta:
        return repr(tensor)
    if tensor.numel() <= 16:
        return (str(tensor.dtype), tuple(tensor.shape), tuple(tensor.flatten().tolist()))
    data = tensor.detach().contiguous().cpu().view(torch.uint8) if tensor.dim() else tensor
    return (str(tensor.dtype), tuple(tensor.shape), hashlib.sha256(data.numpy().tobytes()).hexdigest())
