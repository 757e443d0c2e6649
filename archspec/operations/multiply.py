"""Multiplication of branches, with gates."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import Operation, Shape, TorchCall, merge_fault


@dataclass(frozen=True)
class Multiply(Operation):
    """``a * b``, of values of one shape, or with a gate: one number for each channel of a larger map.

    Its backward pass reads every input.
    """

    name = "multiply"
    summary = "Multiplies branches; a 1x1 map scales the channels of a larger one."
    arity = "many"

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        largest = max(inputs, key=_positions)
        gate = (largest[0], *(1 for _ in largest[1:]))
        for other in inputs:
            if other not in (largest, gate):
                raise merge_fault("multiplied", largest, other, assumed=largest)
        return largest

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return TorchCall("function", "operator.mul", fold=True)

    def gates(self, inputs: tuple[Shape, ...]) -> frozenset[int]:
        largest = max(inputs, key=_positions)
        small = frozenset(i for i, shape in enumerate(inputs) if shape != largest)
        return small or frozenset(range(1, len(inputs)))

    def zero_from(self, inputs: tuple[Shape, ...]) -> int | None:
        return min(set(range(len(inputs))) - self.gates(inputs))


def _positions(shape: Shape) -> int:
    """The largest spatial size: 1 for a gate and for a flat value."""
    return max(shape[1:], default=1)
