"""The record of the weights that a model was built with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from archspec.diagnostics import Diagnostic
from archspec.display import before_and_after, plain
from archspec.operations.shapes import Shape
from archspec.screen import TextBlock, as_text
from archspec.weights.loaded_text import loaded_text
from archspec.wording import Brief


@dataclass(frozen=True, slots=True, repr=False)
class Loaded(Brief):
    """Which weights were loaded and which were not: ``model.meta["weights"]`` of a model that was built with some.

    Every key of the network is either in ``loaded`` or in ``initialized``. The initialized tensors follow the spec's
    ``init``, and have the values that the same seed gives without any weights.

    >>> import archspec, torch
    >>> weights = {"fc.bias": torch.zeros(1000), "aux.bias": torch.zeros(8)}
    >>> loaded = archspec.build("resnet18", weights=weights, transfer=True, seed=0).meta["weights"]
    >>> loaded.loaded, loaded.initialized[:2], loaded.unused
    (('fc.bias',), ('conv1.weight', 'bn1.weight'), ('aux.bias',))
    """

    file: str | None
    """The path of the weights; None if they were given as a mapping."""

    map: str | None
    """The path of the key map; None if there was none, or if it was given as a mapping."""

    transfer: bool
    """Whether weights that fit only in part were accepted."""

    unwrapped: tuple[str, ...]
    """The wrappers that were removed: an entry of a checkpoint, or a prefix of every key, such as ``module.``."""

    loaded: tuple[str, ...]
    """The network's keys whose tensors were copied, in the network's order."""

    initialized: tuple[str, ...]
    """The network's other keys, in order. Without a transfer, only batch counters, which old files lack."""

    reshaped: Mapping[str, tuple[Shape, Shape]]
    """The keys of ``initialized`` that have another shape in the weights: the weights' shape, and the network's."""

    unused: tuple[str, ...]
    """The weights' own keys whose tensors were not copied, including those of ``reshaped``; after ``rename``."""

    remarks: tuple[Diagnostic, ...] = ()
    """The warnings: wrappers, casts, values that are not finite, a key map of another spec."""

    entry: str | None = None
    """The entry of the checkpoint that was asked for."""

    prefix: str | None = None
    """The prefix that was asked for: only the keys below it were read, without it."""

    rename: Mapping[str, str] = field(default_factory=dict)
    """The new names of scopes and keys that were asked for."""

    outside: tuple[str, ...] = ()
    """The keys of the file that do not begin with ``prefix``. They are not in ``unused``."""

    adapted: Mapping[str, tuple[Shape, Shape]] = field(default_factory=dict)
    """The keys of ``loaded`` whose filters were summed or repeated for another number of input channels, in a transfer:
    the weights' shape, and the network's."""

    skipped: tuple[str, ...] = ()
    """The keys of the file that the spec leaves out: those in scopes of ``weights.skip``, such as auxiliary heads, and
    those in ``trimmed``. They are not in ``unused``.
    """

    trimmed: tuple[str, ...] = ()
    """The keys of ``skipped`` that belong to layers that the spec's ``outputs`` do not need."""

    def __str__(self) -> str:
        """A few lines, as ``archspec build`` prints them: how many keys were loaded, and what became of the others."""
        return as_text(self.text())

    def text(self) -> Iterator[TextBlock]:
        """The blocks of these lines."""
        return loaded_text(self)

    def as_data(self) -> dict[str, Any]:
        """Plain data for JSON, without the remarks, which are among the diagnostics of the whole output."""
        return {
            **plain(self, "file", "entry", "prefix", "rename", "map", "transfer", "unwrapped", "loaded", "initialized"),
            "adapted": before_and_after(self.adapted),
            "reshaped": before_and_after(self.reshaped),
            "unused": list(self.unused),
            "outside": list(self.outside),
            "skipped": list(self.skipped),
            "trimmed": list(self.trimmed),
        }
