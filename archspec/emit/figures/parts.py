"""What a figure draws, before anything has a place: boxes, splits, runs of blocks, frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Arc = Literal["", "identity", "projection"]
"""The shortcut beside a block: thin where it is the value itself, thick where it has weights."""


@dataclass(frozen=True, slots=True)
class Box:
    """One or several operations. ``above`` is what comes before the layer of ``text``, ``below`` what follows it.

    ``look`` colors it: the look of its operation, or ``gate``, ``stage``. ``shape`` is that of its value. ``lines``
    are the layers that a box of many has.
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
    """Where the ways of a split meet: ``sign`` in a circle, or ``text`` in a bar."""

    nodes: tuple[str, ...]
    sign: str
    text: str
    shape: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """Ways beside each other. ``main`` is the one that goes straight on; None where all of them stand side by side.

    An empty branch is the value itself. ``gates`` are the branches that scale another. ``merge`` is None where the ways
    end with what is around them.
    """

    branches: tuple[Parts, ...]
    merge: Junction | None
    main: int | None
    gates: frozenset[int] = frozenset()
    weighted: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Mesh:
    """A plain graph: members in topological order, and wires between them by position; -1 is what enters.

    ``ends`` are the members whose values go on.
    """

    members: tuple[Box | Junction, ...]
    wires: tuple[tuple[int, int], ...]
    ends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """A block whose inside is drawn where it stands; or ``count`` equal ways of a split."""

    label: str
    parts: Parts
    shape: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class Band:
    """A stage, around the parts of it."""

    label: str
    parts: Parts


Part = Box | Card | Split | Mesh | Frame | Band
Parts = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Inset:
    """The inside of the blocks of one kind. ``notes`` say what the names in it are in each block."""

    letter: str
    title: str
    parts: Parts
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """All that a figure says.

    ``outputs`` are the values at its ends that the model returns, ``tags`` those that are read further; each with what
    is written there. ``costs`` are what is written at the right of each part behind its shape, below ``headings``;
    ``total`` is a sentence about the whole.
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


def boxes(parts: Parts) -> Iterator[Box | Card | Junction]:
    """Everything with a text of its own, in order."""
    work = list(reversed(parts))
    while work:
        part: Part | Junction = work.pop()
        if isinstance(part, Split):
            work += [part.merge] if part.merge else []  # type: ignore[list-item]
            work += [each for branch in reversed(part.branches) for each in reversed(branch)]
        elif isinstance(part, Frame | Band):
            work += reversed(part.parts)
        elif isinstance(part, Mesh):
            yield from part.members
        else:
            yield part
