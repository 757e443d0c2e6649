"""Addition of branches."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import TorchCall
from archspec.operations.onnx import OnnxCall, folded
from archspec.operations.shapes import Shape, merge_fault
from archspec.operations.traits import Merge


@dataclass(frozen=True)
class Add(Merge):
    """``a + b``, of values of one shape: an addition never broadcasts."""

    name = "add"
    summary = "Adds branches of one shape."
    sums = True
    symbol = "+"

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        first = inputs[0]
        for other in inputs:
            if other == first:
                continue
            fault = merge_fault("added", first, other, assumed=first)
            if first[0] == other[0] and len(first) == len(other) and 1 in (max(first[1:]), max(other[1:])):
                fault.help += "; or `multiply`, which lets a 1x1 map scale a larger one"
            raise fault
        return first

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        if in_place:
            # A method, since fx can neither trace nor pickle a call of `torch.Tensor.add_`, and traces `+=` as `+`.
            return TorchCall("method", "add_", fold=True)
        return TorchCall("function", "operator.add", fold=True)

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        return folded("Add", len(inputs))

    def may_write_in_place(self) -> bool:
        return True
