"""Reading files of tensors without running code, and finding the state dict in a checkpoint."""

from __future__ import annotations

import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from archspec.diagnostics import Diagnostic, EnvironmentFault, SpecError, cut
from archspec.weights.paths import regular_file, unreadable

PREFIXES = ("module.", "_orig_mod.")
"""What DistributedDataParallel and ``torch.compile`` put before every key."""

COUNTER = "num_batches_tracked"
"""The counter of batches, which only a norm with a ``momentum`` of None reads. Files before torch 0.4.1 lack it."""

ALONE = "save the state dict alone, without the optimiser's or other data around it"


class Unwrapped(NamedTuple):
    """A state dict, and what was taken off to reach it."""

    state: Mapping[Any, Any]
    wrappers: tuple[str, ...] = ()


def read(path: str | os.PathLike[str]) -> Mapping[Any, Any]:
    """What a file holds, by key: safetensors, or a pickled checkpoint read with ``weights_only=True``.

    Raises:
        SpecError: E801 where there is no such file, E803 where it is a folder or a pipe, E804 where it cannot be read,
            E808 where it is no weights file.
        EnvironmentFault: E809, safetensors is not installed.
    """
    name = os.fspath(path)
    regular_file(name, "weights file")
    try:
        found = _content(name)
    except ImportError as error:
        message = f"reading `{cut(name)}` needs safetensors, which cannot be imported ({error})"
        raise EnvironmentFault(Diagnostic("E809", message, help="pip install 'archspec-compiler[torch]'")) from None
    except PermissionError as error:
        raise unreadable(name, error) from None
    except Exception as error:  # the readers raise whatever their parsers do
        raise SpecError([_unread(name, error)]) from None
    if not isinstance(found, Mapping) or not (_is_state(found) or _entries(found)):
        raise SpecError([Diagnostic("E808", f"`{cut(name)}` holds something else than a state dict", help=ALONE)])
    return found


def _content(name: str) -> Any:
    if name.endswith(".safetensors"):
        from safetensors.torch import load_file

        return load_file(name)
    _check_size(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch asks to report files that it may not read; they are refused if so
        return torch.load(name, map_location="cpu", weights_only=True)


def _check_size(name: str) -> None:
    """Refuse an archive that would fill the memory: torch stores parts as they are, so that they fit into the file."""
    if zipfile.is_zipfile(name):
        with zipfile.ZipFile(name) as archive:
            if sum(part.file_size for part in archive.infolist()) > Path(name).stat().st_size:
                raise ValueError("it is an archive that unpacks to more than it has")


def _unread(name: str, error: Exception) -> Diagnostic:
    """What is wrong with a file that no reader takes, as far as its beginning tells."""
    with Path(name).open("rb") as stream:
        begin = stream.read(512)
    if not begin:
        return Diagnostic("E808", f"`{cut(name)}` is empty", help="copy or download it again")
    if begin.startswith(b"PK") and not zipfile.is_zipfile(name):
        message = f"`{cut(name)}` is cut off or damaged: the end of the archive is missing"
        return Diagnostic("E808", message, help="copy or download it again")
    help = "a weights file is safetensors, or a state dict that `torch.save` wrote"
    if not name.endswith(".safetensors") and re.fullmatch(rb"[\t\n\r -~]+", begin):
        return Diagnostic("E808", f"`{cut(name)}` is not a weights file: it is text", help=help)
    message = f"`{cut(name)}` is not a weights file that can be read without running code: {_reason(error)}"
    return Diagnostic("E808", message, help=help)


def _reason(error: Exception) -> str:
    """Why a reader gave up, without torch's advice to load the file in the dangerous way."""
    if wanted := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return f"it asks for `{cut(wanted[1])}`"
    if isinstance(error, pickle.UnpicklingError):
        return "it is no pickle, or one with more than tensors in it"
    return cut(str(error).partition("\n")[0] or type(error).__name__, 120)


# -- checkpoints -------------------------------------------------------------------------------------------------------


def unwrap(found: Mapping[Any, Any], expected: Collection[str]) -> Unwrapped:
    """The state dict in what training saved, where there is no doubt which it is.

    A checkpoint with one state dict in it, ``{"state_dict": {...}, "epoch": 90}``, stands for that. ``module.`` and
    ``_orig_mod.`` go where all keys have them; another prefix, such as the ``model.`` of a Lightning module, where
    without it the keys are those that are expected. Of ``AveragedModel``, the counter ``n_averaged`` goes too.

    Args:
        found: a state dict, or a checkpoint.
        expected: the keys that are looked for.

    Raises:
        SpecError: E823, the checkpoint has several state dicts, as with an average (EMA) beside the trained weights.
    """
    wrappers = []
    state = found
    if not _is_state(found) and not any(key in found for key in expected):
        entries = _entries(found)
        if len(entries) > 1:
            raise _several(entries)
        if entries:
            ((entry, state),) = entries.items()
            wrappers.append(entry)
    if not all(isinstance(key, str) for key in state):
        return Unwrapped(state, tuple(wrappers))
    average = {key: value for key, value in state.items() if key != "n_averaged"}
    if len(average) < len(state) and "n_averaged" not in expected and _all_begin(average, PREFIXES[0]):
        state = average
        wrappers.append("n_averaged")
    while prefix := _prefix(state, expected):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
        wrappers.append(prefix)
    return Unwrapped(state, tuple(wrappers))


def common_prefix(state: Mapping[Any, Any]) -> str:
    """The scope, with its dot, that all keys begin with; empty where there is none."""
    scope, dot, _ = str(next(iter(state), "")).partition(".")
    return scope + dot if dot and _all_begin(state, scope + dot) else ""


def _prefix(state: Mapping[str, Any], expected: Collection[str]) -> str:
    """What a wrapper put before every key; empty where it cannot be told from a scope of the network."""
    prefix = common_prefix(state)
    if not prefix or any(key.startswith(prefix) for key in expected):
        return ""
    inside = {key.removeprefix(prefix) for key in state}
    return prefix if prefix in PREFIXES or _essential(inside) == _essential(expected) else ""


def _essential(keys: Collection[str]) -> set[str]:
    return {key for key in keys if not key.endswith(COUNTER)}


def _all_begin(state: Mapping[Any, Any], prefix: str) -> bool:
    return bool(state) and all(str(key).startswith(prefix) for key in state)


def _is_state(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(each, Tensor) for each in value.values())


def _entries(found: Mapping[Any, Any]) -> dict[str, Mapping[Any, Any]]:
    """The entries of a checkpoint that are state dicts themselves."""
    return {
        key: value
        for key, value in found.items()
        if isinstance(key, str) and _is_state(value) and value and all(isinstance(name, str) for name in value)
    }


def _several(entries: Collection[str]) -> SpecError:
    first = cut(repr(next(iter(entries))))
    message = f"the checkpoint has {len(entries)} state dicts, and which is meant is not known"
    help = f"save one alone: `torch.save(torch.load(FILE, weights_only=True)[{first}], NEW_FILE)`"
    return SpecError([Diagnostic.listing("E823", message, [f"`{cut(entry)}`" for entry in entries], help=help)])
