"""The canonical form of a network: a list of steps, written the same way however the network's code is written.

Names and places accompany a step for messages. They are not part of its meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import networkx

Shape: TypeAlias = tuple[int, ...]
"""With the batch, which comes first."""

RANDOM = frozenset({"dropout", "feature_dropout", "alpha_dropout", "drop_path", "drop_batch"})
"""Operations that draw random numbers in training."""

COMMUTATIVE = frozenset({"add", "maximum", "minimum", "mul"})


class Slot(NamedTuple):
    """A tensor of the state dict in its role (``weight``, ``running_mean``) in a step."""

    role: str
    key: str
    shape: Shape


class CanonicalStep(NamedTuple):
    """One operation.

    ``inputs`` are the numbers of earlier steps. ``attributes`` are all arguments that change the result, by name,
    defaults included. ``shape`` is the result's, (N, C, *spatial). ``place`` is the network's own name for the call.
    ``source`` is the number of the fx node, which gives the order of execution.
    """

    operation: str
    inputs: tuple[int, ...]
    attributes: tuple[tuple[str, Any], ...]
    state: tuple[Slot, ...]
    shape: Shape
    place: str
    source: int = -1

    @property
    def commutative(self) -> bool:
        return self.operation in COMMUTATIVE


@dataclass(frozen=True)
class CanonicalForm:
    """The steps that a network's outputs depend on. A step follows those it reads, and the output comes last.

    >>> import torch
    >>> from archspec.tracing.canonicalize import canonicalize
    >>> from archspec.tracing.trace import trace
    >>> network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 1, bias=False), torch.nn.Identity(), torch.nn.ReLU())
    >>> traced = trace(network, torch.empty(2, 3, 16, 16, device="meta"))
    >>> form = canonicalize(traced, frozenset(network.state_dict()))
    >>> [(step.operation, step.inputs, step.place) for step in form.steps]
    [('input', (), 'input_1'), ('conv', (0,), '0'), ('relu', (1,), '2'), ('output', (2,), 'the output')]
    >>> form.steps[1].state, form.steps[1].shape
    ((Slot(role='weight', key='0.weight', shape=(8, 3, 1, 1)),), (2, 8, 16, 16))
    """

    steps: tuple[CanonicalStep, ...]

    def uses(self) -> Mapping[str, int]:
        """How many slots each key of the state dict fills: more than one where weights are shared."""
        found: dict[str, int] = {}
        for step in self.steps:
            for slot in step.state:
                found[slot.key] = found.get(slot.key, 0) + 1
        return found

    def to_networkx(self, colors: Iterable[int]) -> networkx.MultiDiGraph:
        """The form as a graph: each node has its ``step`` and ``color``, and each edge the operand's ``position``."""
        graph = networkx.MultiDiGraph()
        for number, (step, color) in enumerate(zip(self.steps, colors, strict=True)):
            graph.add_node(number, step=step, color=color)
            for position, source in enumerate(step.inputs):
                graph.add_edge(source, number, position=position)
        return graph
