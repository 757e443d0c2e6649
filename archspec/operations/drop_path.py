"""Stochastic depth."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.operations.base import Operation, Shape, TorchCall, argument


@dataclass(frozen=True)
class DropPath(Operation):
    """In training a whole example is zero with probability ``p``, and scaled up otherwise (Huang et al. 2016)."""

    name = "drop_path"
    summary = "Stochastic depth: drops a branch for single examples, in training only."
    aliases = True

    p: float = argument("number", "Probability of dropping an example.", minimum=0, maximum=1)

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        return TorchCall("module", "archspec.emit.modules.DropPath", (), {"p": self.p})
