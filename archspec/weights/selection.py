"""Which tensors of a file are the network's: an entry of a checkpoint, the keys below a prefix, renamed scopes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from archspec import arguments
from archspec.diagnostics import Diagnostic, Mention, SpecError, cut, did_you_mean
from archspec.display import counted
from archspec.language.published import NOTHING, Published
from archspec.weights.checkpoints import PREFIXES, choose, unwrap


@dataclass(frozen=True, slots=True)
class Selection:
    """What of the weights to take, and under which keys.

    Args:
        entry: the path of a state dict in a checkpoint, such as ``model_ema`` or ``ema.state_dict``.
        prefix: a scope. Only the keys below it are taken, without it.
        rename: the new name of each scope or key, applied in order after ``prefix``.

    >>> Selection(prefix="visual.trunk", rename={"backbone.": ""})
    Selection(entry=None, prefix='visual.trunk', rename={'backbone.': ''})
    """

    entry: str | None = None
    prefix: str | None = None
    rename: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if self.entry is not None:
            arguments.text(self.entry, "entry", "the path of a state dict in a checkpoint, such as 'model_ema'")
        if self.prefix is not None:
            arguments.text(self.prefix, "prefix", "a scope such as 'backbone.'")
        if self.rename is not None:
            takes = "a mapping from scopes to their new names, such as {'backbone.': ''}"
            arguments.instance(self.rename, "rename", Mapping, takes)
            arguments.several([each for pair in self.rename.items() for each in pair], "rename", takes, str)


@dataclass(frozen=True, slots=True)
class Selected:
    """The tensors that were selected, under their new keys; the wrappers removed; the keys outside the prefix; those
    in scopes to skip.
    """

    state: Mapping[Any, Any]
    wrappers: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def scope(name: str) -> str:
    """A scope as the beginning of keys, with its dot.

    >>> scope("backbone"), scope("backbone."), scope("")
    ('backbone.', 'backbone.', '')
    """
    return name if not name or name.endswith((".", "/")) else f"{name}."


def select(
    found: Mapping[Any, Any],
    expected: Collection[str],
    selection: Selection,
    published: Published = NOTHING,
    mapped: Collection[str] = (),
) -> Selected:
    """The state dict of a network in a checkpoint.

    Args:
        found: a state dict, or a checkpoint.
        expected: the keys to look for.
        selection: what the caller asked for. Without an ``entry``, the only state dict is taken; prefixes of wrappers
            are removed in any case.
        published: scopes of the weights to skip, and other names of parts of keys. A key that is expected is neither
            skipped nor renamed.
        mapped: those of the expected keys that a key map names.

    Raises:
        SpecError: E823, the checkpoint contains several state dicts; E825, it does not have the entry; E826, no key is
            in a scope that is selected or renamed; E827, two keys become one.
    """
    state, entry = choose(found, expected, selection.entry)
    wrappers: tuple[str, ...] = (entry,) if entry else ()
    outside: tuple[str, ...] = ()
    prefix, rename = scope(selection.prefix or ""), selection.rename or {}
    if prefix or rename:
        state, removed = _without_wrappers(state, prefix or scope(next(iter(rename))))
        if prefix:
            outside = tuple([str(key) for key in state if not _begins(key, prefix)])
            state = _below(state, prefix)
        state = _renamed(state, rename)
        wrappers += removed
    wanted = frozenset(expected)
    state, removed = unwrap(state, wanted, published, mapped)
    state, skipped = _as_published(state, wanted, published)
    return Selected(state, wrappers + removed, outside, skipped)


def _as_published(
    state: Mapping[Any, Any], wanted: frozenset[str], published: Published
) -> tuple[Mapping[Any, Any], tuple[str, ...]]:
    """A state dict under the network's names, without the scopes that the spec skips; and the keys skipped."""
    if published == NOTHING:
        return state, ()
    skipped = {key: str(key) for key in state if key not in wanted and published.skips(key)}
    kept = {}
    for key, value in state.items():
        if key not in skipped:
            name = published.name(key, wanted) if isinstance(key, str) else key
            kept[key if name in state or name in kept else name] = value
    return kept, tuple(skipped.values())


def _begins(key: object, start: str) -> bool:
    return isinstance(key, str) and key.startswith(start)


def _without_wrappers(state: Mapping[Any, Any], wanted: str) -> tuple[Mapping[Any, Any], tuple[str, ...]]:
    """A state dict without the prefixes of wrappers that come before a scope that is wanted."""
    if any(_begins(key, wanted) for key in state) or wanted in PREFIXES:
        return state, ()
    return unwrap(state, ())


def _below(state: Mapping[Any, Any], prefix: str) -> dict[str, Any]:
    found = {key.removeprefix(prefix): value for key, value in state.items() if _begins(key, prefix)}
    if not found:
        raise SpecError([_empty(state, prefix)])
    return found


def _renamed(state: Mapping[Any, Any], rename: Mapping[str, str]) -> Mapping[Any, Any]:
    """A state dict with other names of scopes or keys, each of which must be there."""
    for old, new in rename.items():
        start, owners = scope(old), dict[Any, Any]()
        if not any(key == old or _begins(key, start) for key in state):
            raise SpecError([_empty(state, old)])
        for key in state:
            renamed = new if key == old else scope(new) + key[len(start) :] if _begins(key, start) else key
            if renamed in owners or renamed == "":
                raise SpecError([_collision(owners.get(renamed), key, renamed)])
            owners[renamed] = key
        state = {renamed: state[key] for renamed, key in owners.items()}
    return state


def _collision(first: object, second: object, name: str) -> Diagnostic:
    if not name:
        message = f"renaming would leave nothing of the key `{cut(second)}`"
        return Diagnostic("E827", message, help="give a new name to the key or to its scope")
    message = (
        f"renaming gives two keys of the weights the same name: `{cut(first)}` and `{cut(second)}` become `{cut(name)}`"
    )
    mention = Mention("prefix", "`prefix='backbone.'`", "backbone.")
    help = f"rename into a scope that is not in use, or take only the keys of one scope, as {mention.text} does"
    return Diagnostic("E827", message, help=help, mentions=(mention,))


def _empty(state: Mapping[Any, Any], name: str) -> Diagnostic:
    keys = [key for key in state if isinstance(key, str)]
    scopes = Counter(key.partition(".")[0] + "." for key in keys if "." in key)
    deeper = {key[: place + 1] for key in keys for place, letter in enumerate(key[:200]) if letter == "."}
    listed = ", ".join(f"`{cut(each)}` ({counted(number, 'key')})" for each, number in scopes.most_common(6))
    more = f" and {len(scopes) - 6} more" if len(scopes) > 6 else ""
    help = f"the scopes are {listed}{more}" if scopes else "the keys are not in scopes"
    return Diagnostic(
        "E826", f"no key of the weights begins with `{cut(name)}`", hint=did_you_mean(scope(name), deeper), help=help
    )
