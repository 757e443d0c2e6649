"""Concatenation of branches."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from archspec.operations.base import TorchCall
from archspec.operations.effects import Layout
from archspec.operations.onnx import Input, OnnxCall
from archspec.operations.shapes import Shape, merge_fault
from archspec.operations.signal import Gradient, Signal, Usage, joined, regrouped
from archspec.operations.traits import Rearranging


@dataclass(frozen=True)
class Concat(Rearranging):
    """``torch.cat([a, b], 1)``: the branches' channels one after another, at equal spatial sizes."""

    name = "concat"
    summary = "Joins the channels of branches of one spatial size."
    arity = "many"
    joins = True

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, first = 0, inputs[0]
        for shape in inputs:
            channels += shape[0]
            if shape[1:] != first[1:]:
                assumed = (sum(s[0] for s in inputs), *first[1:]) if len(shape) == len(first) else None
                raise merge_fault("concatenated", first, shape, assumed, channels=False)
        return (channels, *first[1:])

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        return "agreed" if len(inputs[0]) > 2 else "first"

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return TorchCall("function", "torch.cat", (1,), packed=True)

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        return (OnnxCall("Concat", tuple([Input(i) for i in range(len(inputs))]), {"axis": 1}),)

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        return joined([law for value in values for law in value])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        starts = itertools.accumulate([shape[0] for shape in usage.inputs], initial=0)
        return tuple([regrouped(result, back, value, start) for value, start in zip(values, starts, strict=False)])
