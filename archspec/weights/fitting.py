"""Fitting a state dict to a network: which tensor belongs to which key."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from archspec import arguments
from archspec.diagnostics import Diagnostic, Mention, SpecError, cut
from archspec.display import counted
from archspec.graph.graph import Graph
from archspec.graph.state import state
from archspec.language.published import NOTHING, Published
from archspec.weights.adapting import AXIS, adapt, adaptable
from archspec.weights.files import read
from archspec.weights.keymap import KeyMap, names_in_weights, read_map
from archspec.weights.loaded import Loaded
from archspec.weights.misfits import GRAPH, Match, check_all, check_some, reshaped
from archspec.weights.recorded import of_another, recorded, same_but_for_shapes
from archspec.weights.selection import Selection, select
from archspec.weights.tensors import aligned

EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class Fit:
    """The tensors to copy into a network, by its keys, and the record of all keys."""

    tensors: dict[str, Any]
    loaded: Loaded


def fit(
    graph: Graph,
    weights: str | os.PathLike[str] | Mapping[str, Any],
    map: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    transfer: bool = False,
    selection: Selection = EVERYTHING,
    stored: bool = False,
) -> Fit:
    """Read weights, and find the tensor for each key of a network.

    Args:
        graph: the compiled network.
        weights: a state dict, a checkpoint with one state dict in it, or a file of either.
        map: the key of the weights for each key of the network that has another name there.
        transfer: whether to adapt first convolutions to the input's channels, and to record misfits, not refuse them.
        selection: which entry and scopes of the weights to read, and under which names.
        stored: whether to read a file of safetensors without torch, as :func:`read` does.

    Raises:
        SpecError: E807, a key is missing or extra, or its value does not fit; E821, the network lacks keys of the map;
            E822, the map gives one tensor to two keys; E824, nothing fits; those of ``read``, ``read_map``, ``select``.
        EnvironmentFault: E809, safetensors is not installed.
        TypeError: ``weights`` is neither a path nor a mapping.
    """
    (file, found), wanted = content(weights, stored=stored), state(graph)
    if key_map := None if map is None else read_map(map):
        _check_map(key_map, graph, wanted, transfer)
    named = key_map or KeyMap({})
    names, published = names_in_weights(named, graph.name, wanted), _published(graph, key_map)
    selected = select(found, names.values(), selection, published, frozenset(named.keys.values()))
    values = {key: selected.state[name] for key, name in names.items() if name in selected.state}
    values.update({key: aligned(values[key], wanted[key].shape) for key in named.keys if key in values})
    match = Match(graph.name, wanted, names, selected.state, values, frozenset(key_map.keys) if key_map else None)
    others = reshaped(match)
    firsts = adaptable(graph, others) if transfer else ()
    whose = None if transfer or key_map or selection != EVERYTHING else recorded(file)
    check_some(match, firsts) if transfer else check_all(match, lambda: same_but_for_shapes(graph, whose))
    adapted = {key: others.pop(key) for key in firsts}
    tensors = {key: tensor for key, tensor in values.items() if key not in others}
    tensors.update({key: adapt(tensors[key], ours[AXIS]) for key, (_, ours) in adapted.items()})
    record = Loaded(
        file=file,
        map=key_map.file if key_map else None,
        transfer=transfer,
        unwrapped=selected.wrappers,
        loaded=tuple(tensors),
        initialized=tuple(key for key in wanted if key not in tensors),
        reshaped=others,
        unused=tuple([str(key) for key in match.without(tensors)]),
        remarks=(*_remarks(graph, key_map, selected.wrappers), *of_another(graph, whose)),
        entry=selection.entry,
        prefix=selection.prefix,
        rename=dict(selection.rename or {}),
        outside=selected.outside,
        adapted=adapted,
        skipped=selected.skipped,
        trimmed=tuple([key for key in selected.skipped if published.trims(key)]),
    )
    return Fit(tensors, record)


def content(
    weights: str | os.PathLike[str] | Mapping[str, Any], *, stored: bool = False
) -> tuple[str | None, Mapping[Any, Any]]:
    """The path of weights, if they are a file, and what they contain."""
    file = arguments.path(weights, "weights") if isinstance(weights, str | os.PathLike) else None
    found: Any = read(file, stored=stored) if file is not None else weights
    if not isinstance(found, Mapping):
        raise TypeError(f"`weights` must be a state dict or a file, got {type(found).__name__}")
    return file, found


def _published(graph: Graph, key_map: KeyMap | None) -> Published:
    """What may be beside the network in its weights: what its spec says, and what its ``outputs`` do not need."""
    published = graph.origin.published if graph.origin else NOTHING
    keys = key_map.keys if key_map else {}
    return replace(published, trimmed=frozenset([keys.get(key, key) for key in graph.trimmed]))


def _check_map(key_map: KeyMap, graph: Graph, wanted: Mapping[str, object], transfer: bool) -> None:
    """Refuse a map with keys that the network lacks, unless in a transfer with a map of another spec."""
    strange = [key for key in key_map.keys if key not in wanted and key not in graph.trimmed]
    of_another = key_map.hash not in (None, graph.fingerprint)
    if not strange or (transfer and of_another):
        return
    turned = [key for key in strange if key_map.keys[key] in wanted]
    others = [f"`{cut(key)}`" for key in strange if key_map.keys[key] not in wanted]
    found = []
    if turned:
        pairs = [f"`{cut(key)}` to `{cut(key_map.keys[key])}`" for key in turned]
        message = (
            f"the key map has {counted(len(turned), 'key')} in the wrong direction, from the weights to the network"
        )
        first = turned[0]
        help = f'write the key of the network first: "{cut(key_map.keys[first])}": "{cut(first)}"'
        found.append(Diagnostic.listing("E821", message, pairs, help=help))
    if others:
        message = f"the key map has {counted(len(others), 'key')} that `{graph.name}` does not have"
        mentions: tuple[Mention, ...]
        help, mentions = f"{GRAPH.text} lists the network's nodes; its keys begin with their names", (GRAPH,)
        if of_another:
            spec = cut(key_map.spec or "another spec")
            help, mentions = f"it was written for `{spec}`, which has another hash; write it again", ()
        found.append(Diagnostic.listing("E821", message, others, help=help, mentions=mentions))
    raise SpecError(found)


def _remarks(graph: Graph, key_map: KeyMap | None, wrappers: tuple[str, ...]) -> Iterator[Diagnostic]:
    if wrappers:
        listed = ", ".join(f"`{cut(wrapper)}`" for wrapper in wrappers)
        help = "nothing needs to be done if these are the weights that you want"
        yield Diagnostic("W820", f"wrappers around the weights were removed: {listed}", help=help)
    if key_map and key_map.hash not in (None, graph.fingerprint):
        of = f"`{cut(key_map.spec)}`" if key_map.spec else "another spec"
        message = f"the key map was written for {of}, and its hash is not that of `{graph.name}`"
        yield Diagnostic("W823", message, help="check that the keys mean the same in both, or write the map again")
