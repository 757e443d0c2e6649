"""What a figure draws, before the layout: boxes, splits, runs of blocks, frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Arc = Literal["", "identity", "projection"]
"""The shortcut beside a block: thin if it is the identity, thick if it has weights."""


@dataclass(frozen=True, slots=True)
class Box:
    """One or several operations. ``above`` comes before the layer of ``text``, and ``below`` follows it.

    ``look`` colors it: the look of its operation, or ``gate``, ``stage``. ``shape`` is that of its value. ``lines``
    are the layers in a box of many layers.
    """

    nodes: tuple[str, ...]
    look: str
    text: str
    above: str = ""
    below: str = ""
    shape: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """``count`` blocks in a row, of the kind with this letter, whose inside is drawn elsewhere."""

    nodes: tuple[str, ...]
    letter: str
    text: str
    count: int
    arc: Arc
    shape: str = ""


@dataclass(frozen=True, slots=True)
class Junction:
    """Where the branches of a split meet: ``sign`` in a circle, or ``text`` in a bar."""

    nodes: tuple[str, ...]
    sign: str
    text: str
    shape: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """Parallel branches. ``main`` is the one that goes straight on; None if all are side by side.

    An empty branch is the value itself; ``names`` has the name under which the spec keeps it, or an empty text, for
    each branch. ``gates`` are the branches that scale another, and ``measured`` those of which only the size is read.
    ``merge`` is None if the branches end with the part around them.
    """

    branches: tuple[Parts, ...]
    merge: Junction | None
    main: int | None
    gates: frozenset[int] = frozenset()
    weighted: frozenset[int] = frozenset()
    names: tuple[str, ...] = ()
    measured: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Mesh:
    """A plain graph: members in topological order, and wires between them by position; -1 is the input.

    ``ends`` are the members whose values later parts read. ``names`` has the name under which the spec keeps a value,
    by the wire that passes it on to another than the next member. ``measured`` are the wires of which only the size is
    read.
    """

    members: tuple[Box | Junction, ...]
    wires: tuple[tuple[int, int], ...]
    ends: tuple[int, ...]
    names: Mapping[tuple[int, int], str] = field(default_factory=dict)
    measured: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Frame:
    """A block whose inside is drawn in place, or ``count`` equal branches of a split."""

    label: str
    parts: Parts
    shape: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class Band:
    """A stage around its parts."""

    label: str
    parts: Parts


Part = Box | Card | Split | Mesh | Frame | Band
Parts = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Inset:
    """The inside of the blocks of one kind. ``notes`` give the values of the names in it for each block."""

    letter: str
    title: str
    parts: Parts
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """All contents of a figure.

    ``outputs`` are the values at its ends that the model returns, and ``tags`` returned values that are also read; each
    has its note. ``costs`` are written at the right, after the shape of each value on the axis, below ``headings``;
    ``total`` is a sentence about the network.
    """

    title: str
    summary: str
    description: str
    input: str
    parts: Parts
    outputs: Mapping[str, str]
    tags: Mapping[str, str]
    insets: tuple[Inset, ...]
    legend: tuple[str, ...]
    headings: tuple[str, ...] = ()
    costs: tuple[tuple[str, ...], ...] = ()
    total: str = ""


def boxes(parts: Sequence[Part | Junction]) -> Iterator[Box | Card | Junction]:
    """Every part with a text, in order."""
    work = list(reversed(parts))
    while work:
        part = work.pop()
        if isinstance(part, Split):
            work += [part.merge] if part.merge else []
            work += [each for branch in reversed(part.branches) for each in reversed(branch)]
        elif isinstance(part, Frame | Band):
            work += reversed(part.parts)
        elif isinstance(part, Mesh):
            yield from part.members
        else:
            yield part
