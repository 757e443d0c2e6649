"""Matching two forms: color the steps, walk back from the outputs, and check the pairs that were found.

Steps have the same color if everything that they depend on, and everything that depends on them, agrees. This is color
refinement on an acyclic graph, in one pass forward and one backward.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter, deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import networkx

from archspec.tracing.canonical_form import RANDOM, CanonicalForm, CanonicalStep

Pairs = Mapping[int, int]
"""Steps of one form to steps of the other, by number."""

ATTEMPTS = 200
"""How many isomorphisms of the colored graphs are tried if the walk meets a symmetry that it cannot resolve."""


def match(ours: CanonicalForm, theirs: CanonicalForm) -> Pairs | None:
    """Pair the steps of two forms so that each reads what its partner reads; None if they are not isomorphic."""
    if len(ours.steps) != len(theirs.steps):
        return None
    palette = Palette()
    one, other = colors(ours, palette), colors(theirs, palette)
    if Counter(one) != Counter(other):
        return None
    pairs = _walk(ours, theirs, one, other)
    if pairs is not None and agrees(ours, theirs, pairs):
        return pairs
    graphs = ours.to_networkx(one), theirs.to_networkx(other)
    candidates = itertools.islice(networkx.vf2pp_all_isomorphisms(*graphs, node_label="color"), ATTEMPTS)
    return next((found for found in candidates if agrees(ours, theirs, found)), None)


def _walk(ours: CanonicalForm, theirs: CanonicalForm, one: Sequence[int], other: Sequence[int]) -> Pairs | None:
    """Pair steps from the outputs backwards: operands by position, and those of a commutative step by color.

    Operands of the same color are a symmetry of the network. They are paired by name, once all certain pairs are
    known. None if such a guess contradicts another pair.
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
    mine: list[int], yours: list[int], ours: CanonicalForm, theirs: CanonicalForm, pairs: Pairs
) -> list[tuple[int, int]]:
    """Pair operands of the same color: as they are paired already, then by the names of their weights and their own,
    then in order."""

    def apart(number: int, each: int) -> tuple[bool, ...]:
        step, reference = ours.steps[number], theirs.steps[each]
        keys = [[slot.key for slot in one.state] for one in (step, reference)]
        return pairs.get(number) != each, keys[0] != keys[1], step.place != reference.place

    left = list(yours)
    found = []
    for number in sorted(mine, key=lambda number: number not in pairs):
        best = min(left, key=functools.partial(apart, number))
        left.remove(best)
        found.append((number, best))
    return found


def agrees(ours: CanonicalForm, theirs: CanonicalForm, pairs: Pairs) -> bool:
    """Whether pairs are an isomorphism: one to one, equal steps on paired operands, and weights one to one too."""
    if not len(ours.steps) == len(theirs.steps) == len(pairs) == len(set(pairs.values())):
        return False
    for left, right in pairs.items():
        step, reference = ours.steps[left], theirs.steps[right]
        read, wanted = [pairs[number] for number in step.inputs], list(reference.inputs)
        if step.commutative:
            read, wanted = sorted(read), sorted(wanted)
        if label(step) != label(reference) or read != wanted:
            return False
    keys = list(key_pairs(ours, theirs, pairs))
    return len(set(keys)) == len({key for key, _ in keys}) == len({key for _, key in keys})


def key_pairs(ours: CanonicalForm, theirs: CanonicalForm, pairs: Pairs) -> Iterator[tuple[str, str]]:
    """State-dict keys of one network with those of the other, for pairs that are an isomorphism of their steps."""
    for left, right in sorted(pairs.items()):
        step, reference = ours.steps[left], theirs.steps[right]
        for slot, other in zip(step.state, reference.state, strict=True):
            yield slot.key, other.key


def random_order(form: CanonicalForm) -> list[int]:
    """The steps that draw random numbers, by number, in the order of execution."""
    drawing = [number for number, step in enumerate(form.steps) if step.operation in RANDOM]
    return sorted(drawing, key=lambda number: form.steps[number].source)


# -- colors ------------------------------------------------------------------------------------------------------------


class Palette(dict[Hashable, int]):
    """Numbers things, and gives equal things the same number. It compares them, so that two colors never collide."""

    def __missing__(self, key: Hashable) -> int:
        self[key] = len(self)
        return self[key]


def label(step: CanonicalStep) -> tuple[Any, ...]:
    """What a step is by itself, without its inputs and names."""
    return step.operation, step.attributes, tuple([(slot.role, slot.shape) for slot in step.state])


def forward(form: CanonicalForm, palette: Palette) -> list[int]:
    """Colors by what each step depends on: steps that compute the same expression, names of weights aside, agree."""
    uses = form.uses()
    found: list[int] = []
    for step in form.steps:
        shared = tuple([uses[slot.key] for slot in step.state])
        found.append(palette["forward", label(step), shared, operands(step, found)])
    return found


def operands(step: CanonicalStep, colors: Sequence[int]) -> tuple[int, ...]:
    """The colors of a step's inputs, in order; sorted if the step is commutative."""
    read = [colors[number] for number in step.inputs]
    return tuple(sorted(read)) if step.commutative else tuple(read)


def backward(form: CanonicalForm, palette: Palette, colors: Sequence[int]) -> list[int]:
    """Colors refined by what depends on each step."""
    readers: list[list[tuple[int, int]]] = [[] for _ in form.steps]
    found = [0] * len(form.steps)
    for number in range(len(form.steps) - 1, -1, -1):
        step = form.steps[number]
        found[number] = palette["backward", colors[number], tuple(sorted(readers[number]))]
        for position, source in enumerate(step.inputs):
            readers[source].append((found[number], -1 if step.commutative else position))
    return found


def colors(form: CanonicalForm, palette: Palette) -> list[int]:
    """The colors of one form. To compare two forms, color both with one palette."""
    return backward(form, palette, forward(form, palette))
