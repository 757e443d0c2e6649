"""A trace in the one form: each fx node by its rule, what has none by its own name and arguments."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from archspec.tracing import calls
from archspec.tracing.canonical_form import ALIASES, Canonical, Recorder, State, Traced, Unknown
from archspec.tracing.trace import Trace


def canonicalize(trace: Trace, keys: frozenset[str]) -> Canonical:
    """The one form of a traced network.

    Args:
        trace: the network.
        keys: those of its state dict.
    """
    return _TraceReader(trace, keys).form()


class _TraceReader:
    """Reads the nodes of one trace in order."""

    def __init__(self, trace: Trace, keys: frozenset[str]) -> None:
        self.trace = trace
        self.build = Recorder(keys=keys)
        self.values: dict[fx.Node, Any] = {}
        self.owners = _first_names(trace.root, keys)
        self.order = {node: number for number, node in enumerate(trace.nodes)}
        self.roots: list[int] = []
        self.holders: dict[int, list[fx.Node]] = {}

    def form(self) -> Canonical:
        for number, node in enumerate(self.trace.nodes):
            self.build.place = place(node)
            self.build.source = number
            self.build.result = self.trace.results.get(node)
            if node.op == "output":
                results = list(_tensors(self.argument(node.args[0])))
                return self.build.finish(self.build.value(result) for result in results)
            self.values[node] = self.value(node)
            if isinstance(self.values[node], Traced):
                self.holders.setdefault(self.root(self.values[node]), []).append(node)
        raise AssertionError("a trace ends with its output")

    def value(self, node: fx.Node) -> Any:
        """What a node gives in the form; a number or the like where it gives no tensor."""
        result = self.build.result
        if node.op == "placeholder":
            return (
                self.build.add("input", (), tuple(result.shape), shape=tuple(result.shape)) if _is(result) else result
            )
        if node.op == "get_attr":
            return self.attribute(str(node.target), result)
        if not any(map(_is, _leaves(result))):
            return result
        args, kwargs = self.argument(node.args), self.argument(node.kwargs)
        target: Any = node.target
        if node.op == "call_module":
            target = self.trace.root.get_submodule(str(node.target))
        before = len(self.build.steps)
        try:
            found = self.known(node, target, args, kwargs)
        except (Unknown, TypeError, ValueError, IndexError, AttributeError):
            del self.build.steps[before:]
            self.build.views = {key: view for key, view in self.build.views.items() if view.step < before}
            found = self.unknown(node, target, args, kwargs)
        if (
            args
            and isinstance(args[0], Traced)
            and isinstance(found, Traced)
            and calls.writes(target, node.args, node.kwargs)
        ):
            found = self.written(args[0], found)
        return found

    def argument(self, argument: Any) -> Any:
        """An argument with nodes replaced by what they give."""
        return fx.node.map_aggregate(argument, lambda a: self.values[a] if isinstance(a, fx.Node) else a)

    def attribute(self, target: str, result: Any) -> Any:
        """A parameter or buffer by its first key; the values themselves where a tensor is no part of the state dict."""
        key = self.owners.get(target)
        if key is not None:
            return State(key, tuple(result.shape))
        found: Any = self.trace.root
        for part in target.split("."):
            found = getattr(found, part)
        if not isinstance(found, Tensor):
            return found
        return self.build.add("constant", (), tuple(found.shape), values=_values(found))

    def known(self, node: fx.Node, target: Any, args: Any, kwargs: Any) -> Any:
        """By the rule of the table."""
        if isinstance(target, nn.Module):
            rule = calls.module_rule(type(target))
            if rule is None or target._forward_hooks or target._forward_pre_hooks:
                raise Unknown
            return rule[0](self.build, *args, *[self.held(node, target, name) for name in rule[1].split()], **kwargs)
        function = calls.method_rule(target) if isinstance(target, str) else calls.function_rule(target)
        if function is None:
            raise Unknown
        return function(self.build, *args, **kwargs)

    def held(self, node: fx.Node, module: nn.Module, name: str) -> Any:
        """An attribute that a module's rule takes."""
        found = getattr(module, name)
        if not isinstance(found, Tensor):
            return found
        key = self.owners.get(f"{node.target}.{name}")
        if key is None:
            raise Unknown
        return State(key, tuple(found.shape))

    def unknown(self, node: fx.Node, target: Any, args: Any, kwargs: Any) -> Any:
        """A call that has no rule: its name, its arguments, and of a module what it says of itself and its tensors."""
        operands: list[Traced] = []

        def frozen(argument: Any) -> Any:
            if isinstance(argument, Traced | State):
                operands.append(self.build.plain(argument))
                return "operand"
            if isinstance(argument, tuple | list):
                return tuple([frozen(item) for item in argument])
            if isinstance(argument, dict):
                return tuple([(key, frozen(item)) for key, item in argument.items()])
            return argument if isinstance(argument, int | float | str | None) else repr(argument)

        arguments: tuple[Any, ...] = (frozen(args), frozen(dict(kwargs)))
        state: dict[str, State] = {}
        name = target if isinstance(target, str) else calls.qualified(target)
        if isinstance(target, nn.Module):
            name = calls.qualified(type(target))
            arguments = (*arguments, target.extra_repr(), target.training)
            for role, tensor in target.state_dict(keep_vars=True).items():
                state[role] = State(self.owners[f"{node.target}.{role}"], tuple(tensor.shape))
        result = self.build.result
        shape = tuple(result.shape) if _is(result) else ()
        found = self.build.add(name, operands, shape, state=state, arguments=arguments)
        return found if _is(result) else self.parts(found, result, ())

    def parts(self, whole: Traced, result: Any, path: tuple[Any, ...]) -> Any:
        """The tensors among the results of a call that gives several."""
        if _is(result):
            return self.build.add("part", (whole,), tuple(result.shape), path=path)
        if isinstance(result, dict):
            return {key: self.parts(whole, item, (*path, str(key))) for key, item in result.items()}
        if isinstance(result, tuple | list):
            return tuple([self.parts(whole, item, (*path, number)) for number, item in enumerate(result)])
        return result

    def root(self, value: Traced) -> int:
        """The step in whose storage a value lies, seen through views; a copy lies in its own."""
        while len(self.roots) < len(self.build.steps):
            step = self.build.steps[len(self.roots)]
            aliased = step.operation in ALIASES
            self.roots.append(self.roots[step.inputs[0]] if aliased else len(self.roots))
        return value.storage if value.storage < 0 else self.roots[value.step]

    def written(self, target: Traced, found: Traced) -> Traced:
        """After a call that writes over ``target``, all who hold that value read what was written.

        Where somebody reads another view of that storage later, the step says so, as no rule follows it there.
        """
        later = False
        for node in self.holders.get(self.root(target), []):
            value = self.values[node]
            if value.step == target.step:
                self.values[node] = found._replace(axes=value.axes) if len(value.axes) == len(found.axes) else found
            else:
                later = later or any(self.order[user] > self.build.source for user in node.users)
        if later and found.step == len(self.build.steps) - 1:
            step = self.build.steps[found.step]
            marked = step._replace(attributes=(*step.attributes, ("effect on other views", True)))
            self.build.steps[found.step] = marked
        return found


def place(node: fx.Node) -> str:
    """Where a node stands, as its own network calls it: of ours the node of the graph, else the module."""
    if "scope" in node.meta:
        return str(node.meta["scope"])
    if node.op == "call_module":
        return str(node.target)
    stack: Mapping[str, Any] = node.meta.get("nn_module_stack") or {}
    path = list(stack.values())[-1][0] if stack else ""
    return f"{path}.{node.name}" if path else node.name


def _first_names(root: nn.Module, keys: frozenset[str]) -> dict[str, str]:
    """Every path of a parameter or buffer in the state dict, to the first path of the same tensor."""
    first: dict[int, str] = {}
    found = {}
    for named in (root.named_parameters(remove_duplicate=False), root.named_buffers(remove_duplicate=False)):
        for path, tensor in named:
            if path in keys:
                found[path] = first.setdefault(id(tensor), path)
    return found


def _is(result: Any) -> bool:
    return isinstance(result, Tensor)


def _leaves(result: Any) -> list[Any]:
    found: list[Any] = []
    fx.node.map_aggregate(result, found.append)
    return found


def _tensors(result: Any) -> list[Traced | State]:
    found: list[Traced | State] = []

    def visit(item: Any) -> None:
        if isinstance(item, Traced | State):
            found.append(item)
        elif isinstance(item, dict):
            for each in item.values():
                visit(each)
        elif isinstance(item, tuple | list):
            for each in item:
                visit(each)

    visit(result)
    return found


def _values(tensor: Tensor) -> Any:
    """The values of a constant, or what stands for them where they are many."""
    if tensor.is_meta:
        return repr(tensor)
    if tensor.numel() <= 16:
        return (str(tensor.dtype), tuple(tensor.shape), tuple(tensor.flatten().tolist()))
    data = tensor.detach().contiguous().cpu().view(torch.uint8) if tensor.dim() else tensor
    return (str(tensor.dtype), tuple(tensor.shape), hashlib.sha256(data.numpy().tobytes()).hexdigest())
