"""Which operations first copy their input because of its strides in memory. The rules are torch's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from archspec.analysis.indexed import IndexedGraph, Kind
from archspec.graph.storage import channels_last
from archspec.operations.effects import Reads, Strides, merged
from archspec.operations.shapes import Shape


class Reordered(NamedTuple):
    """The positions of nodes whose input has another layout than they read, and of those that have to copy it.

    torch takes another path for the former even where a view puts the channels last.
    """

    otherwise: frozenset[int] = frozenset()
    copied: frozenset[int] = frozenset()


def reordered(network: IndexedGraph, written: Mapping[int, int], batch: int, *, training: bool) -> Reordered:
    """Which nodes of a network rearrange their input, for a batch of this size, in training or in eval mode.

    A linear layer at every position and a layer norm over channels leave channels last, which others keep; slices and
    subsamples leave gaps. With one channel, one position or one example, several orders are the same.

    Args:
        written: for each node that writes over an input, which input.
    """
    if not any(map(_unusual, network.kinds)):
        return Reordered()
    layouts, made = [facts.layout for facts in network.facts], [node.shape for node in network.nodes]
    last = channels_last(network.sources, layouts, network.shapes, made, written)
    views: dict[int, Strides] = {}
    otherwise: set[int] = set()
    copied: set[int] = set()
    for position, (facts, alias) in enumerate(zip(network.facts, network.aliases(training=training), strict=True)):
        if not alias and not facts.reads:
            continue
        source, shape = network.sources[position][0], network.shapes[position][0]
        strides = views.get(source) or dense(batch, shape, last=last[source])
        if alias:
            view = network.nodes[position].operation.view_strides(network.shapes[position], strides)
            if view:
                views[position] = view
            else:
                otherwise.add(position)
                copied.add(position)
        elif not _fits(facts.reads, (batch, *shape), strides):
            otherwise.add(position)
            if facts.reads != "last" or merged((batch, *shape[1:]), _moved(strides)[:-1]) is None:
                copied.add(position)
    return Reordered(frozenset(otherwise), frozenset(copied))


def dense(batch: int, shape: Shape, *, last: bool = False) -> Strides:
    """The strides of a batch of a shape without gaps, its channels first or last.

    >>> dense(2, (3, 4, 5)), dense(2, (3, 4, 5), last=True)
    ((60, 20, 5, 1), (60, 1, 15, 3))
    """
    channels, *size = shape
    found = [channels if last else 1]
    for length in reversed(size[1:]):
        found.insert(0, found[0] * length)
    inside = math.prod(size)
    return (channels * inside, 1 if last else inside, *(found if size else ()))


def _unusual(kind: Kind) -> bool:
    """Whether an operation puts channels last, or leaves gaps."""
    facts = kind.facts
    return facts.layout == "last" or (facts.alias == "view" and facts.elements < facts.read)


def _fits(reads: Reads, sizes: Shape, strides: Strides) -> bool:
    """Whether values with these strides are read without a copy."""
    first = reads != "last" and _contiguous(sizes, strides)
    return first or (reads != "first" and _contiguous((sizes[0], *sizes[2:], sizes[1]), _moved(strides)))


def _moved(strides: Strides) -> Strides:
    """The strides with those of the channels moved behind those of the positions."""
    return (strides[0], *strides[2:], strides[1])


def _contiguous(sizes: Shape, strides: Strides) -> bool:
    """Whether elements follow each other without gaps, the last axis the fastest."""
    step = 1
    for size, stride in zip(reversed(sizes), reversed(strides), strict=True):
        if size != 1 and stride != step:
            return False
        step *= size
    return True
