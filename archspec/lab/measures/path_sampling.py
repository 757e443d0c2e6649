"""Drawing paths of a given length, each with the same probability."""

from __future__ import annotations

import random
from collections.abc import Sequence


class PathSampler:
    """Paths through merges in a row, as a choice at each: 0 for the shortcut, n for the n-th residual branch.

    Args:
        branches: how many residual branches each merge has.
        generator: what draws.

    >>> sampler = PathSampler([1, 1, 2], random.Random(0))
    >>> sampler.count(2), sum(way > 0 for way in sampler.path(2))
    (5, 2)
    """

    def __init__(self, branches: Sequence[int], generator: random.Random) -> None:
        self.branches, self.generator = branches, generator
        self.left: list[list[int]] = [[1]]
        """The number of paths of each length through the last merges: none, one, two, ..."""
        for ways in reversed(branches):
            before = self.left[-1]
            self.left.append([a + ways * b for a, b in zip([*before, 0], [0, *before], strict=True)])

    def count(self, length: int) -> int:
        """How many paths have a length."""
        return self.left[-1][length]

    def path(self, length: int) -> list[int]:
        """A path of a length, drawn uniformly from all."""
        found = []
        for place, ways in enumerate(self.branches):
            rest = self.left[len(self.branches) - place - 1]
            straight = rest[length] if length < len(rest) else 0
            longer = ways * rest[length - 1] if length else 0
            drawn = self.generator.randrange(straight + longer)
            if drawn < straight:
                found.append(0)
                continue
            found.append(1 + (drawn - straight) % ways)
            length -= 1
        return found
