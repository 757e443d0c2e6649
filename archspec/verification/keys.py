"""Comparing two state dicts by key and shape."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from torch import nn

from archspec.graph.graph import Graph
from archspec.graph.state import state
from archspec.operations.base import Weight
from archspec.verification.verdict import Keys


def compare_keys(graph: Graph, reference: nn.Module) -> Keys:
    """Compare the state dict of a compiled network with a reference's."""
    ours = state(graph)
    shapes = {key: tuple(tensor.shape) for key, tensor in reference.state_dict(keep_vars=True).items()}
    return Keys(
        params=sum(math.prod(tensor.shape) for tensor in ours.values() if isinstance(tensor, Weight)),
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
    """The comparison, with the common keys that belong to different layers according to ``pairs``."""
    theirs = set(pairs.values())
    crossed = [key for key, other in pairs.items() if key != other and key in theirs]
    return replace(keys, crossed=tuple(crossed))
