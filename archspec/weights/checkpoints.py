"""Finding the state dict in a checkpoint, and removing what wrappers of the model added to its keys."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from archspec.diagnostics import Diagnostic, Mention, SpecError, cut, did_you_mean
from archspec.display import counted
from archspec.language.published import NOTHING, Published
from archspec.weights.tensors import is_tensor

PREFIXES = ("module.", "_orig_mod.")
"""The prefixes that DistributedDataParallel and ``torch.compile`` add to every key."""

MOST_PREFIXES = 8
"""The most prefixes that are removed: more than wrappers add, and few enough for keys of any length."""

DEEPEST = 4
"""How deep in a checkpoint state dicts are looked for."""

COUNTER = "num_batches_tracked"
"""A norm's batch counter, which only a ``momentum`` of None needs. Files from before torch 0.4.1 lack it."""


def choose(found: Mapping[Any, Any], expected: Collection[str], entry: str | None) -> tuple[Mapping[Any, Any], str]:
    """The state dict in a checkpoint, and the path of its entry if archspec chose it.

    Args:
        found: a state dict, or a checkpoint such as ``{"state_dict": {...}, "epoch": 90}``.
        expected: the keys to look for.
        entry: the path of the entry to take, such as ``ema.state_dict``; by default the only state dict.

    Raises:
        SpecError: E823, the checkpoint contains several state dicts, such as an average (EMA) beside the weights; E825,
            it does not have the entry.

    >>> import torch
    >>> choose({"epoch": 3, "ema": {"net": {"fc.bias": torch.zeros(2)}}}, ["fc.bias"], None)
    ({'fc.bias': tensor([0., 0.])}, 'ema.net')
    """
    if entry is not None:
        state = next(_at(found, entry), None)
        if state is None or not is_state(state) or not state:
            raise _no_entry(found, entry, state)
        return state, ""
    if is_state(found) or any(key in found for key in expected):
        return found, ""
    several = state_dicts(found)
    if len(several) > 1:
        raise _several(several)
    return next(((state, path) for path, state in several.items()), (found, ""))


def unwrap(
    state: Mapping[Any, Any],
    expected: Collection[str],
    published: Published = NOTHING,
    mapped: Collection[str] = (),
) -> tuple[Mapping[Any, Any], tuple[str, ...]]:
    """A state dict without the prefixes that wrappers of the model added to all of its keys; and these prefixes.

    The prefixes ``module.`` and ``_orig_mod.`` are removed. Another prefix, such as the ``model.`` of a Lightning
    module, is removed only if the keys are then the expected ones, beside those that ``published`` skips. So is the
    counter ``n_averaged`` of an ``AveragedModel``. Keys that a map spells with the prefix, ``mapped``, keep it: a map
    may name some keys as the file has them.

    >>> unwrap({"module.fc.bias": 0}, ["fc.bias"])
    ({'fc.bias': 0}, ('module.',))
    """
    wrappers = []
    if not all(isinstance(key, str) for key in state):
        return state, ()
    average = {key: value for key, value in state.items() if key != "n_averaged"}
    if len(average) < len(state) and "n_averaged" not in expected and _all_begin(average, PREFIXES[0]):
        state = average
        wrappers.append("n_averaged")
    for _ in range(MOST_PREFIXES):
        prefix = _prefix(state, [key for key in expected if key not in mapped] or expected, published)
        if not prefix:
            break
        state = {key if key in mapped else key.removeprefix(prefix): value for key, value in state.items()}
        wrappers.append(prefix)
    return state, tuple(wrappers)


def common_prefix(state: Mapping[Any, Any]) -> str:
    """The first scope of all keys, with its dot; empty if they do not share one."""
    scope, dot, _ = str(next(iter(state), "")).partition(".")
    return scope + dot if dot and _all_begin(state, scope + dot) else ""


def _prefix(state: Mapping[str, Any], expected: Collection[str], published: Published) -> str:
    """The prefix that a wrapper added to every key; empty if it may be a scope of the network."""
    prefix = common_prefix(state)
    if not prefix or any(key.startswith(prefix) for key in expected):
        return ""
    wanted = _essential(expected)
    inside = _essential(published.name(key.removeprefix(prefix), wanted) for key in state)
    beside = {key for key in inside - wanted if published.skips(key)}
    return prefix if prefix in PREFIXES or inside - beside == wanted else ""


def _essential(keys: Iterable[str]) -> set[str]:
    return {key for key in keys if not key.endswith(COUNTER)}


def _all_begin(state: Mapping[Any, Any], prefix: str) -> bool:
    return bool(state) and all(str(key).startswith(prefix) for key in state)


def is_state(value: object) -> bool:
    return isinstance(value, Mapping) and all(is_tensor(each) for each in value.values())


def state_dicts(found: Mapping[Any, Any]) -> dict[str, Mapping[Any, Any]]:
    """The state dicts in a checkpoint, by their paths. The state of an optimizer does not count."""
    level: list[tuple[str, Mapping[Any, Any]]] = [("", found)]
    seen, states = {id(found)}, {}  # a pickle may contain a mapping twice, and also in itself
    for _ in range(DEEPEST):
        below = []
        for path, mapping in level:
            for key, value in mapping.items():
                if not isinstance(value, Mapping) or not isinstance(key, str):
                    continue
                if is_state(value) and value and all(isinstance(name, str) for name in value):
                    states[path + key] = value
                elif id(value) not in seen and not key.startswith("optim"):
                    seen.add(id(value))
                    below.append((f"{path}{key}.", value))
        level = below
    return states


def _at(found: Mapping[Any, Any], path: str) -> Iterator[Any]:
    """What a checkpoint has at a path; keys may contain dots themselves."""
    if path in found:
        yield found[path]
    for place, letter in enumerate(path):
        inner = found.get(path[:place]) if letter == "." else None
        if isinstance(inner, Mapping):
            yield from _at(inner, path[place + 1 :])


def _no_entry(found: Mapping[Any, Any], entry: str, state: object) -> SpecError:
    several = state_dicts(found)
    name = cut(entry)
    if state is not None:
        kind = "empty" if isinstance(state, Mapping) and not state else f"{cut(type(state).__name__)}, not a state dict"
        message = f"the entry `{name}` of the weights is {kind}"
    elif is_state(found):
        message = f"the weights do not have an entry `{name}`: they are one state dict with {_tensors(found)}"
    else:
        message = f"the weights do not have an entry `{name}`"
    help = "leave out the entry"
    mentions: tuple[Mention, ...] = ()
    if several:
        help = f"the state dicts are {_listed(several)}"
    elif is_state(found) and any(str(key).startswith(f"{entry}.") for key in found):
        mention = Mention("prefix", f"`prefix={f'{entry}.'!r}`", f"{entry}.")
        help, mentions = f"{mention.text} takes the keys that begin with `{name}.`", (mention,)
    hint = did_you_mean(entry, several)
    return SpecError([Diagnostic("E825", message, hint=hint, help=help, mentions=mentions)])


def _several(several: Mapping[str, Mapping[Any, Any]]) -> SpecError:
    first = next(iter(several))
    mention = Mention("entry", f"`entry={first!r}`", first)
    message = f"the checkpoint contains {len(several)} state dicts, and it is unclear which one to load"
    items = [f"`{cut(path)}` ({_tensors(state)})" for path, state in several.items()]
    help = f"choose one of them: {mention.text} takes the first"
    return SpecError([Diagnostic.listing("E823", message, items, help=help, mentions=(mention,))])


def _listed(several: Mapping[str, Mapping[Any, Any]]) -> str:
    shown = [f"`{cut(path)}` ({_tensors(state)})" for path, state in list(several.items())[:8]]
    return ", ".join(shown) + (f" and {len(several) - 8} more" if len(several) > 8 else "")


def _tensors(state: Mapping[Any, Any]) -> str:
    return counted(len(state), "tensor")
