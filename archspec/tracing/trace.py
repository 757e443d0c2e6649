"""Tracing a network with ``torch.fx``, and what every node of the trace gives on the meta device."""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from archspec.diagnostics import cut
from archspec.tracing.calls import module_rule

Shape = tuple[int, ...]


class Untraceable(Exception):
    """Why ``torch.fx`` cannot trace a network, or why its trace does not run."""


@dataclass(frozen=True)
class Trace:
    """A traced network: its fx nodes, and the result of each, with meta tensors in place of tensors."""

    root: nn.Module
    nodes: tuple[fx.Node, ...]
    results: Mapping[fx.Node, Any]


class _Tracer(fx.Tracer):
    """A tracer that stops at every module that the table knows, and sees buffers as it sees parameters."""

    proxy_buffer_attributes = True

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return module_rule(type(m)) is not None or super().is_leaf_module(m, module_qualified_name)


def trace(module: nn.Module, example: Tensor) -> Trace:
    """Trace a network in the mode in which it is.

    Args:
        module: the network. One that is a flat GraphModule already is taken as it is.
        example: an input on the meta device.

    Raises:
        Untraceable: with the reason in a sentence.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            graph = module.graph if isinstance(module, fx.GraphModule) and _flat(module) else _traced(module)
        except Untraceable:
            raise
        except (Exception, SystemExit) as error:  # whatever the network's own code raises when it meets a proxy
            raise Untraceable(f"torch.fx cannot trace the reference: {reason(error)}") from None
        recorder = _Recorder(module, garbage_collect_values=False, graph=graph)
        try:
            with weightless(module):
                recorder.run(example)
        except (Exception, SystemExit) as error:  # whatever a kernel raises on shapes that do not fit
            shape = "x".join(map(str, example.shape))
            raise Untraceable(f"the reference cannot be run on an input of {shape}: {reason(error)}") from None
    return Trace(module, tuple(graph.nodes), recorder.env)


def _flat(module: fx.GraphModule) -> bool:
    """Whether all that a graph calls is an operation by itself."""
    called = [module.get_submodule(str(node.target)) for node in module.graph.nodes if node.op == "call_module"]
    tracer = _Tracer()
    return all(tracer.is_leaf_module(part, "") for part in called)


def reason(error: BaseException) -> str:
    """An exception in one line: its class and the beginning of its text."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {cut(text, 200)}" if text else type(error).__name__


def _traced(module: nn.Module) -> fx.Graph:
    parameters = list(inspect.signature(module.forward).parameters.values())
    given = {p.name: p.default for p in parameters[1:] if p.default is not p.empty}
    needed = [
        p.name for p in parameters[1:] if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if not parameters or needed:
        count = len(needed) + 1 if parameters else "no"
        raise Untraceable(f"the reference takes {count} inputs, where the spec's network takes one")
    return _Tracer().trace(module, concrete_args=given or None)


class _Recorder(fx.Interpreter):
    """Runs a trace and keeps what every node gives; inputs that have a default were traced with it."""

    def placeholder(self, target: Any, args: Any, kwargs: Any) -> Any:
        return next(self.args_iter, None)


@contextlib.contextmanager
def weightless(module: nn.Module) -> Iterator[None]:
    """The network with its parameters and buffers on the meta device, while the body runs: nothing is computed."""
    kept = []
    empty: dict[int, Tensor] = {}

    def without_values(tensor: Tensor | None) -> Tensor | None:
        if tensor is None or tensor.is_meta:
            return tensor
        if id(tensor) not in empty:
            made = torch.empty_like(tensor, device="meta")
            empty[id(tensor)] = nn.Parameter(made, False) if isinstance(tensor, nn.Parameter) else made
        return empty[id(tensor)]

    for part in module.modules():
        for held in (part._parameters, part._buffers):
            kept.append((held, dict(held)))
            for name, tensor in held.items():
                held[name] = without_values(tensor)  # type: ignore[assignment]
    try:
        with torch.no_grad():
            yield
    finally:
        for held, before in kept:
            held.update(before)  # type: ignore[arg-type]
