"""Padding the positions of a map."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from archspec.operations.base import TorchCall, argument
from archspec.operations.borders import bordered, filled, unbordered
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import Everywhere, Layout, Reach, Saved
from archspec.operations.onnx import Floats, Integers, OnnxCall, X
from archspec.operations.padding import (
    MODES,
    ONNX_MODES,
    BySide,
    Sides,
    by_side,
    check_mode,
    check_removed,
    left,
    numbers,
)
from archspec.operations.shapes import Shape, spatial_rank
from archspec.operations.signal import Gradient, Signal, Usage
from archspec.operations.traits import Rearranging
from archspec.operations.windows import Windows

CONSTANT = "constant"


@dataclass(frozen=True)
class Pad(Rearranging):
    """``torch.nn.functional.pad`` of the positions, as in ``torch.nn.ZeroPad2d`` and ``ReflectionPad2d``.

    A negative number removes positions: ``[[-1, 1]]`` shifts a signal by one.
    """

    name = "pad"
    summary = "Adds positions around a map."

    sides: Sides = argument(
        "sides",
        "Positions to add on both sides of an axis, or a pair: before and after; a negative number removes positions.",
    )
    mode: str = argument(
        "word",
        "What the added positions contain.",
        default=CONSTANT,
        words=(CONSTANT, *[word for word in MODES if word != "zeros"]),
    )
    value: float = argument("number", "The value of the added positions, for `constant`.", default=0.0)

    def unread(self) -> dict[str, str]:
        return {} if self.mode == CONSTANT else {"value": f"with `mode: {self.mode}`"}

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        size, windows = inputs[0][1:], self._windows(inputs[0])
        shape = (inputs[0][0], *windows.padded(size))
        check_removed(self.mode != CONSTANT and self.mode, BySide(windows.padding, windows.behind), size, "sides")
        check_mode(self.mode, BySide(windows.padding, windows.behind), size, "sides", shape)
        return shape

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        return Saved((0,) if self.mode in ("reflect", "replicate") else ())

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        if self.mode == "circular":
            return "first"
        adds = any(side > 0 for side in numbers(self.sides))
        return super().layout(inputs) if adds else "kept"  # torch then copies a part of the input as it lies

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        return tuple([Reach(padding=before) for before in self._windows(inputs[0]).padding])

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        kwargs: dict[str, Any] = {} if self.mode == CONSTANT else {"mode": self.mode}
        if self.mode == CONSTANT and self.value:
            kwargs["value"] = self.value
        return TorchCall("function", "torch.nn.functional.pad", (self._windows(inputs[0]).sides,), kwargs)

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        windows = self._windows(inputs[0])
        pads = Integers((0, 0, *windows.padding, 0, 0, *windows.behind))
        if self.mode != CONSTANT:
            return (OnnxCall("Pad", (X, pads), {"mode": ONNX_MODES[self.mode]}),)
        return (OnnxCall("Pad", (X, pads, Floats(self.value)) if self.value else (X, pads)),)

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        return (Phrase("pad" if self.mode == CONSTANT else f"{self.mode} pad"),)

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        size, windows = usage.inputs[0][1:], self._windows(usage.inputs[0])
        if self.mode == CONSTANT and self.value:
            kept = [left(*axis) for axis in zip(size, windows.padding, windows.behind, strict=True)]
            share = prod(kept) / usage.positions[1]
            return tuple([filled(law, share, self.value) for law in values[0]])
        return tuple([bordered(law, size, windows, self._word) for law in values[0]])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        size, windows = usage.inputs[0][1:], self._windows(usage.inputs[0])
        return (tuple([unbordered(each, size, windows, self._word) for each in back]),)

    @property
    def _word(self) -> str:
        """The mode as convolutions call it."""
        return "zeros" if self.mode == CONSTANT else self.mode

    def _windows(self, shape: Shape) -> Windows:
        rank = spatial_rank(shape, self.name)
        before, after = by_side(self.sides, rank, "sides")
        return Windows((1,) * rank, (1,) * rank, before, (1,) * rank, after)
