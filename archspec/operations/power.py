"""Powers of elements."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from archspec.operations.base import Doubt, TorchCall, argument
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import Layout, Saved
from archspec.operations.functions import Function
from archspec.operations.mixtures import Passed, before, behind, met
from archspec.operations.onnx import Floats, OnnxCall, X
from archspec.operations.shapes import Shape
from archspec.operations.signal import Gradient, Law, Signal, Usage, joined, regrouped
from archspec.operations.traits import Elementwise


@dataclass(frozen=True)
class Power(Elementwise):
    """``x ** by``. A power, a mean and the inverse power are a generalized mean (Radenović et al. 2018, equation 3)."""

    name = "power"
    summary = "Raises each element to a power."
    attached = True

    by: float = argument("number", "The exponent; a fractional one gives NaN for elements below 0.")

    def doubts(self) -> Iterator[Doubt]:
        if self.by in (0, 1):
            told = "makes every value 1" if self.by == 0 else "changes nothing"
            yield Doubt("by", f"`by: {self.by:g}` {told}", "leave the step out to keep the value")

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        return Saved((0,))

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        return "kept"

    def zero_from(self, inputs: tuple[Shape, ...]) -> int | None:
        return 0 if self.by > 0 else None

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return TorchCall("function", "torch.pow", (self.by,), takes=("exponent",))

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        return (OnnxCall("Pow", (X, Floats(float(self.by)))),)

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        return (Phrase("power {}", "by", float(f"{self.by:.3g}"), without="power"),)

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        return joined([self._behind(usage, law) for law in values[0]])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        arrived = back
        if len(result) < len(values[0]):
            arrived = regrouped(result, back, tuple([self._behind(usage, law) for law in values[0]]))
        pairs = zip(values[0], arrived, strict=True)
        return (tuple([before(usage.once_of(Power._met, self, law), law, each) for law, each in pairs]),)

    def _behind(self, usage: Usage, law: Law) -> Law:
        return behind(_power(float(self.by)), (0.0,), law, usage.once_of(Power._met, self, law))

    def _met(self, usage: Usage, law: Law) -> Passed:
        return met(_power(float(self.by)), (0.0,), law)


@functools.lru_cache(64)
def _power(by: float) -> Function:
    """The power as a function of one number, with its slope; what is no number or infinite counts as 0."""

    def function(x: float) -> tuple[float, float]:
        if x == 0 or (x < 0 and not by.is_integer()):
            return float(by == 0), float(by == 1)
        value: float = x**by
        return value, by * value / x

    return function
