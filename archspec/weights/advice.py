"""What to do with weights whose keys are not the network's: a prefix to remove, or a map to use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from archspec.diagnostics import Mention, cut
from archspec.display import counted
from archspec.operations.base import Buffer, Weight
from archspec.weights.checkpoints import COUNTER, common_prefix
from archspec.weights.pairing import pair

WRITE_MAP = Mention("write_map", "`map=archspec.pair_keys(SPEC, WEIGHTS)` pairs them this way")

MOST_SCOPES = 16
"""The most scopes, one in the other, in which the network's keys are looked for."""

Advice = tuple[str, tuple[Mention, ...]]


def advice(wanted: Mapping[str, Weight | Buffer], names: Mapping[str, str], given: Mapping[Any, Any]) -> Advice:
    """A help for weights that do not fit, with the arguments that it mentions; empty if the keys do not show one.

    Args:
        wanted: the tensors of the network.
        names: the key of the weights for each of the network's, by a key map or as it is.
        given: the weights.
    """
    keys = [names[key] for key in wanted if not key.endswith(COUNTER)]
    return _under(keys, given) or _paired(wanted, names, given) or _shared(keys, given) or ("", ())


def _under(keys: Collection[str], given: Mapping[Any, Any]) -> Advice | None:
    """The prefix below which most of the network's keys are found, if they are not found without it."""
    wanted, found = set(keys), Counter[str]()
    for key in given:
        rest, prefix = str(key), ""
        for _ in range(MOST_SCOPES):
            found[prefix] += rest in wanted
            scope, dot, rest = rest.partition(".")
            prefix += scope + dot
            if not dot:
                break
    if not wanted or not given or found[""] == len(wanted):
        return None
    whole = sorted(prefix for prefix, count in found.items() if prefix and count == len(wanted))
    if whole:
        mentions = tuple(map(_prefix, whole[:4]))
        listed = " and under ".join(f"`{cut(prefix)}`" for prefix in whole[:4])
        choices = " or ".join(mention.text for mention in mentions)
        return f"all keys of the network are under {listed}: load them with {choices}", mentions
    # Of two prefixes with as many keys, the shorter one is before the other.
    prefix, count = min(found.items(), key=lambda each: (-each[1], len(each[0])))
    if not prefix or 2 * count <= len(wanted) or found[""]:
        return None
    mention = _prefix(prefix)
    told = f"{count:,} of the network's {counted(len(wanted), 'key')} are under `{cut(prefix)}`"
    shared = f"every key begins with `{cut(prefix)}`, and " if common_prefix(given) == prefix else ""
    return f"{shared}{told}: try {mention.text}", (mention,)


def _paired(wanted: Mapping[str, Weight | Buffer], names: Mapping[str, str], given: Mapping[Any, Any]) -> Advice | None:
    if any(name != key for key, name in names.items()):  # there is a map already
        return None
    found = pair(wanted, given)
    if not found:
        return None
    differ = sum(theirs != ours for ours, theirs in found.keys.items())
    whole = f"only the keys differ: all {counted(len(found.keys), 'tensor')} agree {found.by}"
    part = f"{counted(differ, 'key')} of {len(found.keys):,} differ, and their tensors agree {found.by}"
    told = whole if differ == len(found.keys) else part
    return (f"{told}; {WRITE_MAP.text}; check the pairs", (WRITE_MAP,)) if differ else None


def _shared(keys: Collection[str], given: Mapping[Any, Any]) -> Advice | None:
    prefix, wanted = common_prefix(given), set(keys)
    if not prefix or wanted.isdisjoint(str(key).removeprefix(prefix) for key in given):
        return None
    mention = _prefix(prefix)
    return f"every key begins with `{cut(prefix)}`: {mention.text} removes it, if a wrapper added it", (mention,)


def _prefix(prefix: str) -> Mention:
    return Mention("prefix", f"`prefix={prefix!r}`", prefix)
