"""Comparing two state dicts by key and shape."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from archspec.diagnostics import cut
from archspec.graph.graph import Graph
from archspec.graph.state import state
from archspec.operations.base import Weight
from archspec.verification.verdict import Keys


class Unusable(Exception):
    """A reference cannot be compared at all. The message says why, and ``help`` what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.help = help


def compare_keys(graph: Graph, reference: nn.Module) -> Keys:
    """Compare the state dict of a compiled network with a reference's."""
    ours = state(graph)
    given = state_of(reference)
    shapes = {key: tuple(value.shape) if isinstance(value, Tensor) else None for key, value in given.items()}
    return Keys(
        params=sum(math.prod(tensor.shape) for tensor in ours.values() if isinstance(tensor, Weight)),
        reference_params=sum(parameter.numel() for parameter in reference.parameters()),
        count=len(ours),
        in_order=list(ours) == list(shapes),
        missing=tuple([key for key in shapes if key not in ours]),
        extra=tuple([key for key in ours if key not in shapes]),
        misshapen={
            key: (tensor.shape, shapes[key] or ())
            for key, tensor in ours.items()
            if key in shapes and shapes[key] != tensor.shape
        },
    )


def state_of(module: nn.Module) -> Mapping[str, Any]:
    """The state dict of a reference. A value that is not a tensor is the extra state of a module.

    Raises:
        Unusable: it is not a mapping from text, or a tensor has no shape yet.
    """
    found: Any = module.state_dict(keep_vars=True)
    if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
        kind = "a mapping with keys that are not text" if isinstance(found, Mapping) else cut(type(found).__name__)
        raise Unusable(f"its `state_dict` returns {kind}", "return a mapping from text to tensors")
    for key, value in found.items():
        if is_lazy(value):
            help = "run the network on an input before it is compared, or replace its lazy modules"
            raise Unusable(f"`{cut(key)}` belongs to a lazy module and has no shape yet", help)
    return found


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """The tensors of a reference's state dict."""
    return {key: value for key, value in state_of(module).items() if isinstance(value, Tensor)}


def with_crossed(keys: Keys, pairs: Mapping[str, str]) -> Keys:
    """The comparison, with the common keys that belong to different layers according to ``pairs``."""
    theirs = set(pairs.values())
    crossed = [key for key, other in pairs.items() if key != other and key in theirs]
    return replace(keys, crossed=tuple(crossed))
