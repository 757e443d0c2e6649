"""How to train, in numbers and words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from archspec import arguments
from archspec.wording import Brief

OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("one-cycle", "steps", "constant")
PRECISIONS = ("float32", "bfloat16", "float16")

AuxiliaryWeights = float | Mapping[str, float] | None
"""The weight of every auxiliary loss, or each one's by the name of the output."""


@dataclass(frozen=True, slots=True, repr=False)
class Settings(Brief):
    """How a network is trained.

    Args:
        epochs: how often every image is seen.
        batch: images in a step, of all processes together. An incomplete last batch of an epoch is dropped.
        optimizer: ``sgd`` with momentum, or ``adamw``.
        lr: the largest learning rate.
        momentum: of ``sgd``.
        weight_decay: of all parameters; with ``decay_norms=False``, not of norms and biases.
        decay_norms: whether parameters of one axis, as norms and biases have, decay too.
        schedule: ``one-cycle`` rises for 30 % of the steps and falls to almost 0, both along a cosine (Smith and Topin
            2018); ``steps`` divides the rate by 10 at each milestone; ``constant`` keeps it.
        warmup: epochs in which the rate of ``steps`` and ``constant`` rises linearly.
        milestones: shares of the training at which ``steps`` divides the rate.
        precision: ``bfloat16`` or ``float16`` compute in mixed precision, where the device can.
        auxiliary: for a network that returns values in training only, the weight of the loss of each: a number for all,
            or a mapping from their names. The loss of a step is that of the main output, plus each of these losses
            times its weight. Such a network needs it; others do not read it.

    Raises:
        TypeError: a value of the wrong type.
        ValueError: a value that is out of range.

    >>> Settings(epochs=2, lr=0.1).schedule
    'one-cycle'
    """

    epochs: int = 8
    batch: int = 64
    optimizer: str = "sgd"
    lr: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 1e-4
    decay_norms: bool = True
    schedule: str = "one-cycle"
    warmup: float = 0.0
    milestones: tuple[float, ...] = (0.5, 0.75)
    precision: str = "float32"
    auxiliary: AuxiliaryWeights = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            object.__setattr__(self, name, arguments.whole(getattr(self, name), name, 1, 2**31))
        for name in ("lr", "momentum", "weight_decay", "warmup"):
            object.__setattr__(self, name, _at_least_0(getattr(self, name), name))
        if self.momentum >= 1:
            raise ValueError(f"`momentum` takes a number below 1, got {self.momentum:g}")
        arguments.word(self.optimizer, "optimizer", OPTIMIZERS)
        arguments.word(self.schedule, "schedule", SCHEDULES)
        arguments.word(self.precision, "precision", PRECISIONS)
        object.__setattr__(self, "decay_norms", arguments.flag(self.decay_norms, "decay_norms"))
        given: object = self.milestones
        found = None if isinstance(given, str | bytes) else arguments.items(given)
        if found is None:
            raise arguments.wrong("milestones", "shares of the training such as (0.5, 0.75)", given)
        shares = tuple([_at_least_0(share, "milestones") for share in found])
        if any(share > 1 for share in shares):
            raise ValueError(f"`milestones` takes shares of the training from 0 to 1, got {max(shares):g}")
        object.__setattr__(self, "milestones", shares)
        object.__setattr__(self, "auxiliary", _weights(self.auxiliary))

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {**asdict(self), "milestones": list(self.milestones)}


def _at_least_0(value: object, name: str) -> float:
    found = arguments.finite(value, name)
    if found < 0:
        raise ValueError(f"`{name}` takes a number of at least 0, got {found:g}")
    return found


def _weights(value: object) -> AuxiliaryWeights:
    if value is None:
        return None
    if isinstance(value, str | bytes):
        raise arguments.wrong("auxiliary", "a number such as 0.3, or a mapping from outputs to numbers", value)
    if not isinstance(value, Mapping):
        return _at_least_0(value, "auxiliary")
    names = [arguments.text(name, "auxiliary", "the names of outputs as texts") for name in value]
    return {name: _at_least_0(value[name], "auxiliary") for name in names}
