"""Which values share storage, and where their channels are in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from archspec.operations.effects import Alias, Layout
from archspec.operations.shapes import Shape

SOURCE = -1
"""The position of the network's input. A list with one place more than there are nodes has it last."""

NOWHERE: Mapping[int, int] = MappingProxyType({})


def storages(
    sources: Sequence[Sequence[int]],
    aliases: Sequence[Alias],
    *,
    written: Mapping[int, int] = NOWHERE,
    copied: Collection[int] = (),
) -> list[int]:
    """For each node, and last for the network's input, the position of the node that made its storage.

    Args:
        sources: the positions of each node's inputs.
        aliases: how each node's output shares the storage of its first input.
        written: for each node that writes over an input, which input.
        copied: the nodes whose output would be a view, but whose input has to be copied first.

        >>> storages([(SOURCE,), (0,), (1,)], ["", "view", ""], written={2: 0})
        [0, 0, 0, -1]
    """
    roots = [*range(len(sources)), SOURCE]
    for position, alias in enumerate(aliases):
        if alias and position not in copied:
            roots[position] = roots[sources[position][0]]
        elif position in written:
            roots[position] = roots[sources[position][written[position]]]
    return roots


def channels_last(
    sources: Sequence[Sequence[int]],
    layouts: Sequence[Layout],
    shapes: Sequence[Sequence[Shape]],
    made: Sequence[Shape],
    written: Mapping[int, int] = NOWHERE,
) -> list[bool]:
    """For each node, and last for the network's input, whether its channels are adjacent in memory.

    A linear layer at every position and a layer norm over channels leave them so, which other operations keep.

    Args:
        sources: the positions of each node's inputs.
        layouts: what each node does to the order of its input.
        shapes: the shapes of each node's inputs.
        made: the shape of each node's output.
        written: for each node that writes over an input, which input. It keeps the order.
    """
    last = [False] * (len(layouts) + 1)
    for position, layout in enumerate(layouts):
        if position in written:
            last[position] = last[sources[position][written[position]]]
        elif layout == "agreed":
            last[position] = all(last[source] for source in sources[position])
        elif layout == "kept":
            # The layout of the first operand of full size. A gate fits either layout.
            read, shape = shapes[position], made[position]
            last[position] = last[sources[position][read.index(shape) if len(read) > 1 and shape in read else 0]]
        else:
            last[position] = layout == "last"
    return last
