"""Which target a caller means, and whether it takes the options and weights that the caller gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from archspec.diagnostics import Diagnostic, Mention, Source, Span, SpecError, cut, nearest, suggest
from archspec.emit.target import Target
from archspec.emit.targets import TARGETS, by_name, options, suffixes, takers
from archspec.wording import listed

TO = Mention("option", "`to`", "to")

MEANT = {
    ".pt": (".pt2", ".safetensors"),
    ".pth": (".safetensors", ".pt2"),
    ".ckpt": (".safetensors",),
    ".bin": (".safetensors",),
    ".pkl": (".safetensors",),
    ".gv": (".dot",),
    ".mermaid": (".mmd",),
    ".md": (".mmd",),
    ".ipynb": (".py",),
    ".jpg": (".png", ".svg"),
    ".yaml": (".json",),
    ".yml": (".json",),
}
"""Suffixes that archspec does not write, each with the suffixes that the author may have meant."""


def named(to: str) -> Target:
    """The target of this name.

    Raises:
        SpecError: E831, no target has this name.
    """
    if to in by_name():
        return by_name()[to]
    of_suffix = suffixes().get(f".{to.removeprefix('.')}")
    hint = suggest(of_suffix.name if of_suffix else nearest(to, by_name()))
    help = f"the targets are {', '.join(by_name())}"
    raise SpecError([Diagnostic("E831", f"there is no target `{cut(to)}`", _place("to", to), hint, help=help)])


def choose(path: str, to: str | None = None) -> Target:
    """The target of a file: the named one, or the one that the suffix of the path chooses.

    Raises:
        SpecError: E831, no target has the suffix or the name, or the two disagree.

    >>> choose("resnet50.safetensors").name
    'safetensors'
    """
    target = None if to is None else named(to)
    suffix = PurePath(path).suffix
    if target and suffix == target.suffix:
        return target
    if target:
        ends = f"ends in `{cut(suffix)}`" if suffix else "has no suffix"
        message = f"the target `{target.name}` writes `{target.suffix}` files, and `{cut(path)}` {ends}"
        advice = f"name a file such as `{cut(_with_suffix(path, target.suffix))}`"
        other = suffixes().get(suffix)
        help = f"{advice}, or leave out {TO.text}" if other else advice
        raise SpecError([Diagnostic("E831", message, _place("path", path), help=help, mentions=(TO,))])
    if found := suffixes().get(suffix):
        return found
    raise SpecError([_unknown(path, suffix)])


def _unknown(path: str, suffix: str) -> Diagnostic:
    """The fault of a path whose suffix chooses no target."""
    known, place = suffixes(), _place("path", path)
    every = f"the suffixes are {', '.join(known)}"
    if not suffix:
        only = PurePath(path).name  # such as `.onnx`, the name of a hidden file
        help = f"name a file such as `{cut(_with_suffix(path, only if only in known else next(iter(known))))}`"
        return Diagnostic("E831", f"`{cut(path)}` has no suffix to say what to write", place, help=f"{help}; {every}")
    message = f"archspec does not write `{cut(suffix)}` files"
    meant = [each for each in MEANT.get(suffix.lower(), ()) if each in known]
    meant = meant or list(filter(None, [nearest(suffix.lower(), known)]))
    named = " or ".join(f"`{cut(_with_suffix(path, each))}` ({known[each].name})" for each in meant)
    return Diagnostic(
        "E831", message, place, suggest(meant[0] if meant else ""), help=f"name it {named}" if meant else every
    )


def _with_suffix(path: str, suffix: str) -> str:
    """A path with another suffix; if it has no name, the file is called ``model``."""
    pure = PurePath(path)
    return str(pure.with_suffix(suffix)) if pure.name.strip(".") and pure.name[:1] != "." else f"model{suffix}"


def check_options(target: Target, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are set; those that are None are not.

    Raises:
        SpecError: E832, the target does not take one of them, but another target does.
        TypeError: no target takes one of them, or a value is of the wrong type.
        ValueError: an option does not take its value.
    """
    known, own = options(), {option.name: option for option in target.options}
    for name in given:
        if name not in known:
            hint = suggest(nearest(name, known))
            raise TypeError(f"no target takes the option `{cut(name)}`{hint and f'; {hint}'}")
    found = {name: value for name, value in given.items() if value is not None}
    faults = [
        _without_effect(target, name, takers(name), _place(name, str(value)))
        for name, value in found.items()
        if name not in own
    ]
    if faults:
        raise SpecError(faults)
    for name, value in found.items():
        own[name].check(value)
    return found


def refuse_weights(target: Target, given: Iterable[str]) -> None:
    """Refuse arguments about weights for a target that has no weights.

    Raises:
        SpecError: E832.
    """
    others = [each for each in TARGETS if each.takes_weights]
    if not target.takes_weights and (faults := [_without_effect(target, name, others) for name in given]):
        raise SpecError(faults)


def _without_effect(target: Target, name: str, others: list[Target], place: Span | None = None) -> Diagnostic:
    mention = Mention("option", f"`{name}`", name)
    message = f"`{target.name}` does not take `{name}`, which is for {listed([f'`{each.name}`' for each in others])}"
    return Diagnostic("E832", message, place, help=f"leave out {mention.text}", mentions=(mention,))


def _place(name: str, text: str) -> Span:
    """A place in the argument of this name."""
    return Source(name, cut(text, 200), "argument").part()
