"""Dropout of single elements."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import Operation, Shape, TorchCall, argument


@dataclass(frozen=True)
class Dropout(Operation):
    """``torch.nn.Dropout``: in training each element is zero with probability ``p`` (Srivastava et al. 2014)."""

    name = "dropout"
    summary = "Dropout of single elements, in training only."
    aliases = True

    p: float = argument("number", "Probability of dropping an element.", default=0.5, minimum=0, maximum=1)

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return TorchCall("module", "torch.nn.Dropout", (), {"p": self.p})

    def zero_from(self, inputs: tuple[Shape, ...]) -> int | None:
        return 0
