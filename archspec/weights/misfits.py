"""What of some weights does not fit a network, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from archspec.diagnostics import Diagnostic, Mention, SpecError, cut
from archspec.display import counted
from archspec.operations.base import Buffer, Weight
from archspec.operations.shapes import Shape, show_shape
from archspec.weights.advice import advice
from archspec.weights.checkpoints import COUNTER

TRANSFER = Mention("transfer", "`transfer=True`")
GRAPH = Mention("graph", "`print(archspec.compile(SPEC))`")


@dataclass(frozen=True, slots=True)
class Match:
    """A network and the weights for it: the weights under their own keys, and those found by the network's keys.

    ``mapped`` are the keys that a key map names; None if there is no map.
    """

    network: str
    wanted: Mapping[str, Weight | Buffer]
    names: Mapping[str, str]
    given: Mapping[Any, Any]
    values: Mapping[str, Any]
    mapped: frozenset[str] | None = None

    def shown(self, key: str) -> str:
        """A key of the network, with its key in the weights if that differs."""
        name = self.names[key]
        if name != key:
            return f"`{key}` (`{cut(name)}` in the weights)"
        return f"`{key}`" if self.mapped is None or key in self.mapped else f"`{key}` (not in the key map)"

    def without(self, keys: Iterable[str]) -> list[Any]:
        """The weights' own keys, without those that belong to ``keys`` of the network."""
        used = {self.names[key] for key in keys}
        return [key for key in self.given if key not in used]

    def fits(self, key: str) -> bool:
        """Whether a value has the network's shape. A batch counter does not count, because it fits every network."""
        value = self.values[key]
        same = isinstance(value, Tensor) and not value.is_nested and tuple(value.shape) == self.wanted[key].shape
        return same and not key.endswith(COUNTER)


def check_all(match: Match) -> None:
    """Refuse weights that do not fit completely, and list every missing, extra and misfitting key at once."""
    missing = [match.shown(key) for key in match.wanted if key not in match.values and not key.endswith(COUNTER)]
    extra = [f"`{cut(key)}`" for key in match.without(match.values)]
    misfits = list(_misfits(match, shapes=True))
    if not (missing or extra or misfits):
        return
    help, mentions = advice(match.wanted, match.names, match.given)
    if not help:
        help = "build the spec that the weights were saved from"
        if any(match.fits(key) for key in match.values):
            help += f"; or {TRANSFER.text} loads what fits and initializes the rest"
            mentions = (TRANSFER,)
        if not missing and not misfits:
            scopes = dict.fromkeys(str(key).partition(".")[0] for key in match.without(match.values))
            listed = cut(", ".join(scopes), 60)
            help += f"; to skip parts that the network does not need, write `weights: {{skip: [{listed}]}}` in the spec"
    more: dict[str, Any] = {"help": help, "mentions": mentions}
    found = []
    if missing:
        message = f"the weights lack {counted(len(missing), 'key')} of `{match.network}`"
        found.append(Diagnostic.listing("E807", message, missing, **more))
    if extra:
        message = f"the weights have {counted(len(extra), 'key')} that `{match.network}` does not have"
        found.append(Diagnostic.listing("E807", message, extra, **more))
    if misfits:
        found.append(_cannot_take(match, misfits, **more))
    raise SpecError(found)


def check_some(match: Match, adapted: Iterable[str]) -> None:
    """Refuse weights of which nothing fits, and values that cannot be copied whatever their shape."""
    if misfits := list(_misfits(match, shapes=False)):
        help = "save these values as dense tensors of numbers, or leave them out of the file"
        raise SpecError([_cannot_take(match, misfits, help=help)])
    if any(match.fits(key) for key in match.values) or any(True for _ in adapted):
        return
    message = f"the weights have {counted(len(match.given), 'key')}, but none fits `{match.network}` by name and shape"
    help, mentions = advice(match.wanted, match.names, match.given)
    if not help:
        mention = Mention("map_of_build", "`map={KEY OF THE SPEC: KEY OF THE WEIGHTS}`")
        help = f"compare the keys of the weights with {GRAPH.text}; {mention.text} pairs different names"
        mentions = (GRAPH, mention)
    raise SpecError([Diagnostic("E824", message, help=help, mentions=mentions)])


def reshaped(match: Match) -> dict[str, tuple[Shape, Shape]]:
    """The keys that have another shape in the weights: the weights' shape and the network's, as ``diff`` shows it."""
    shapes = {
        key: (tuple(value.shape), match.wanted[key].shape)
        for key, value in match.values.items()
        if isinstance(value, Tensor) and not value.is_nested
    }
    return {key: (theirs, ours) for key, (theirs, ours) in shapes.items() if theirs != ours}


def _cannot_take(match: Match, misfits: list[str], **more: Any) -> Diagnostic:
    message = f"the weights have {counted(len(misfits), 'value')} of the wrong shape or type for `{match.network}`"
    return Diagnostic.listing("E807", message, misfits, "; ", **more)


def _misfits(match: Match, *, shapes: bool) -> Iterator[str]:
    """The values that cannot be copied into the network, each with the reason."""
    for key, value in match.values.items():
        shape = match.wanted[key].shape
        if not isinstance(value, Tensor):
            yield f"{match.shown(key)} is {cut(type(value).__name__)}, not a tensor"
        elif value.is_nested:  # and does not have a shape
            yield f"{match.shown(key)} is nested"
        elif shapes and tuple(value.shape) != shape:
            yield f"{match.shown(key)} is {_shape(tuple(value.shape))}, not {_shape(shape)}"
        elif value.is_complex():
            yield f"{match.shown(key)} is complex"
        elif value.is_meta:
            yield f"{match.shown(key)} is on the meta device, without values"
        elif value.layout is not torch.strided:
            yield f"{match.shown(key)} is sparse"
        elif value.is_quantized:
            yield f"{match.shown(key)} is quantized"


def _shape(shape: Shape) -> str:
    return show_shape(shape) if shape else "a number"
