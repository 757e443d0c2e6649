"""What an operation comes to at one size of inputs, found once and remembered by value."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from archspec.operations.base import Operation
from archspec.operations.effects import HERE, Alias, Bytes, Everywhere, Layout, Reach, Reads, Saved
from archspec.operations.shapes import Shape
from archspec.wording import Brief

MEMORY = 4096
"""How many operations at a size a process remembers: variants of a network have most of theirs in common."""


@dataclass(frozen=True, slots=True, repr=False)
class Facts(Brief):
    """What one operation costs for one example, at one size of inputs. None: the operation has no rule for it.

    All are elements: ``elements`` those of the output, ``read`` those of its inputs, ``buffers`` those of the state
    dict that are not trained, ``counters`` those of them that are int64. ``weighted``: it is a layer in a paper's
    count. ``pools_all``: it is a global pool. ``saved``: what is kept for the backward pass where its weights and
    inputs all need gradients. ``folded``: torch works its inputs off one after the other. ``alias`` and
    ``alias_trained``: how its output shares its input's storage, in eval and in training mode. ``local``: each output
    position reads the same input position.
    """

    elements: int
    read: int
    params: int
    buffers: int
    counters: int
    macs: int | None
    activations: int
    elementwise: int | None
    weighted: bool
    pools_all: bool
    scratch: Bytes | None
    saved: Saved | None
    layout: Layout
    reads: Reads
    folded: bool
    alias: Alias
    alias_trained: Alias
    reach: tuple[Reach, ...] | Everywhere | None
    local: bool
    gates: frozenset[int]


@dataclass(frozen=True, eq=False)
class Applied:
    """An operation at one size of inputs: its output's shape and elements, and how many elements its weights have."""

    operation: Operation
    inputs: tuple[Shape, ...]
    shape: Shape
    elements: int
    params: int

    @functools.cached_property
    def facts(self) -> Facts:
        """All that the analyses ask, which compiling does not."""
        operation, inputs, output = self.operation, self.inputs, self.shape
        buffers = [(math.prod(shape), dtype) for shape, _, dtype in operation.buffers(inputs).values()]
        several = len(inputs) > 1
        reach = operation.reach(inputs, output)
        ruled = not operation.weighted or type(operation).macs is not Operation.macs
        return Facts(
            elements=self.elements,
            read=sum([math.prod(shape) for shape in inputs]) if several else math.prod(inputs[0]),
            params=self.params,
            buffers=sum([size for size, _ in buffers]),
            counters=sum([size for size, dtype in buffers if dtype == "int64"]),
            macs=operation.macs(inputs, output) if ruled else None,
            activations=self.elements if operation.activation else 0,
            elementwise=operation.elementwise(inputs, output),
            weighted=operation.weighted,
            pools_all=operation.activation and not operation.weighted and isinstance(reach, Everywhere),
            scratch=operation.scratch(inputs, output),
            saved=operation.saved(inputs, self.params > 0, (True,) * len(inputs)),
            layout=operation.layout(inputs),
            reads=operation.reads(inputs),
            folded=len(inputs) > 2 and type(operation).torch is not Operation.torch and operation.torch(inputs).fold,
            alias=operation.alias(inputs, training=False),
            alias_trained=operation.alias(inputs, training=True),
            reach=reach,
            local=bool(reach) and reach == HERE * (len(output) - 1),
            gates=operation.gates(inputs),
        )


@functools.lru_cache(MEMORY)
def applied(operation: Operation, inputs: tuple[Shape, ...]) -> Applied:
    """The operation at these shapes, one object for equal ones. Raises ShapeFault where it does not fit them."""
    shape = operation.shape(inputs)
    params = sum([math.prod(weight.shape) for weight in operation.weights(inputs).values()])
    return Applied(operation, inputs, shape, math.prod(shape), params)
