"""What an operation is in plain torch, and the checks that several share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from tests.interpreter.expressions import Names, integer
from tests.interpreter.reading import Refused

State = Mapping[str, Tensor]
Compute = Callable[[list[Tensor], State, bool], Tensor]
"""The output from the inputs, the operation's own weights and buffers, and whether it trains."""


@dataclass(frozen=True)
class Operation:
    """One operation with its arguments: its kind in names, the shapes of its weights and buffers, and its function."""

    word: str
    kind: str
    compute: Compute
    weights: dict[str, tuple[int, ...]] = field(default_factory=dict)
    buffers: dict[str, tuple[int, ...]] = field(default_factory=dict)
    direct: bool = False
    """Whether its one weight has the name of the node itself."""

    @property
    def keeps(self) -> bool:
        """Whether every shape stays as it is."""
        keeping = ("norm", "act", "dropout", "drop_path", "scale", "shift", "layer_scale", "torch")
        return self.word in keeping and self.kind != "glu"


Arguments = Mapping[str, Any]
Make = Callable[[Arguments, Names, list[Tensor]], Operation]


def rank_of(value: Tensor) -> int:
    """The number of spatial axes, 0 for a flat value."""
    return value.dim() - 2


def channels_of(value: Tensor) -> int:
    """The channels, or the features of a flat value."""
    return int(value.shape[1])


def spatial(value: Tensor, what: str) -> int:
    """The number of spatial axes, at least one."""
    if rank_of(value) < 1:
        raise Refused(f"{what} of a value that is flattened")
    return rank_of(value)


def sizes(value: Any, names: Names, rank: int) -> tuple[int, ...]:
    """A size for each axis."""
    if isinstance(value, list):
        if len(value) != rank:
            raise Refused(f"{value} has not one size for each axis")
        return tuple(integer(item, names) for item in value)
    return (integer(value, names),) * rank


def no_others(unknown: set[str], what: str) -> None:
    """Refuses arguments that an operation does not have."""
    if unknown:
        raise Refused(f"{what} takes no {sorted(unknown)}")


def at_least(values: Any, least: int, what: str) -> None:
    """Refuses numbers that are too small."""
    if min(values) < least:
        raise Refused(f"{what} must be at least {least}")
