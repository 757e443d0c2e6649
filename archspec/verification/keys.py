"""Comparing two state dicts by key and shape, and pairing weights in the order of execution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from archspec.graph.graph import Graph
from archspec.graph.state import state
from archspec.operations.base import Weight
from archspec.tracing.canonical_form import Canonical, Slot
from archspec.tracing.trace import weightless
from archspec.verification.verdict import Keys


def compare_keys(graph: Graph, reference: nn.Module) -> Keys:
    """How the state dict of a compiled network compares with a reference's."""
    ours = state(graph)
    theirs = reference.state_dict(keep_vars=True)
    shapes = {key: tuple(tensor.shape) for key, tensor in theirs.items()}
    return Keys(
        params=sum(_size(tensor.shape) for tensor in ours.values() if isinstance(tensor, Weight)),
        reference_params=sum(parameter.numel() for parameter in reference.parameters()),
        count=len(ours),
        in_order=list(ours) == list(shapes),
        missing=tuple([key for key in shapes if key not in ours]),
        extra=tuple([key for key in ours if key not in shapes]),
        misshapen={
            key: (tensor.shape, shapes[key])
            for key, tensor in ours.items()
            if key in shapes and shapes[key] != tensor.shape
        },
    )


def with_crossed(keys: Keys, pairs: Mapping[str, str]) -> Keys:
    """The comparison, with the keys that both have and that a matching of the graphs pairs with others."""
    theirs = set(pairs.values())
    crossed = [key for key, other in pairs.items() if key != other and key in theirs]
    return replace(keys, crossed=tuple(crossed))


def _size(shape: tuple[int, ...]) -> int:
    return torch.Size(shape).numel()


def by_order(form: Canonical, reference: nn.Module, example: Tensor) -> dict[str, str]:
    """Keys paired in the order in which the weights are used; empty where the shapes do not agree.

    Of the reference, every module that has weights of its own is heard when its ``forward`` returns.

    Args:
        form: the spec's network.
        reference: any network.
        example: an input on the meta device.
    """
    ours = [slot for step in sorted(form.steps, key=lambda step: step.source) for slot in step.state]
    theirs = _executed(reference, example)
    if [_squeezed(slot) for slot in ours] != [_squeezed(slot) for slot in theirs]:
        return {}
    return {slot.key: other.key for slot, other in zip(ours, theirs, strict=True)}


def _squeezed(slot: Slot) -> tuple[str, tuple[int, ...]]:
    """The last part of a key, and the shape without axes of length one, as far as both tell what a tensor is."""
    role = slot.role if slot.role.startswith(("running_", "num_")) else ""
    return role, tuple([size for size in slot.shape if size != 1])


def _executed(reference: nn.Module, example: Tensor) -> list[Slot]:
    found: list[Slot] = []
    heard: set[str] = set()
    handles = []

    def listen(path: str, module: nn.Module) -> None:
        own = {**module._parameters, **module._buffers}

        def hear(*_: object) -> None:
            for name, tensor in own.items():
                key = f"{path}.{name}".lstrip(".")
                if tensor is not None and key not in heard:
                    heard.add(key)
                    found.append(Slot(name, key, tuple(tensor.shape)))

        handles.append(module.register_forward_hook(hear))

    for path, module in reference.named_modules():
        if module._parameters or module._buffers:
            listen(path, module)
    try:
        with weightless(reference):
            reference(example)
    except (Exception, SystemExit):
        found.clear()
        heard.clear()
        _run_for_real(reference, example)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _device(module: nn.Module) -> torch.device:
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))


def _run_for_real(reference: nn.Module, example: Tensor) -> None:
    """A network that asks for values cannot run without any; what it is given says nothing about them."""
    kept = {key: tensor.clone() for key, tensor in reference.named_buffers()}
    try:
        with torch.no_grad():
            reference(torch.zeros(example.shape, dtype=example.dtype, device=_device(reference)))
    except (Exception, SystemExit):
        return  # comparing outputs will say what it raises
    finally:
        for key, tensor in reference.named_buffers():
            tensor.data.copy_(kept[key])
