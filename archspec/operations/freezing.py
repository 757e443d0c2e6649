"""What an operation is where it does not train: the part of every operation that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from archspec.operations.effects import Saved
from archspec.operations.shapes import Shape


class Freezable:
    """An operation in a frozen scope: its weights need no gradient, and it stays in eval mode."""

    if TYPE_CHECKING:
        saved: Any

    def saved_in_eval(self, inputs: tuple[Shape, ...], needed: tuple[bool, ...]) -> Saved | None:
        """What torch saves of it for the backward pass where it is frozen; None without a rule.

        Args:
            inputs: the shapes that it reads.
            needed: which of its inputs need a gradient. At least one does.
        """
        found: Saved | None = self.saved(inputs, False, needed)
        return found

    def in_eval(self) -> Self:
        """An operation with the signal in training that this one has in eval mode, at initialization."""
        return self
