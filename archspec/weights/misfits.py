"""What of some weights does not fit a network, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from archspec.diagnostics import Diagnostic, Mention, SpecError, cut
from archspec.display import counted
from archspec.operations.base import Buffer, Weight
from archspec.operations.shapes import Shape, show_shape
from archspec.weights.advice import Advice, advice
from archspec.weights.checkpoints import COUNTER
from archspec.weights.tensors import flaw, has_shape, is_tensor

TRANSFER = Mention("transfer", "`transfer=True`")
GRAPH = Mention("graph", "`print(archspec.compile(SPEC))`")

MISSING = "lack {} of `{}`"
EXTRA = "have {} that `{}` does not have"
WRONG = "have {} of the wrong shape or type for `{}`"


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
        same = has_shape(value) and tuple(value.shape) == self.wanted[key].shape
        return same and not key.endswith(COUNTER)


def check_all(match: Match, known: Callable[[], Advice] = lambda: ("", ())) -> None:
    """Refuse weights that do not fit completely, and list every missing, extra and misfitting key at once.

    ``known`` gives the help that a file's record of its network allows, empty if none.
    """
    found = misfits(match)
    if not found:
        return
    help, mentions = known()
    if not help:
        help, mentions = advice(match.wanted, match.names, match.given)
    if not help:
        help = "build the spec that the weights were saved from"
        if any(match.fits(key) for key in match.values):
            help += f"; or {TRANSFER.text} loads what fits and initializes the rest"
            mentions = (TRANSFER,)
        if found.keys() == {EXTRA} and (scopes := _beside(match)):
            listed = cut(", ".join(scopes), 60)
            help += f"; to skip parts that the network does not need, write `weights: {{skip: [{listed}]}}` in the spec"
    raise refused("the weights", match, found, help, mentions)


def misfits(match: Match) -> dict[str, list[str]]:
    """The keys and values that do not fit, by what a message says of their number."""
    found = {
        MISSING: [match.shown(key) for key in match.wanted if key not in match.values and not key.endswith(COUNTER)],
        EXTRA: [f"`{cut(key)}`" for key in match.without(match.values)],
        WRONG: list(_misfits(match, shapes=True)),
    }
    return {message: keys for message, keys in found.items() if keys}


def refused(
    whose: str, match: Match, found: Mapping[str, list[str]], help: str, mentions: tuple[Mention, ...] = ()
) -> SpecError:
    """The fault of weights that do not fit, one diagnostic for each kind; ``whose`` is the subject of the sentences."""
    return SpecError(
        Diagnostic.listing(
            "E807",
            f"{whose} {message.format(counted(len(keys), 'value' if message == WRONG else 'key'), match.network)}",
            keys,
            "; " if message == WRONG else ", ",
            help=help,
            mentions=mentions,
        )
        for message, keys in found.items()
    )


def _beside(match: Match) -> list[str]:
    """The widest scopes of the extra keys in which the network has no key."""
    needed = {""}
    for name in match.names.values():
        needed.update(scopes_of(name))
    extra = map(str, match.without(match.values))
    return list(dict.fromkeys(next((scope for scope in scopes_of(key) if scope not in needed), key) for key in extra))


def scopes_of(key: str) -> list[str]:
    """The scopes around a key, from the widest, and the key.

    >>> scopes_of("layer1.0.bn1.bias")
    ['layer1', 'layer1.0', 'layer1.0.bn1', 'layer1.0.bn1.bias']
    """
    return list(accumulate(key.split("."), "{}.{}".format))


def check_some(match: Match, adapted: Iterable[str]) -> None:
    """Refuse weights of which nothing fits, and values that cannot be copied whatever their shape."""
    if found := list(_misfits(match, shapes=False)):
        help = "save these values as dense tensors of numbers, or leave them out of the file"
        raise refused("the weights", match, {WRONG: found}, help)
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
        key: (tuple(value.shape), match.wanted[key].shape) for key, value in match.values.items() if has_shape(value)
    }
    return {key: (theirs, ours) for key, (theirs, ours) in shapes.items() if theirs != ours}


def _misfits(match: Match, *, shapes: bool) -> Iterator[str]:
    """The values that cannot be copied into the network, each with the reason."""
    for key, value in match.values.items():
        shape = match.wanted[key].shape
        if not is_tensor(value):
            yield f"{match.shown(key)} is {cut(type(value).__name__)}, not a tensor"
        elif not has_shape(value):
            yield f"{match.shown(key)} is nested"
        elif shapes and tuple(value.shape) != shape:
            yield f"{match.shown(key)} is {_shape(tuple(value.shape))}, not {_shape(shape)}"
        elif reason := flaw(value):
            yield f"{match.shown(key)} {reason}"


def _shape(shape: Shape) -> str:
    return show_shape(shape) if shape else "a number"
