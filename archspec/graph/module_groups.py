"""Groups of modules that become one definition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from archspec.graph.plan import Call, Module

SOURCE = -1
"""The number of the value that a module reads; further ones have the numbers below it."""


class SkeletonPart(NamedTuple):
    """A member of a skeleton. ``label`` is a number for what it is; ``inputs`` are positions of members before it.

    ``key`` is its path, empty for an operation without weights and buffers: its name is in no key of the state dict,
    and may follow from its number or its kind, as ``relu2`` does.
    """

    key: str
    label: int
    inputs: tuple[int, ...]


class Skeleton(NamedTuple):
    """A module without its numbers. ``numbered``: whether the paths are 0, 1 and so on, as in ``nn.Sequential``.

    ``reads`` is how many values it reads.
    """

    kind: Literal["sequential", "block", "model"]
    pieces: tuple[SkeletonPart, ...]
    result: int
    numbered: bool
    reads: int = 1

    @property
    def sources(self) -> dict[int, int]:
        """The numbers of the values that it reads, each by itself."""
        return {SOURCE - place: SOURCE - place for place in range(self.reads)}


@dataclass(slots=True)
class AlignedPart:
    """A part of a group. ``instead`` is the value before it that takes its place where the part is absent.

    ``path`` is that of one use, where several may have names that are in no key. ``written`` is where the spec has it,
    which tells parts of one label apart.
    """

    path: str
    key: str
    label: int
    inputs: tuple[int, ...]
    written: object = None
    instead: int | None = None


@dataclass(slots=True, eq=False)
class ModuleGroup:
    """Modules that become one definition.

    ``variants`` has, for each skeleton, the slots of its pieces. ``uses`` are the modules, in the end in the order of
    the network.
    """

    parts: list[AlignedPart]
    result: int
    variants: dict[Skeleton, tuple[int, ...]]
    uses: list[tuple[Module, Skeleton]] = field(default_factory=list)

    @property
    def like(self) -> Skeleton:
        """One of its skeletons: all have the same kind."""
        return next(iter(self.variants))

    @property
    def numbered(self) -> bool:
        """Whether all its skeletons are: where one leaves out a number, each part has its key."""
        return all(each.numbered for each in self.variants)

    def members(self) -> list[list[Call | Module | None]]:
        """For each slot, the member that each use has there."""
        found: list[list[Call | Module | None]] = [[None] * len(self.uses) for _ in self.parts]
        for number, (module, skeleton) in enumerate(self.uses):
            for slot, member in zip(self.variants[skeleton], module.members, strict=True):
                found[slot][number] = member
        return found
