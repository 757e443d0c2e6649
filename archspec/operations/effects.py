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


Reads = Literal["", "first", "last", "dense"]
"""Where in memory an operation needs its input's channels, without gaps: first, last, or either (``dense``); empty: it
takes them anywhere.
"""

Strides = tuple[int, ...]
"""How far apart in memory the neighbors along each axis are, in elements; the axis of the batch comes first."""


def merged(sizes: tuple[int, ...], strides: Strides) -> int | None:
    """The stride of several axes as one, in the order of their elements; None where no single stride reaches all.

    >>> merged((3, 4), (4, 1)), merged((3, 4), (8, 2)), merged((3, 4), (5, 1))
    (1, 2, None)
    """
    found, step = 1, 0
    for size, stride in zip(reversed(sizes), reversed(strides), strict=True):
        if size == 1:
            continue
        if not step:
            found = stride
        elif stride != step:
            return None
        step = size * stride
    return found


def regrouped_strides(sizes: tuple[int, ...], strides: Strides, regrouped: tuple[int, ...]) -> Strides | None:
    """The strides of the same elements as other axes, in order; None where no strides reach all. The rule is torch's.

    >>> regrouped_strides((6, 4), (4, 1), (3, 2, 2, 2)), regrouped_strides((3, 4), (1, 3), (12,))
    ((8, 4, 2, 1), None)
    """
    found, left = [0] * len(regrouped), len(regrouped) - 1
    whole = part = 1
    base = strides[-1]
    for axis in range(len(sizes) - 1, -1, -1):
        base = strides[axis] if whole == 1 else base
        whole *= sizes[axis]
        if axis and (sizes[axis - 1] == 1 or strides[axis - 1] == whole * base):
            continue  # it goes on in the axis before
        while left >= 0 and (part < whole or regrouped[left] == 1):
            found[left] = part * base
            part *= regrouped[left]
            left -= 1
        if part != whole:
            return None
        whole = part = 1
    return tuple(found) if left < 0 else None


class Bytes(NamedTuple):
    """Memory beside an operation's output: ``elements`` of the network's dtype and ``each`` bytes for every example of
    the batch; ``statistics``, numbers of at least float32, for every example, and ``shared`` such numbers whatever the
    batch is. ``once``: elements of the network's dtype whatever the batch is.
    """

    elements: int = 0
    each: int = 0
    statistics: int = 0
    shared: int = 0
    once: int = 0

    def total(self, batch: int, itemsize: int) -> int:
        """The bytes for a batch, at ``itemsize`` bytes an element."""
        precise = max(itemsize, 4)
        of_batch = batch * (self.elements * itemsize + self.each + self.statistics * precise)
        return of_batch + self.shared * precise + self.once * itemsize

    def __add__(self, other: object) -> Bytes:
        """Both together."""
        if not isinstance(other, Bytes):
            return NotImplemented
        return Bytes(*[one + more for one, more in zip(self, other, strict=True)])


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

    ``end``: position ``p`` reads up to, and with, ``floor(p * stride + end)``, as in adaptive pooling and in transposed
    convolutions. The windows then differ in size, and ``extent`` is the largest. A window may be empty.
    """

    extent: int = 1
    stride: int | Fraction = 1
    padding: int | Fraction = 0
    end: int | Fraction | None = None


HERE = (Reach(),)
"""The reach along one axis of an operation whose output positions each read the same input position."""


class Everywhere(NamedTuple):
    """The reach of an operation whose every output reads the whole map: global pooling, flattening."""


EVERYWHERE = Everywhere()
