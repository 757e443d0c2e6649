"""Whether one of two networks lacks a whole block of the other, or several layers: by names and by what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from archspec.tracing.canonical_form import CanonicalForm, CanonicalStep
from archspec.verification.match import label

LEAST = 2
"""How many layers are described as a whole; a single one is described by itself."""


class Whole(NamedTuple):
    """Layers that only one network has, by their scopes or, without any, the first and the last of them.

    ``before`` is what the other network has in their place, and ``parent`` the scope around theirs.
    """

    names: tuple[str, ...]
    before: CanonicalStep | None
    parent: str

    def __str__(self) -> str:
        names = [f"`{name}`" for name in self.names]
        return " to ".join(dict.fromkeys([names[0], names[-1]]))

    @property
    def verb(self) -> str:
        return "is" if len(self.names) == 1 else "are"


def in_order(form: CanonicalForm) -> list[CanonicalStep]:
    """The steps with weights, in the order of execution."""
    return sorted([step for step in form.steps if step.state], key=lambda step: step.source)


def lacking(
    longer: Sequence[CanonicalStep], shorter: Sequence[CanonicalStep], step: CanonicalStep, other: CanonicalStep
) -> Whole | None:
    """The layers of ``longer`` that ``shorter`` lacks where they differ; None if that is not how they differ.

    They are missing if all that follows them is the same, or if they are whole scopes that the other network does not
    have, beside scopes that both have.

    Args:
        longer, shorter: the steps of both networks that have weights, in the order of execution.
        step, other: the first steps of ``longer`` and of ``shorter`` that differ.
    """
    at = sum(each.source < step.source for each in longer)
    there = sum(each.source < other.source for each in shorter)
    extra = len(longer) - at - (len(shorter) - there)
    labels = [label(each) for each in longer]
    if extra >= LEAST and labels[at + extra :] == [label(each) for each in shorter[there:]]:
        back = _back(longer, labels, at, extra)
        missing = longer[at - back : at - back + extra]
        scopes = _tiles(longer, missing)
        before = shorter[there - back] if back <= there < len(shorter) + back else None
        return Whole(scopes or (missing[0].place, missing[-1].place), before, _parent(scopes[0]) if scopes else "")
    return _by_name(longer[at:], shorter, other)


def _back(layers: Sequence[CanonicalStep], labels: Sequence[object], at: int, extra: int) -> int:
    """How many layers earlier the missing ones start, if equal layers before them make them whole scopes."""
    back = 0
    while not _tiles(layers, layers[at - back : at - back + extra]):
        back += 1
        if back > min(at, extra) or labels[at - back] != labels[at - back + extra]:
            return 0
    return back


def _tiles(layers: Sequence[CanonicalStep], part: Sequence[CanonicalStep]) -> tuple[str, ...]:
    """The widest neighboring scopes that together have exactly a part of the layers; empty if there are none."""
    for scope in _scopes(part[0].place) if part else ():
        found = _children(part, _parent(scope))
        if "" not in found and len(part) == sum(_child(step.place, _parent(scope)) in found for step in layers):
            return found
    return ()


def _by_name(longer: Sequence[CanonicalStep], shorter: Sequence[CanonicalStep], other: CanonicalStep) -> Whole | None:
    known = _all_scopes(shorter)
    for scope in reversed(_scopes(longer[0].place) if longer else []):
        parent = _parent(scope)
        inside = [step for step in longer if _inside(step.place, parent)] if parent else []
        children = _children(inside, parent)
        beside = any(_parent(each) == parent for each in known)
        if (
            children
            and beside
            and known.isdisjoint(children)
            and not _inside(other.place, parent)
            and "" not in children
        ):
            return Whole(children, other, parent)
    return None


def _children(layers: Iterable[CanonicalStep], parent: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_child(step.place, parent) for step in layers))


def _child(place: str, parent: str) -> str:
    """The scope of a step that is directly inside another; empty if the step itself is."""
    return next((scope for scope in _scopes(place) if _parent(scope) == parent), "")


def _all_scopes(layers: Iterable[CanonicalStep]) -> set[str]:
    return {scope for step in layers for scope in _scopes(step.place)}


def _scopes(place: str) -> list[str]:
    """The scopes around a step, from the outside.

    >>> _scopes("layer3.5.conv1")
    ['layer3', 'layer3.5']
    """
    parts = place.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _parent(scope: str) -> str:
    return scope.rpartition(".")[0]


def _inside(place: str, scope: str) -> bool:
    return place.startswith(f"{scope}.")
