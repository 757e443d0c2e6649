"""Fitting a state dict to a network: which tensor belongs to which key, and what does not fit."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from archspec import arguments
from archspec.diagnostics import Diagnostic, Mention, SpecError, cut
from archspec.display import counted
from archspec.graph.graph import Graph
from archspec.graph.state import state
from archspec.operations.base import Buffer, Weight
from archspec.operations.shapes import Shape, show_shape
from archspec.weights.checkpoints import COUNTER, common_prefix, unwrap
from archspec.weights.files import read
from archspec.weights.keymap import KeyMap, read_map
from archspec.weights.loaded import Loaded

TRANSFER = Mention("transfer", "`transfer=True`")


@dataclass(frozen=True, slots=True)
class Fit:
    """The tensors to copy into a network, by its keys, and the record of all keys."""

    tensors: dict[str, Tensor]
    loaded: Loaded


def fit(
    graph: Graph,
    weights: str | os.PathLike[str] | Mapping[str, Any],
    map: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    transfer: bool = False,
) -> Fit:
    """Read weights, and find the tensor for each key of a network.

    Args:
        graph: the compiled network.
        weights: a state dict, a checkpoint with one state dict in it, or a file of either.
        map: the key of the weights for each key of the network, if they differ.
        transfer: whether to record missing keys, extra keys and other shapes instead of refusing them.

    Raises:
        SpecError: a file cannot be read (see :func:`read` and :func:`read_map`); E807, the weights lack keys, have
            extra keys or have values that do not fit, one diagnostic for each; E821, the network lacks keys of the map;
            E823, the checkpoint contains several state dicts; E824, nothing fits.
        EnvironmentFault: E809, safetensors is not installed.
        TypeError: ``weights`` is neither a path nor a mapping.
    """
    file = arguments.path(weights, "weights") if isinstance(weights, str | os.PathLike) else None
    found: Any = read(file) if file is not None else weights
    if not isinstance(found, Mapping):
        raise TypeError(f"`weights` must be a state dict or a file, got {type(found).__name__}")
    wanted = state(graph)
    key_map = None if map is None else read_map(map)
    if key_map:
        _check_map(key_map, graph, wanted, transfer)
    names = key_map.keys if key_map else {key: key for key in wanted}
    given, wrappers = unwrap(found, names.values())
    values = {key: given[names[key]] for key in wanted if key in names and names[key] in given}
    match = _Match(graph.name, wanted, names, given, values)
    _check_some(match) if transfer else _check_all(match)
    reshaped = _reshaped(match)  # empty unless in a transfer
    tensors = {key: tensor for key, tensor in values.items() if key not in reshaped}
    record = Loaded(
        file=file,
        map=key_map.file if key_map else None,
        transfer=transfer,
        unwrapped=wrappers,
        loaded=tuple(tensors),
        initialized=tuple(key for key in wanted if key not in tensors),
        reshaped=reshaped,
        unused=tuple([str(key) for key in match.without(tensors)]),
        remarks=tuple(_remarks(graph, key_map, wrappers)),
    )
    return Fit(tensors, record)


@dataclass(frozen=True, slots=True)
class _Match:
    """A network and the weights for it: the weights under their own keys, and those found by the network's keys."""

    network: str
    wanted: Mapping[str, Weight | Buffer]
    names: Mapping[str, str]
    given: Mapping[Any, Any]
    values: Mapping[str, Any]

    def shown(self, key: str) -> str:
        """A key of the network, with its key in the weights if that differs."""
        name = self.names.get(key)
        note = " (not in the key map)" if name is None else f" (`{cut(name)}` in the weights)" if name != key else ""
        return f"`{key}`{note}"

    def without(self, keys: Iterable[str]) -> list[Any]:
        """The weights' own keys, without those that belong to ``keys`` of the network."""
        used = {self.names[key] for key in keys}
        return [key for key in self.given if key not in used]


def _check_map(key_map: KeyMap, graph: Graph, wanted: Mapping[str, object], transfer: bool) -> None:
    """Refuse a map with keys that the network lacks, unless in a transfer with a map of another spec."""
    strange = [f"`{cut(key)}`" for key in key_map.keys if key not in wanted]
    of_another = key_map.hash not in (None, graph.fingerprint)
    if not strange or (transfer and of_another):
        return
    message = f"the key map has {counted(len(strange), 'key')} that `{graph.name}` does not have"
    help = f"it was written for `{cut(key_map.spec or 'another spec')}`, which has another hash" if of_another else ""
    raise SpecError([Diagnostic.listing("E821", message, strange, help=help)])


def _check_all(match: _Match) -> None:
    """Refuse weights that do not fit completely, and list every missing, extra and misfitting key at once."""
    missing = [match.shown(key) for key in match.wanted if key not in match.values and not key.endswith(COUNTER)]
    extra = [f"`{cut(key)}`" for key in match.without(match.values)]
    misfits = list(_misfits(match, shapes=True))
    fits = any(_fits(match, key) for key in match.values)
    help = "build the spec from which the weights were saved"
    help += f"; or {TRANSFER.text} loads what fits and initializes the rest" if fits else ""
    more: dict[str, Any] = {"help": _under(match) or help, "mentions": (TRANSFER,)}
    found = []
    if missing:
        message = f"the weights lack {counted(len(missing), 'key')} of `{match.network}`"
        found.append(Diagnostic.listing("E807", message, missing, **more))
    if extra:
        message = f"the weights have {counted(len(extra), 'key')} that `{match.network}` does not have"
        found.append(Diagnostic.listing("E807", message, extra, **more))
    if misfits:
        found.append(_cannot_take(match, misfits, **more))
    if found:
        raise SpecError(found)


def _cannot_take(match: _Match, misfits: list[str], **more: Any) -> Diagnostic:
    message = f"the weights have {counted(len(misfits), 'value')} of the wrong shape or type for `{match.network}`"
    return Diagnostic.listing("E807", message, misfits, "; ", **more)


def _check_some(match: _Match) -> None:
    """Refuse weights of which nothing fits, and values that cannot be copied whatever their shape."""
    if misfits := list(_misfits(match, shapes=False)):
        raise SpecError([_cannot_take(match, misfits)])
    if not any(_fits(match, key) for key in match.values):
        message = (
            f"the weights have {counted(len(match.given), 'key')}, but none fits `{match.network}` by name and shape"
        )
        help = "compare the keys of the weights with `archspec show SPEC --graph`; a key map can pair different names"
        raise SpecError([Diagnostic("E824", message, help=_under(match) or help)])


def _reshaped(match: _Match) -> dict[str, tuple[Shape, Shape]]:
    """The keys that have another shape in the weights: the weights' shape and the network's, as ``diff`` shows it."""
    shapes = {key: (tuple(value.shape), match.wanted[key].shape) for key, value in match.values.items()}
    return {key: (theirs, ours) for key, (theirs, ours) in shapes.items() if theirs != ours}


def _fits(match: _Match, key: str) -> bool:
    """Whether a value has the network's shape. A batch counter does not count, because it fits every network."""
    value = match.values[key]
    same = isinstance(value, Tensor) and not value.is_nested and tuple(value.shape) == match.wanted[key].shape
    return same and not key.endswith(COUNTER)


def _misfits(match: _Match, *, shapes: bool) -> Iterator[str]:
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


def _under(match: _Match) -> str:
    """A help that names the prefix under which the network's keys are found; empty without such a prefix."""
    keys = {str(key) for key in match.given}
    wanted = [match.names.get(key, key) for key in match.wanted if not key.endswith(COUNTER)]
    ends = f".{wanted[0]}" if wanted else ""
    scopes = [key.removesuffix(ends) + "." for key in keys if ends and key.endswith(ends)]
    found = sorted(scope for scope in scopes if all(scope + key in keys for key in wanted))
    if found:
        listed = " and under ".join(f"`{cut(scope)}`" for scope in found)
        return f"all keys of the network are under {listed}: load only those keys, without the prefix"
    prefix = common_prefix(match.given)
    strange = prefix and not any(key.startswith(prefix) for key in wanted)
    return f"every key begins with `{cut(prefix)}`: remove this prefix if a wrapper added it" if strange else ""


def _remarks(graph: Graph, key_map: KeyMap | None, wrappers: tuple[str, ...]) -> Iterator[Diagnostic]:
    if wrappers:
        listed = ", ".join(f"`{cut(wrapper)}`" for wrapper in wrappers)
        yield Diagnostic("W820", f"wrappers around the weights were removed: {listed}")
    if key_map and key_map.hash not in (None, graph.fingerprint):
        of = f"`{cut(key_map.spec)}`" if key_map.spec else "another spec"
        message = f"the key map was written for {of}, and its hash is not that of `{graph.name}`"
        yield Diagnostic("W823", message, help="check that the keys mean the same in both, or write the map again")


def _shape(shape: Shape) -> str:
    return show_shape(shape) if shape else "a number"
