"""Two groups of modules as one, where the parts that only some of them have can be left out.

Where a part is absent, what reads it reads another value: most often the part's own input. The parts of both groups are
put in one order by a longest common subsequence. Then every skeleton is compared with what the common form gives for
it.
"""

from __future__ import annotations

from collections import Counter

from archspec.graph.module_groups import AlignedPart, ModuleGroup, Skeleton

MOST_GROUPS = 60
"""Groups of one family are compared in pairs only if there are at most so many."""
MOST_OTHERS = 4
"""So many parts of one definition may differ even if fewer are common."""
MOST_PARTS = 100
"""The most parts of a group that is compared with another."""


def merged(groups: list[ModuleGroup], anywhere: bool) -> list[ModuleGroup]:
    """Fewer groups, the largest first. ``anywhere``: they are in different places, where fewer differences are allowed.

    In different places, one part may be absent, and of layers, or of one fragment, several may.
    """
    found: list[ModuleGroup] = []
    for group in groups:
        near = found if len(groups) <= MOST_GROUPS and len(group.parts) <= MOST_PARTS else []
        for place, other in enumerate(near):
            one = merge(other, group, anywhere)
            if one:
                found[place] = one
                break
        else:
            found.append(group)
    return found


def _names(group: ModuleGroup) -> set[str]:
    return {module.region.name if module.region else module.path.rpartition(".")[2] for module, _ in group.uses}


def merge(first: ModuleGroup, second: ModuleGroup, anywhere: bool, most: int = MOST_PARTS) -> ModuleGroup | None:
    """Both as one, or None where their common parts are few or not wired in the same way.

    Args:
        first, second: the groups.
        anywhere: whether they are in different places, as for :func:`merged`.
        most: how many parts may differ.
    """
    if any(getattr(first.like, name) != getattr(second.like, name) for name in ("kind", "reads")):
        return None
    if len(first.parts) > MOST_PARTS or not (first.numbered == second.numbered or _has_numbers(first, second)):
        return None
    first_labels, second_labels = (Counter(part.label for part in group.parts) for group in (first, second))
    if not _are_near(first, second, (first_labels & second_labels).total(), anywhere, most):
        return None
    pairs = _common(first, second, anywhere)
    near = _are_near(first, second, len(pairs), anywhere, most)
    return _Joining(first, second, pairs).joined() if near else None


def _has_numbers(*groups: ModuleGroup) -> bool:
    """Whether the parts of all have numbers for names, though some may be missing: of parts that are left out."""
    return all(part.path.isdigit() for group in groups for part in group.parts)


def _are_near(first: ModuleGroup, second: ModuleGroup, common: int, anywhere: bool, most: int) -> bool:
    """Whether two groups with so many common parts may be one."""
    extra = len(first.parts) + len(second.parts) - 2 * common
    contained = common == min(len(first.parts), len(second.parts))
    if extra > most:
        return False
    if not anywhere:
        return contained or extra <= max(common, MOST_OTHERS)
    return common > 0 and contained and (extra <= 1 or _names(first) == _names(second))


def _common(first: ModuleGroup, second: ModuleGroup, anywhere: bool) -> list[tuple[int, int]]:
    """The longest common subsequence of two groups' parts.

    The parts of a pair have one key. Numbers shift, so that those of a sequence in one definition are written by one
    step instead.
    """
    a, b = first.parts, second.parts
    numbered = first.numbered and second.numbered
    best = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]

    def weight(i: int, j: int) -> int:
        if a[i].label != b[j].label or not (numbered or a[i].key == b[j].key):
            return 0
        alike = None in (a[i].written, b[j].written) or a[i].written == b[j].written
        if numbered:
            return int(anywhere or alike)
        return 2 if alike or a[i].path == b[j].path else 1

    for i in range(len(a)):
        for j in range(len(b)):
            value = weight(i, j)
            matched = best[i][j] + value if value else 0
            best[i + 1][j + 1] = max(best[i][j + 1], best[i + 1][j], matched)
    pairs, i, j = [], len(a), len(b)
    while i and j:  # from the end: of parts that could be left out, the first is
        value = weight(i - 1, j - 1)
        if value and best[i][j] == best[i - 1][j - 1] + value:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif best[i][j] == best[i - 1][j]:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


class _Joining:
    """Two groups while they become one: ``of_first`` and ``of_second`` are the new numbers of their slots."""

    def __init__(self, first: ModuleGroup, second: ModuleGroup, pairs: list[tuple[int, int]]) -> None:
        self.first, self.second = first, second
        self.of_first, self.of_second = first.like.sources, second.like.sources
        self.order: list[tuple[int | None, int | None]] = []
        i = j = 0
        for a, b in [*pairs, (len(first.parts), len(second.parts))]:
            self.order += [(each, None) for each in range(i, a)] + [(None, each) for each in range(j, b)]
            if a < len(first.parts):
                self.order.append((a, b))
            i, j = a + 1, b + 1
        for number, (one, other) in enumerate(self.order):
            if one is not None:
                self.of_first[one] = number
            if other is not None:
                self.of_second[other] = number
        self.parts: list[AlignedPart] = []

    def joined(self) -> ModuleGroup | None:
        for one, other in self.order:
            a = self._moved(self.first.parts[one], self.of_first) if one is not None else None
            b = self._moved(self.second.parts[other], self.of_second) if other is not None else None
            if a and b:
                if len(a.inputs) != len(b.inputs):
                    return None
                inputs = [self._agreed(x, y) for x, y in zip(a.inputs, b.inputs, strict=True)]
                if None in inputs:
                    return None
                a.inputs = tuple([each for each in inputs if each is not None])
                a.instead = b.instead if a.instead is None else a.instead
            slot = a or b
            assert slot
            self.parts.append(slot)
        result = self._agreed(self.of_first[self.first.result], self.of_second[self.second.result])
        if result is None:
            return None
        if not (self.first.numbered and self.second.numbered) and not self._have_names():
            return None
        variants = {key: tuple([self.of_first[each] for each in places]) for key, places in self.first.variants.items()}
        for key, places in self.second.variants.items():
            variants[key] = tuple([self.of_second[each] for each in places])
        group = ModuleGroup(self.parts, result, variants, self.first.uses + self.second.uses)
        there = [set(places) for places in variants.values()]
        for number, part in enumerate(group.parts):
            optional = any(number not in places for places in there)
            if optional and part.instead is None and len(part.inputs) == 1:
                part.instead = part.inputs[0]
        return group if all(_gives(group, key) for key in variants) else None

    def _have_names(self) -> bool:
        """Give parts without keys names of their own; whether all others have one, which is no scope of others."""
        keys = [part.key for part in self.parts if part.key]
        taken = set(keys)
        for part in self.parts:
            if not part.key:
                path, number = part.path, 2
                while part.path in taken:
                    part.path, number = f"{path}_{number}", number + 1
                taken.add(part.path)
        scopes = {key[:end] for key in keys for end, character in enumerate(key) if character == "."}
        return len(keys) == len(set(keys)) and scopes.isdisjoint(keys)

    @staticmethod
    def _moved(slot: AlignedPart, numbers: dict[int, int]) -> AlignedPart:
        instead = None if slot.instead is None else numbers[slot.instead]
        inputs = tuple([numbers[each] for each in slot.inputs])
        return AlignedPart(slot.path, slot.key, slot.label, inputs, slot.written, instead)

    def _agreed(self, one: int, other: int) -> int | None:
        """What is read where a use of the first group reads slot ``one``, and one of the second reads ``other``."""
        if one == other or self._leads(one, other, 1):
            return one
        return other if self._leads(other, one, 0) else None

    def _leads(self, start: int, end: int, side: int) -> bool:
        """Whether ``start`` is absent from a group and leaves ``end`` in its place; notes the way."""
        if start <= end or start < 0:
            return start == end
        if self.order[start][side] is not None:
            return False
        slot = self.parts[start]
        if slot.instead is not None:
            return self._leads(slot.instead, end, side)
        for each in dict.fromkeys(slot.inputs):
            if self._leads(each, end, side):
                slot.instead = each
                return True
        slot.instead = end  # which it does not read, as a projection of the activated value
        return True


def _gives(group: ModuleGroup, skeleton: Skeleton) -> bool:
    """Whether a group without the parts that a skeleton lacks is wired as the skeleton."""
    places = group.variants[skeleton]
    position = skeleton.sources | {slot: number for number, slot in enumerate(places)}

    def read(slot: int | None) -> int | None:
        while slot is not None and slot not in position:
            slot = group.parts[slot].instead
        return None if slot is None else position[slot]

    wired = all(
        piece.inputs == tuple([read(each) for each in group.parts[slot].inputs])
        for slot, piece in zip(places, skeleton.pieces, strict=True)
    )
    return wired and read(group.result) == skeleton.result
