"""Key maps: for each key of a spec's network, the key of the same tensor in other weights."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archspec import arguments
from archspec.diagnostics import Diagnostic, SpecError, cut
from archspec.files import regular_file

MAX_BYTES = 4 * 2**20
"""The largest key map that is read. A network of a thousand layers needs about 500 kB."""

HELP = 'write it as `{"keys": {"a key of the spec": "a key of the weights", ...}}`, as `archspec verify --map` does'


@dataclass(frozen=True, slots=True)
class KeyMap:
    """The keys of the weights, by the keys of the spec's network. A key without an entry is the same in both.

    ``file`` is the path that was read, and ``spec`` and ``hash`` are those of the spec for which the map was written.
    """

    keys: Mapping[str, str]
    file: str | None = None
    spec: str | None = None
    hash: str | None = None


def read_map(given: str | os.PathLike[str] | Mapping[str, Any]) -> KeyMap:
    """Read a key map.

    Args:
        given: the path of a JSON file that ``archspec verify --map`` wrote, the content of such a file, or only its
            ``keys``.

    Raises:
        SpecError: E801, the file does not exist; E803, it is not a regular file; E804, it cannot be read; E820, it is
            not a key map, one diagnostic for each fault; E822, it maps several keys of the spec to one of the weights.

    >>> read_map({"fc.weight": "head.weight"}).keys["fc.weight"]
    'head.weight'
    """
    if not isinstance(given, str | os.PathLike):
        arguments.instance(given, "map", Mapping, "the path of a key map, or a mapping of keys")
        whole = isinstance(given.get("keys"), Mapping)
        return _checked(given if whole else {"keys": given}, "the key map", None)
    file = arguments.path(given, "map")
    name = f"the key map `{cut(file)}`"
    return _checked(_parsed(_text(file, name), name), name, file)


def names_in_weights(key_map: KeyMap, network: str, wanted: Collection[str]) -> dict[str, str]:
    """The key of the weights for each key of a network: a key that is not in the map is the same in both.

    Raises:
        SpecError: E822, the map assigns the tensor of a key that is not in the map.
    """
    found = {key: key_map.keys.get(key, key) for key in wanted}
    owners: dict[str, str] = {}
    both = []
    for key, theirs in found.items():
        if (first := owners.setdefault(theirs, key)) != key:
            mapped, itself = (first, key) if first in key_map.keys else (key, first)
            both.append(f"`{cut(mapped)}`, which is in the map, and `{cut(itself)}`, which is not")
    if both:
        message = f"two keys of `{network}` would get one tensor of the weights"
        help = "a key that is not in the map is the same in the weights: add it too, with the key of its tensor"
        raise SpecError([Diagnostic.listing("E822", message, both, "; ", help=help)])
    return found


def _text(file: str, name: str) -> str:
    with regular_file(Path(file), file, "key map") as stream:
        data = stream.read(MAX_BYTES + 1) or b""
    if len(data) > MAX_BYTES:
        raise _no_map(f"{name} is larger than {MAX_BYTES // 2**20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_map(f"{name} is not UTF-8 text: invalid byte at position {error.start}") from None


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, name))
    except json.JSONDecodeError as error:
        message = f"{name} is not JSON: {error.msg.lower()} in line {error.lineno}, column {error.colno}"
        raise _no_map(message) from None
    except (RecursionError, ValueError):
        raise _no_map(f"{name} is nested too deeply, or has a number with too many digits") from None


def _once(pairs: list[tuple[str, Any]], name: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    times = Counter(key for key, _ in pairs)
    twice = [f"`{cut(key)}`" for key, count in times.items() if count > 1]
    raise SpecError([Diagnostic.listing("E820", f"{name} has duplicate keys", twice, help=HELP)])


def _checked(value: Any, name: str, file: str | None) -> KeyMap:
    if not isinstance(value, Mapping):
        raise _no_map(f"{name} is {_kind(value)}, not a mapping")
    keys = value.get("keys")
    if not isinstance(keys, Mapping):
        reason = "does not have `keys`" if keys is None else f"has {_kind(keys)} as `keys`, not a mapping"
        raise _no_map(f"{name} {reason}")
    found = [Diagnostic("E820", f"{name} {reason}", help=HELP) for reason in _wrong(value, keys)]
    if not found:
        found = list(_several(keys, name))
    if found:
        raise SpecError(found)
    return KeyMap(dict(keys), file, value.get("spec"), value.get("hash"))


def _wrong(value: Mapping[str, Any], keys: Mapping[Any, Any]) -> Iterator[str]:
    for field in ("spec", "hash"):
        if not isinstance(value.get(field), str | None):
            yield f"has {_kind(value[field])} as `{field}`, not a string"
    for ours, theirs in keys.items():
        if not isinstance(ours, str):
            yield f"has {_kind(ours)} as a key of the spec, not a string"
        elif not isinstance(theirs, str):
            yield f"has {_kind(theirs)} for `{cut(ours)}`, not a string"


def _several(keys: Mapping[str, str], name: str) -> Iterator[Diagnostic]:
    owners: dict[str, list[str]] = {}
    for ours, theirs in keys.items():
        owners.setdefault(theirs, []).append(f"`{cut(ours)}`")
    for theirs, several in owners.items():
        if len(several) > 1:
            help = "assign each key of the weights to only one key of the spec"
            yield Diagnostic.listing("E822", f"{name} uses `{cut(theirs)}` for {len(several)} keys", several, help=help)


def _kind(value: object) -> str:
    """The type of a JSON value in words."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    kinds = {str: "a string", int: "a number", float: "a number", list: "a list", dict: "a mapping"}
    return kinds.get(type(value), f"a {cut(type(value).__name__)}")


def _no_map(message: str) -> SpecError:
    return SpecError([Diagnostic("E820", message, help=HELP)])
