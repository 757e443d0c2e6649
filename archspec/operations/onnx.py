"""What an operation is in ONNX, as data: a few nodes, and what they read. ``onnx`` itself is not imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archspec.operations.shapes import Shape


@dataclass(frozen=True, slots=True)
class Input:
    """An input of the operation, by its position."""

    position: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """A weight or a buffer of the operation, by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Result:
    """What an earlier call of the operation computes, by that call's position."""

    call: int


@dataclass(frozen=True, slots=True)
class Integers:
    """A list of integers."""

    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Floats:
    """A constant tensor: its numbers in order, or one number for all of them."""

    values: float | tuple[float, ...]
    shape: Shape = ()


@dataclass(frozen=True, slots=True)
class Omitted:
    """An operand that is left out, before others that are not."""


Operand = Input | State | Result | Integers | Floats | Omitted

OMITTED = Omitted()
"""An operand that is left out."""

LAST = 2**63 - 1
"""The end of every axis, for ``Slice``."""

X = Input(0)
"""The input of an operation that has one."""


@dataclass(frozen=True, slots=True)
class OnnxCall:
    """A node of ONNX: its operator, what it reads, and its attributes.

    An operation is a tuple of these; the last one's result is the operation's. An empty tuple is the identity.
    """

    op: str
    inputs: tuple[Operand, ...] = (X,)
    attributes: Mapping[str, Any] = field(default_factory=dict)


class NotInOnnx(Exception):
    """ONNX cannot express the operation; the text says what and why."""


class Exported:
    """The part of an operation that says what it is in ONNX."""

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        """Its nodes in ONNX, for inference. ``fixed``: whether the spatial sizes of ``inputs`` are known.

        Raises NotInOnnx where ONNX cannot express it.
        """
        raise NotInOnnx("it has no form there yet")


def folded(op: str, count: int) -> tuple[OnnxCall, ...]:
    """An operator of two values folded over ``count`` inputs from the left, as torch computes ``a + b + c``.

    One input, the only branch that is left, stays as it is.

    >>> [call.inputs for call in folded("Add", 3)]
    [(Input(position=0), Input(position=1)), (Result(call=0), Input(position=2))]
    """
    if count == 1:
        return ()
    first = OnnxCall(op, (Input(0), Input(1)))
    return (first, *(OnnxCall(op, (Result(i - 2), Input(i))) for i in range(2, count)))


def channels_last(rank: int) -> OnnxCall:
    """The transposition that puts the channels of a value with ``rank`` spatial axes last."""
    return OnnxCall("Transpose", (X,), {"perm": (0, *range(2, rank + 2), 1)})


def channels_first(rank: int, after: int) -> OnnxCall:
    """The transposition that puts them second again, of the result of the call ``after``."""
    return OnnxCall("Transpose", (Result(after),), {"perm": (0, rank + 1, *range(1, rank + 1))})


def sliced(axis: int, start: int, stop: int, operand: Operand = X) -> OnnxCall:
    """``x[start:stop]`` along one axis, the batch being axis 0."""
    return OnnxCall("Slice", (operand, Integers((start,)), Integers((stop,)), Integers((axis,))))


def per_channel(numbers: float | tuple[float, ...], rank: int) -> Floats:
    """A constant for every element, or one for each channel of a value of ``rank`` axes beside the batch's."""
    return Floats(numbers, (len(numbers), *(1,) * (rank - 1))) if isinstance(numbers, tuple) else Floats(numbers)
