"""A training whose loss is no longer a number."""

from __future__ import annotations

from archspec.diagnostics import Diagnostic, SpecError


class Diverged(SpecError):
    """E865: the loss of a step is not finite. ``step`` and ``epoch`` count from 1.

    >>> print(Diverged(step=30, epoch=2))
    error[E865]: the loss is not finite at step 30, in epoch 2
      help: lower the learning rate, or warm up; the networks that ship train at 0.05
    """

    def __init__(self, step: int, epoch: int) -> None:
        self.step, self.epoch = step, epoch
        help = "lower the learning rate, or warm up; the networks that ship train at 0.05"
        super().__init__([Diagnostic("E865", f"the loss is not finite at step {step}, in epoch {epoch}", help=help)])

    def __reduce__(self) -> tuple[type[Diverged], tuple[int, int]]:  # type: ignore[override]  # other arguments
        return type(self), (self.step, self.epoch)
