"""What an operation does to memory, and how far one position of its output reads."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, NamedTuple

Layout = Literal["first", "last", "kept", "agreed"]
"""Where an output's channels lie in memory: first, last (beside each other, position by position), where those of the
first input lie, or last only where they are last in every input.
"""


Alias = Literal["", "itself", "view"]
"""How an output shares the storage of the first input: not at all, because it is that input, or as a view of it."""


Reads = Literal["", "first", "last"]
"""Where in memory an operation needs its input's channels; empty if it takes them anywhere."""


class Bytes(NamedTuple):
    """Memory beside an operation's output: ``elements`` of the network's dtype and ``each`` bytes for every example of
    the batch; ``statistics``, numbers of at least float32, for every example, and ``shared`` such numbers whatever the
    batch is.
    """

    elements: int = 0
    each: int = 0
    statistics: int = 0
    shared: int = 0

    def total(self, batch: int, itemsize: int) -> int:
        """The bytes for a batch, at ``itemsize`` bytes an element."""
        precise = max(itemsize, 4)
        return batch * (self.elements * itemsize + self.each + self.statistics * precise) + self.shared * precise


class Saved(NamedTuple):
    """What torch keeps of an operation for its backward pass: some of its inputs, its output, and more memory."""

    inputs: tuple[int, ...] = ()
    output: bool = False
    more: Bytes = Bytes()


NOTHING = Bytes()
"""No memory beside the output."""


class Reach(NamedTuple):
    """What one output position reads along one spatial axis: ``extent`` positions, from ``padding`` before on.

    Neighbors read ``stride`` positions apart: position ``p`` reads from ``floor(p * stride - padding)`` on. For an
    operation that enlarges, the stride is a fraction: 1/2 for nearest-neighbor upsampling by 2.
    """

    extent: int = 1
    stride: int | Fraction = 1
    padding: int | Fraction = 0


HERE = (Reach(),)
"""The reach along one axis of an operation whose output positions each read the same input position."""


class Everywhere(NamedTuple):
    """The reach of an operation whose every output reads the whole map: global pooling, flattening."""


EVERYWHERE = Everywhere()
