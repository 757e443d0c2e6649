"""What is on the axis of a part: itself, or the main branch and the merge of a split, also of splits in splits."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.emit.figures.mesh import Meshed
from archspec.emit.figures.parts import Junction, Mesh, Part, Split
from archspec.emit.figures.place import FORK, Laid, Splitting


def along(part: Part, *, members: bool = False) -> Iterator[Part | Junction]:
    """What is on the axis of a part, in order; last what gives its value. ``members``: those of a plain graph, too."""
    if isinstance(part, Mesh) and members:
        yield from part.members
        return
    if not isinstance(part, Split):
        yield part
        return
    if part.main is not None:
        for each in part.branches[part.main]:
            yield from along(each, members=members)
    if part.merge or part.main is None:
        yield part.merge or part


def middles(part: Part, laid: Laid, top: float = 0, *, members: bool = False) -> Iterator[float]:
    """For each of these, how far its middle is below the top of the part."""
    if isinstance(laid, Meshed) and members:
        yield from [top + middle for middle in laid.middles()]
        return
    if isinstance(part, Split) and part.main is not None:
        assert isinstance(laid, Splitting), "only branches without a main branch are laid out in rows"
        y = top + FORK
        for each, inside in zip(part.branches[part.main], laid.branches[part.main].parts, strict=True):
            yield from middles(each, inside, y, members=members)
            y += inside.height
        if not part.merge:
            return
    yield top + laid.height - laid.low
