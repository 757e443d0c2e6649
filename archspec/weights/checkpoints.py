"""Finding the state dict in a checkpoint, and removing what wrappers of the model added to its keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from archspec.diagnostics import Diagnostic, SpecError, cut

PREFIXES = ("module.", "_orig_mod.")
"""The prefixes that DistributedDataParallel and ``torch.compile`` add to every key."""

MOST_PREFIXES = 8
"""The most prefixes that are removed: more than wrappers add, and few enough for keys of any length."""

COUNTER = "num_batches_tracked"
"""A norm's batch counter, which only a ``momentum`` of None needs. Files from before torch 0.4.1 lack it."""


def unwrap(found: Mapping[Any, Any], expected: Collection[str]) -> tuple[Mapping[Any, Any], tuple[str, ...]]:
    """The state dict in a checkpoint, without the prefixes that all of its keys have; and the wrappers removed.

    A checkpoint such as ``{"state_dict": {...}, "epoch": 90}`` must contain one state dict. The prefixes ``module.``
    and ``_orig_mod.`` are removed. Another prefix, such as the ``model.`` of a Lightning module, is removed only if the
    keys are then the expected ones. So is the counter ``n_averaged`` of an ``AveragedModel``.

    Args:
        found: a state dict, or a checkpoint.
        expected: the keys to look for.

    Raises:
        SpecError: E823, the checkpoint contains several state dicts, such as an average (EMA) beside the weights.

    >>> import torch
    >>> unwrap({"epoch": 3, "state_dict": {"module.fc.bias": torch.zeros(2)}}, ["fc.bias"])
    ({'fc.bias': tensor([0., 0.])}, ('state_dict', 'module.'))
    """
    wrappers = []
    state = found
    if not is_state(found) and not any(key in found for key in expected):
        entries = state_dicts(found)
        if len(entries) > 1:
            raise _several(entries)
        if entries:
            ((entry, state),) = entries.items()
            wrappers.append(entry)
    if not all(isinstance(key, str) for key in state):
        return state, tuple(wrappers)
    average = {key: value for key, value in state.items() if key != "n_averaged"}
    if len(average) < len(state) and "n_averaged" not in expected and _all_begin(average, PREFIXES[0]):
        state = average
        wrappers.append("n_averaged")
    for _ in range(MOST_PREFIXES):
        prefix = _prefix(state, expected)
        if not prefix:
            break
        state = {key.removeprefix(prefix): value for key, value in state.items()}
        wrappers.append(prefix)
    return state, tuple(wrappers)


def common_prefix(state: Mapping[Any, Any]) -> str:
    """The first scope of all keys, with its dot; empty if they do not share one."""
    scope, dot, _ = str(next(iter(state), "")).partition(".")
    return scope + dot if dot and _all_begin(state, scope + dot) else ""


def _prefix(state: Mapping[str, Any], expected: Collection[str]) -> str:
    """The prefix that a wrapper added to every key; empty if it may be a scope of the network."""
    prefix = common_prefix(state)
    if not prefix or any(key.startswith(prefix) for key in expected):
        return ""
    inside = {key.removeprefix(prefix) for key in state}
    return prefix if prefix in PREFIXES or _essential(inside) == _essential(expected) else ""


def _essential(keys: Collection[str]) -> set[str]:
    return {key for key in keys if not key.endswith(COUNTER)}


def _all_begin(state: Mapping[Any, Any], prefix: str) -> bool:
    return bool(state) and all(str(key).startswith(prefix) for key in state)


def is_state(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(each, Tensor) for each in value.values())


def state_dicts(found: Mapping[Any, Any]) -> dict[str, Mapping[Any, Any]]:
    """The entries of a checkpoint that are state dicts."""
    return {
        key: value
        for key, value in found.items()
        if isinstance(key, str) and is_state(value) and value and all(isinstance(name, str) for name in value)
    }


def _several(entries: Collection[str]) -> SpecError:
    first = cut(repr(next(iter(entries))))
    message = f"the checkpoint contains {len(entries)} state dicts, and it is unclear which one to load"
    help = f"save one of them alone: `torch.save(torch.load(FILE, weights_only=True)[{first}], NEW_FILE)`"
    return SpecError([Diagnostic.listing("E823", message, [f"`{cut(entry)}`" for entry in entries], help=help)])
