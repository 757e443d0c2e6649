"""Stochastic depth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archspec.operations.base import Doubt, TorchCall, argument
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import Bytes, Saved
from archspec.operations.onnx import OnnxCall
from archspec.operations.shapes import Shape
from archspec.operations.traits import Dropping


@dataclass(frozen=True)
class DropPath(Dropping):
    """In training a whole example is zero with probability ``p``, and scaled up otherwise (Huang et al. 2016)."""

    name = "drop_path"
    summary = "Stochastic depth: drops a branch for single examples, in training only."
    look = "regularization"
    attached = True

    p: float = argument("number", "Probability of dropping an example.", minimum=0, maximum=1)

    def doubts(self) -> Iterator[Doubt]:
        if self.p >= 0.8:
            told = f"`{self.p:g}` drops most residuals in training"
            kept = f"{round(1 - self.p, 10):g}"
            yield Doubt("p", told, f"if {self.p:g} is the probability of survival, write {kept}")

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        return Saved(more=Bytes(1 if self.p else 0))  # a number for each example

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return TorchCall("module", "archspec.emit.modules.DropPath", (), {"p": self.p})

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        return ()

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        return (Phrase("stochastic depth"),)
