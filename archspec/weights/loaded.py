"""The record of what became of weights that a model was built with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archspec.diagnostics import Diagnostic
from archspec.display import before_and_after, plain
from archspec.operations.shapes import Shape


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of weights, key by key; a model that was built with some has it in ``model.meta["weights"]``.

    Every key of the network is either in ``loaded`` or in ``initialised``. What is initialised follows the spec's
    ``init``, and has the values that a model without weights would have for the same seed.
    """

    file: str | None
    """The path that was read; None where a mapping was given."""

    map: str | None
    """The path of the key map; None where there is none, or a mapping."""

    transfer: bool
    """Whether keys were allowed not to fit."""

    unwrapped: tuple[str, ...]
    """What was taken off to reach the state dict: an entry of a checkpoint, ``module.`` before every key."""

    loaded: tuple[str, ...]
    """The network's keys whose tensors were copied, in its order."""

    initialised: tuple[str, ...]
    """The network's other keys, in its order. Without a transfer, only counters of batches, which old files lack."""

    reshaped: Mapping[str, tuple[Shape, Shape]]
    """Of ``initialised``, those that the weights have in another shape: that of the weights, and the network's."""

    unused: tuple[str, ...]
    """Keys of the weights, as they are called there, that were not copied; those of ``reshaped`` among them."""

    remarks: tuple[Diagnostic, ...] = ()
    """What was warned about: wrappers, casts, numbers that are not finite, a map of another spec."""

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON, without the remarks, which are diagnostics of the whole."""
        return {
            **plain(self, "file", "map", "transfer", "unwrapped", "loaded", "initialised"),
            "reshaped": before_and_after(self.reshaped),
            "unused": list(self.unused),
        }
