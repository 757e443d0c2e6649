"""Matching two forms: colors first, a walk back from the outputs, and a check of what was found, edge by edge."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence

import networkx

from archspec.tracing.canonical_form import RANDOM, Canonical, CanonicalStep
from archspec.verification.colors import Palette, colors, label

Pairs = Mapping[int, int]
"""Steps of the one form to steps of the other."""

ATTEMPTS = 200
"""How many isomorphisms of the colored graphs are tried where the walk meets a symmetry that it cannot resolve."""


def match(ours: Canonical, theirs: Canonical) -> Pairs | None:
    """The steps of one network paired with those of another that is the same; None where it is not."""
    if len(ours.steps) != len(theirs.steps):
        return None
    palette = Palette()
    one, other = colors(ours, palette), colors(theirs, palette)
    if Counter(one) != Counter(other):
        return None
    for pairs in _candidates(ours, theirs, one, other):
        if pairs is not None and agrees(ours, theirs, pairs):
            return pairs
    return None


def _candidates(ours: Canonical, theirs: Canonical, one: Sequence[int], other: Sequence[int]) -> Iterable[Pairs | None]:
    yield _walk(ours, theirs, one, other)
    graphs = ours.to_networkx(one), theirs.to_networkx(other)
    yield from itertools.islice(networkx.vf2pp_all_isomorphisms(*graphs, node_label="color"), ATTEMPTS)


def _walk(ours: Canonical, theirs: Canonical, one: Sequence[int], other: Sequence[int]) -> Pairs | None:
    """Pairs from the outputs backwards: operands by position, and those of a commutative step by color.

    Where operands have one color, the networks have a symmetry there; those of one name are paired. None where that
    choice contradicts another.
    """
    pairs: dict[int, int] = {}
    taken: dict[int, int] = {}
    certain = deque([(len(ours.steps) - 1, len(theirs.steps) - 1)])
    symmetric: deque[tuple[list[int], list[int]]] = deque()
    while certain or symmetric:
        if not certain:
            certain.extend(_by_name(*symmetric.popleft(), ours, theirs, pairs))
        left, right = certain.popleft()
        if left in pairs or right in taken:
            if pairs.get(left) != right:
                return None
            continue
        if one[left] != other[right]:
            return None
        pairs[left], taken[right] = right, left
        step, reference = ours.steps[left], theirs.steps[right]
        if not step.commutative:
            certain.extend(zip(step.inputs, reference.inputs, strict=True))
            continue
        for color in dict.fromkeys(one[number] for number in step.inputs):
            mine = [number for number in step.inputs if one[number] == color]
            yours = [number for number in reference.inputs if other[number] == color]
            if len(mine) != len(yours):
                return None
            if len(mine) == 1:
                certain.append((mine[0], yours[0]))
            else:
                symmetric.append((mine, yours))
    return pairs


def _by_name(
    mine: list[int], yours: list[int], ours: Canonical, theirs: Canonical, pairs: Pairs
) -> list[tuple[int, int]]:
    """Operands that nothing tells apart: as they are paired already, then by name, then in order."""
    left = list(yours)
    found = []
    for number in sorted(mine, key=lambda number: number not in pairs):
        place = ours.steps[number].place
        best = min(left, key=lambda each: (pairs.get(number) != each, theirs.steps[each].place != place))
        left.remove(best)
        found.append((number, best))
    return found


def agrees(ours: Canonical, theirs: Canonical, pairs: Pairs) -> bool:
    """Whether pairs are an isomorphism: one to one, equal steps on paired operands, weights one to one too."""
    everything = len(ours.steps)
    if len(theirs.steps) != everything or len(pairs) != everything or len(set(pairs.values())) != everything:
        return False
    for left, right in pairs.items():
        step, reference = ours.steps[left], theirs.steps[right]
        read, wanted = [pairs[number] for number in step.inputs], list(reference.inputs)
        if step.commutative:
            read, wanted = sorted(read), sorted(wanted)
        if label(step) != label(reference) or read != wanted:
            return False
    keys = list(_keys(ours, theirs, pairs))
    return len(set(keys)) == len({key for key, _ in keys}) == len({key for _, key in keys})


def _keys(ours: Canonical, theirs: Canonical, pairs: Pairs) -> Iterable[tuple[str, str]]:
    for left, right in sorted(pairs.items()):
        step, reference = ours.steps[left], theirs.steps[right]
        for slot, other in zip(step.state, reference.state, strict=True):
            yield slot.key, other.key


def key_pairs(ours: Canonical, theirs: Canonical, pairs: Pairs) -> dict[str, str]:
    """State-dict keys of the one network to those of the other, over an isomorphism."""
    return dict(_keys(ours, theirs, pairs))


def random_order(form: Canonical) -> list[CanonicalStep]:
    """The steps that draw random numbers, in the order in which they are executed."""
    return sorted((step for step in form.steps if step.operation in RANDOM), key=lambda step: step.source)
