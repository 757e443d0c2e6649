"""Pairing the weights of two networks whose graphs differ or are not known, by the order in which they are used."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

from archspec.tracing.canonical_form import CanonicalForm, Slot
from archspec.verification.match import Palette, forward, label
from archspec.verification.surroundings import Surroundings


def pair_by_order(form: CanonicalForm, executed: Sequence[Slot]) -> dict[str, str]:
    """Pair the keys of two networks in the order of execution; empty if roles or shapes disagree.

    Args:
        form: one network.
        executed: the tensors of the other network's state dict, in the order in which it uses them.
    """
    ours = [slot for step in sorted(form.steps, key=lambda step: step.source) for slot in step.state]
    if [_comparable(slot) for slot in ours] != [_comparable(slot) for slot in executed]:
        return {}
    return {slot.key: other.key for slot, other in zip(ours, executed, strict=True)}


def _comparable(slot: Slot) -> tuple[str, tuple[int, ...]]:
    """What a slot must share with its partner: the kind of buffer, and the shape without axes of length 1."""
    kind = slot.role if slot.role.startswith(("running_", "num_")) else ""
    return kind, tuple([size for size in slot.shape if size != 1])


def pair_where_graphs_differ(ours: CanonicalForm, theirs: CanonicalForm) -> dict[str, str]:
    """Pair the keys of two networks whose graphs differ; empty if a tensor of ours has no partner.

    Layers that depend on the same belong together. The others are paired in the order of execution among those that do
    the same and have the same around them, as far as that goes, and the rest among those with tensors of the same
    shapes. So it does not matter which of two branches runs first.
    """
    palette = Palette()
    found: dict[int, int] = {}
    for one, other in zip(_keys(ours, palette), _keys(theirs, palette), strict=True):
        mine, yours = _groups(ours, one, found.keys()), _groups(theirs, other, found.values())
        for key, numbers in mine.items():
            if len(numbers) == len(yours.get(key, ())):
                found.update(zip(numbers, yours[key], strict=True))
    pairs: dict[str, str] = {}
    for left, right in found.items():
        for slot, partner in zip(ours.steps[left].state, theirs.steps[right].state, strict=True):
            if pairs.setdefault(slot.key, partner.key) != partner.key:
                return {}
    wanted = {slot.key for step in ours.steps for slot in step.state}
    return pairs if pairs.keys() == wanted and len(set(pairs.values())) == len(pairs) else {}


def _keys(form: CanonicalForm, palette: Palette) -> list[Sequence[Hashable]]:
    """What steps must share to be paired, from the surest to the least sure."""
    shapes = [tuple([_comparable(slot) for slot in step.state]) for step in form.steps]
    return [forward(form, palette), *reversed(Surroundings(form, palette, label).colors), shapes]


def _groups(form: CanonicalForm, keys: Sequence[Hashable], taken: Iterable[int]) -> Mapping[Hashable, list[int]]:
    """The steps with weights that are not taken, by key, in the order of execution."""
    found: dict[Hashable, list[int]] = {}
    left = set(range(len(form.steps))) - set(taken)
    for number in sorted(left, key=lambda number: form.steps[number].source):
        if form.steps[number].state:
            found.setdefault(keys[number], []).append(number)
    return found
