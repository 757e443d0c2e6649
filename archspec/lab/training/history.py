"""What a training tells: its epochs, and how far it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from archspec.wording import Brief


@dataclass(frozen=True, slots=True, repr=False)
class Epoch(Brief):
    """An epoch. ``loss`` and ``accuracy`` are means over its steps, each before its update; a share of 1 is all.

    ``loss`` is what training makes small, with the auxiliary losses if there are any. ``test_loss`` and
    ``test_accuracy`` are of all test images after it, in eval mode. ``seconds`` includes both.
    """

    loss: float
    accuracy: float
    test_loss: float
    test_accuracy: float
    seconds: float

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, repr=False)
class History(Brief):
    """All epochs of a training. ``resumed_at`` is the step at which it continued, 0 if it began anew."""

    epochs: tuple[Epoch, ...]
    resumed_at: int = 0

    @property
    def final(self) -> Epoch:
        """The last epoch."""
        return self.epochs[-1]

    def as_data(self) -> list[dict[str, Any]]:
        """As plain data, for JSON."""
        return [epoch.as_data() for epoch in self.epochs]


@dataclass(frozen=True, slots=True, repr=False)
class Progress(Brief):
    """How far a training is.

    ``step`` steps of ``steps`` are done, and this is epoch ``epoch`` of ``epochs``; all count from 1. ``loss`` and
    ``accuracy`` are means over the epoch so far, ``lr`` is the learning rate of the step. ``seconds`` have passed in
    this process, and about ``left`` remain. ``ended`` is the epoch if it has just ended.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float
    accuracy: float
    lr: float
    seconds: float
    left: float
    ended: Epoch | None = None
