"""Dropout of single elements."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from archspec.operations.base import Doubt, TorchCall, argument
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import Bytes, Saved
from archspec.operations.onnx import OnnxCall
from archspec.operations.shapes import Shape
from archspec.operations.traits import Dropping


@dataclass(frozen=True)
class Dropout(Dropping):
    """``torch.nn.Dropout``: in training each element is zero with probability ``p`` (Srivastava et al. 2014)."""

    name = "dropout"
    summary = "Dropout of single elements, in training only."
    look = "regularization"
    attached = True

    p: float = argument("number", "Probability of dropping an element.", default=0.5, minimum=0, maximum=1)

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        if self.p == 1:
            return Saved(more=Bytes(shared=1))  # one zero, by which everything is multiplied
        return Saved(more=Bytes(math.prod(inputs[0]) if self.p else 0))  # the mask

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        kwargs = {"inplace": True} if in_place and self.may_write_in_place() else {}
        return TorchCall("module", "torch.nn.Dropout", (), {"p": self.p, **kwargs})

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        return ()

    def may_write_in_place(self) -> bool:
        return self.p > 0

    def doubts(self) -> Iterator[Doubt]:
        if self.p == 1:
            yield Doubt("p", "`p: 1` drops every element in training", "`p` is the probability of dropping")
        elif self.p > 0.8:
            told = f"`p: {self.p:g}` drops most elements in training"
            kept = f"{round(1 - self.p, 10):g}"
            yield Doubt("p", told, f"if {self.p:g} is the probability of keeping one, write `p: {kept}`")

    def after_logits(self) -> str:
        return "drops logits in training" if self.p else ""

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        return (Phrase("dropout {}", "p", self.p, without="dropout"),)

    def zero_from(self, inputs: tuple[Shape, ...]) -> int | None:
        return 0
