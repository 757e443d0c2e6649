"""Tracing a network with ``torch.fx``, and running the trace on the meta device for the shape of every result."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from archspec.diagnostics import in_one_line
from archspec.tracing.canonical_form import Slot
from archspec.tracing.foreign import foreign, line_of
from archspec.tracing.tracer import Run, Tracer, weightless


class Untraceable(Exception):
    """A network cannot be traced, or its trace does not run. The message is a clause whose subject is the network."""


@dataclass(frozen=True)
class Trace:
    """A traced network: its fx nodes in order, and the result of each, whose tensors are on the meta device.

    ``specialized``: the network's code asked for a shape, so for another input it may be another trace.
    """

    root: nn.Module
    nodes: tuple[fx.Node, ...]
    results: Mapping[fx.Node, Any]
    specialized: bool = False


def trace(module: nn.Module, example: Tensor) -> Trace:
    """Trace a network in its current mode, training or eval.

    Args:
        module: the network. A GraphModule that calls only leaf modules is not traced again.
        example: an input on the meta device, (N, C, *spatial).

    Raises:
        Untraceable: ``torch.fx`` or the meta device fails on the network, or it needs more than one input.
    """
    with foreign(_refused("cannot be traced by torch.fx"), passing=(Untraceable,)):
        if _hooked(module):
            raise Untraceable("has hooks that a trace leaves out")
        if isinstance(module, fx.GraphModule) and _flat(module):
            graph, specialized = module.graph, False
        else:
            graph, specialized = _traced(module, example)
    return _ran(module, graph, example, specialized)


def _hooked(module: nn.Module) -> bool:
    """Whether a network has hooks that are not part of a trace: forward ones of its own, and backward ones of any part.

    Forward hooks of its modules are traced, or refused where a module is not entered.
    """
    own = (module._forward_hooks, module._forward_pre_hooks)
    backward = [getattr(part, kind, None) for part in module.modules() for kind in BACKWARD_HOOKS]
    return any(map(bool, (*own, *backward)))


BACKWARD_HOOKS = ("_backward_hooks", "_backward_pre_hooks")


def rerun(traced: Trace, example: Tensor) -> Trace:
    """A trace for another input, such as a batch of another size. Only a specialized one is made again.

    Raises:
        Untraceable: the network does not run on that input.

    >>> traced = trace(nn.Sequential(nn.Flatten()), torch.empty(2, 3, 4, device="meta"))
    >>> [tuple(result.shape) for result in rerun(traced, torch.empty(5, 3, 4, device="meta")).results.values()]
    [(5, 3, 4), (5, 12), (5, 12)]
    """
    if traced.specialized:
        return trace(traced.root, example)
    return _ran(traced.root, traced.nodes[0].graph, example)


def _ran(module: nn.Module, graph: fx.Graph, example: Tensor, specialized: bool = False) -> Trace:
    size = "x".join(map(str, example.shape))
    with foreign(_refused(f"cannot run on an input of {size}")), weightless(module):
        run = Run(module, graph)
        run.run(example)
    return Trace(module, tuple(graph.nodes), run.env, specialized)


def _refused(what: str) -> Callable[[BaseException], Untraceable]:
    def refuse(error: BaseException) -> Untraceable:
        place = line_of(error)
        return Untraceable(f"{what}: {in_one_line(error)}{place and f' ({place})'}")

    return refuse


def _flat(module: fx.GraphModule) -> bool:
    """Whether a graph calls no module that would have to be traced itself."""
    called = [module.get_submodule(str(node.target)) for node in module.graph.nodes if node.op == "call_module"]
    tracer = Tracer()
    return all(tracer.is_leaf_module(part, "") for part in called)


def _traced(module: nn.Module, example: Tensor) -> tuple[fx.Graph, bool]:
    """The graph of a network, and whether it depends on the shape of the example."""
    parameters = list(inspect.signature(module.forward).parameters.values())
    given = {p.name: p.default for p in parameters[1:] if p.default is not p.empty}
    needed = [
        p.name for p in parameters[1:] if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if not parameters or needed:
        count = len(needed) + 1 if parameters else "no"
        raise Untraceable(f"takes {count} inputs, not one")
    tracer = Tracer(example)
    graph = tracer.trace(module, concrete_args=given or None)
    return graph, tracer.specialized


class Executed(NamedTuple):
    """The parameters and buffers that a network used, in the order of execution, and whether it ran to its end."""

    slots: list[Slot]
    runs: bool


def executed(module: nn.Module, example: Tensor) -> Executed:
    """Run a network, and list the parameters and buffers of each module when its ``forward`` first returns.

    The network runs on the meta device or, if it fails there, on zeros. If it fails on zeros too, the list ends there.

    Args:
        module: the network, which is left as it is.
        example: an input on the meta device, (N, C, *spatial).

    >>> network = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2, bias=False))
    >>> [(slot.key, slot.shape) for slot in executed(network, torch.empty(1, 8, device="meta")).slots]
    [('0.weight', (4, 8)), ('0.bias', (4,)), ('2.weight', (2, 4))]
    """
    found: dict[str, Slot] = {}
    runs = False

    def listen(path: str, part: nn.Module) -> torch.utils.hooks.RemovableHandle:
        own = {**part._parameters, **part._buffers}

        def hear(*_: object) -> None:
            for name, tensor in own.items():
                key = f"{path}.{name}".lstrip(".")
                if tensor is not None:
                    found.setdefault(key, Slot(name, key, tuple(tensor.shape)))

        return part.register_forward_hook(hear)

    handles = []
    refused = foreign(_refused("cannot run"))  # comparing outputs will say what it raises
    try:
        with contextlib.suppress(Untraceable), refused:
            parts = [(path, part) for path, part in module.named_modules() if part._parameters or part._buffers]
            handles += [listen(path, part) for path, part in parts]
            if not _runs_on_meta(module, example):
                found.clear()
                _run_on_zeros(module, example)
            runs = True
    finally:
        for handle in handles:
            handle.remove()
    return Executed(list(found.values()), runs)


def _runs_on_meta(module: nn.Module, example: Tensor) -> bool:
    try:
        with foreign(_refused("cannot run")), weightless(module):
            module(example)
    except Untraceable:
        return False
    return True


def _run_on_zeros(module: nn.Module, example: Tensor) -> None:
    """A network whose ``forward`` looks at values cannot run on the meta device."""
    kept = {key: tensor.clone() for key, tensor in module.named_buffers()}
    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
    try:
        with torch.no_grad():
            module(torch.zeros(example.shape, dtype=example.dtype, device=device))
    finally:
        for key, tensor in module.named_buffers():
            if key in kept:
                tensor.data.copy_(kept[key])
