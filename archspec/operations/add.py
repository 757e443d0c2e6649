"""Addition of branches."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import TorchCall, argument
from archspec.operations.broadcasting import merged
from archspec.operations.onnx import OnnxCall, folded
from archspec.operations.shapes import Shape
from archspec.operations.sums import Sum

_SCALED = "or `multiply`, which lets a 1x1 map scale a larger one"


@dataclass(frozen=True)
class Add(Sum):
    """``a + b``, of values of one shape: an addition broadcasts only where it is told to."""

    name = "add"
    summary = "Adds branches of one shape."
    symbol = "+"

    broadcast: bool = argument("boolean", "Whether axes of length 1 are repeated to fit.", default=False)

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return merged("added", inputs, broadcast=self.broadcast, instead=_SCALED)

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        if in_place:
            # A method, since fx can neither trace nor pickle a call of `torch.Tensor.add_`, and traces `+=` as `+`.
            return TorchCall("method", "add_", fold=True)
        return TorchCall("function", "operator.add", fold=True)

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        return folded("Add", len(inputs))

    def may_write_in_place(self) -> bool:
        return True
