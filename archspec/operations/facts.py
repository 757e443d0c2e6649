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
        """What the analyses ask, which compiling does not."""
        operation, inputs, output = self.operation, self.inputs, self.shape
        buffers = [(math.prod(shape), dtype) for shape, _, dtype in operation.buffers(inputs).values()]
        several = len(inputs) > 1
        ruled = not operation.weighted or type(operation).macs is not Operation.macs
        return Facts(
            operation=operation,
            inputs=inputs,
            output=output,
            elements=self.elements,
            read=sum([math.prod(shape) for shape in inputs]) if several else math.prod(inputs[0]),
            params=self.params,
            trains=self.params > 0,
            buffers=sum([size for size, _ in buffers]),
            counters=sum([size for size, dtype in buffers if dtype == "int64"]),
            macs=operation.macs(inputs, output) if ruled else None,
            activations=self.elements if operation.activation else 0,
            elementwise=operation.elementwise(inputs, output),
            weighted=operation.weighted,
            gates=operation.gates(inputs),
        )


@dataclass(frozen=True, repr=False, eq=False)
class Facts(Brief):
    """What one operation costs for one example, at one size of inputs. None: the operation has no rule for it.

    All are elements: ``elements`` those of the output, ``read`` those of its inputs, ``buffers`` those of the state
    dict that are not trained, ``counters`` those of them that are int64. ``weighted``: it is a layer in a paper's
    count. ``trains``: it has weights, its own or an earlier node's. What only some analyses ask is found when one asks.
    """

    operation: Operation
    inputs: tuple[Shape, ...]
    output: Shape
    elements: int
    read: int
    params: int
    trains: bool
    buffers: int
    counters: int
    macs: int | None
    activations: int
    elementwise: int | None
    weighted: bool
    gates: frozenset[int]

    @property
    def pools_all(self) -> bool:
        """Whether it is a global pool."""
        return self.operation.activation and not self.operation.weighted and isinstance(self.reach, Everywhere)

    @functools.cached_property
    def scratch(self) -> Bytes | None:
        """The scratch memory that it takes."""
        return self.operation.scratch(self.inputs, self.output)

    @functools.cached_property
    def saved(self) -> Saved | None:
        """What is kept for the backward pass where its weights and inputs all need gradients."""
        return self.operation.saved(self.inputs, self.trains, (True,) * len(self.inputs))

    @functools.cached_property
    def layout(self) -> Layout:
        """Where the channels of its output lie in memory."""
        return self.operation.layout(self.inputs)

    @functools.cached_property
    def reads(self) -> Reads:
        """The layout that its input must have in memory."""
        return self.operation.reads(self.inputs)

    @functools.cached_property
    def folded(self) -> bool:
        """Whether torch works its inputs off one after the other."""
        operation, inputs = self.operation, self.inputs
        return len(inputs) > 2 and type(operation).torch is not Operation.torch and operation.torch(inputs).fold

    @functools.cached_property
    def alias(self) -> Alias:
        """How its output shares its input's storage, in eval mode."""
        return self.operation.alias(self.inputs, training=False)

    @functools.cached_property
    def alias_trained(self) -> Alias:
        """How its output shares its input's storage, in training mode."""
        return self.operation.alias(self.inputs, training=True)

    @functools.cached_property
    def reach(self) -> tuple[Reach, ...] | Everywhere | None:
        """How far its output positions read."""
        return self.operation.reach(self.inputs, self.output)

    @functools.cached_property
    def local(self) -> bool:
        """Whether each output position reads the same input position."""
        return bool(self.reach) and self.reach == HERE * (len(self.output) - 1)


@functools.lru_cache(MEMORY)
def applied(operation: Operation, inputs: tuple[Shape, ...]) -> Applied:
    """The operation at these shapes, one object for equal ones. Raises ShapeFault where it does not fit them."""
    shape = operation.shape(inputs)
    params = sum([math.prod(weight.shape) for weight in operation.weights(inputs).values()])
    return Applied(operation, inputs, shape, math.prod(shape), params)
