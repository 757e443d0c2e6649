"""Joining the ways between two values of a network in series and in parallel, until nothing can be joined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Reads = Mapping[str, Sequence[str]]
"""What each node reads, by name, in topological order."""

END = ""
"""The name of a reader of all results, so that several results have one end."""

# A joined way refers to its parts, because lists of them would be copied at every step.


@dataclass(slots=True)
class SingleRead:
    """A node reads a value; ``position`` is its place among what the node reads."""

    position: int


@dataclass(slots=True)
class InSeries:
    """A way to the value ``at``, then one from it."""

    first: Link
    at: str
    second: Link
    position: int


@dataclass(slots=True)
class InParallel:
    """Ways between the same two values."""

    ways: list[Link]
    position: int


@dataclass(slots=True)
class Irreducible:
    """Ways that do not reduce, by target and source."""

    ways: list[tuple[str, str, Link]]
    position: int


Link = SingleRead | InSeries | InParallel | Irreducible
Ways = dict[str, dict[str, Link]]
"""The ways that end in a value, by the value where they begin."""


def reduced(reads: Reads, source: str, results: Iterable[str]) -> Link | None:
    """All ways from ``source`` to ``results`` as one way; None if there are none."""
    ways, order = _needed(reads, source, results)
    if not ways:
        return None
    _reduce(ways, order)
    return _left(ways, [name for name in order if name in ways], source, END, nested=0)


def _needed(reads: Reads, source: str, results: Iterable[str]) -> tuple[Ways, list[str]]:
    """The ways that lie between the source and the results, and the nodes that they end in, in order."""
    after_source = {source}
    for name, inputs in reads.items():
        if any(each in after_source for each in inputs):
            after_source.add(name)
    ends = [name for name in dict.fromkeys(results) if name in after_source]
    read: set[str] = set()
    needed = set(ends)
    order = [name for name in reads if name in after_source and name != source]
    for name in reversed(order):
        if name in needed:
            inside = [each for each in reads[name] if each in after_source]
            read.update(inside)
            needed.update(inside)
    order = [name for name in order if name in needed]
    last = [name for name in ends if name not in read]
    ways: Ways = {}
    for name in order:
        ways[name] = _grouped(each if each in after_source else None for each in reads[name])
    ways[END] = _grouped(last)
    return (ways, [*order, END]) if order else ({}, [])


def _grouped(inputs: Iterable[str | None]) -> dict[str, Link]:
    found: dict[str, Link] = {}
    for position, name in enumerate(inputs):
        if name is not None:
            found[name] = _side_by_side(found.get(name), SingleRead(position))
    return found


def _side_by_side(old: Link | None, new: Link) -> Link:
    if old is None:
        return new
    if isinstance(old, InParallel):
        old.ways.append(new)
        old.position = min(old.position, new.position)
        return old
    return InParallel([old, new], min(old.position, new.position))


def _reduce(ways: Ways, order: Sequence[str]) -> None:
    """Join in series and in parallel until nothing can be joined. Joined ways are removed from ``ways``."""
    readers: dict[str, dict[str, None]] = {}
    for name in order:
        for each in ways[name]:
            readers.setdefault(each, {})[name] = None
    waiting = list(reversed(order))
    while waiting:
        name = waiting.pop()
        if name not in ways or name == END or len(ways[name]) != 1 or len(readers[name]) != 1:
            continue
        (before, first), (after,) = *ways.pop(name).items(), readers.pop(name)
        second = ways[after].pop(name)
        ways[after][before] = _side_by_side(ways[after].get(before), InSeries(first, name, second, second.position))
        del readers[before][name]
        readers[before][after] = None
        waiting += [before, after]  # each may have lost a way, if two of them were joined


_NESTED = 30
"""How deep tangles may be nested: a tangle is walked once for every tangle around it."""


def _left(ways: Ways, order: list[str], source: str, end: str, nested: int) -> Link:
    """The remaining ways between two values, cut at the values that all ways pass; ``order`` leaves out the source."""
    if len(order) == 1 and len(ways[end]) == 1:
        return ways[end][source]
    found: Link | None = None
    begin, piece = source, list[str]()
    for name in _with_cuts(ways, order, source):
        if name is not None:
            piece.append(name)
            continue
        at = piece[-1]
        link = _between(ways, piece, begin, at, nested)
        found = link if found is None else InSeries(found, begin, link, link.position)
        begin, piece = at, []
    assert found is not None
    return found


def _with_cuts(ways: Ways, order: list[str], source: str) -> Iterable[str | None]:
    """The values in order, and None after each one that every way passes."""
    place = {source: -1, **{name: number for number, name in enumerate(order)}}
    last = dict.fromkeys(place, 0)
    for number, name in enumerate(order):
        for each in ways[name]:
            last[each] = number
    reach = last[source]
    for number, name in enumerate(order):
        yield name
        if reach <= number:
            yield None
        reach = max(reach, last[name])


def _between(ways: Ways, piece: list[str], source: str, end: str, nested: int) -> Link:
    """The ways between two values that no value separates: parallel ways, or a tangle."""
    inside = piece[:-1]
    if not inside:
        return ways[end][source]
    groups = _connected(ways, inside)
    direct = ways[end].get(source)
    if nested >= _NESTED or (len(groups) == 1 and direct is None):
        rest = [(name, each, link) for name in piece for each, link in ways[name].items()]
        return Irreducible(rest, min(link.position for link in ways[end].values()))
    found = direct
    for group in groups:
        members = set(group)
        own = {name: ways[name] for name in group}
        own[end] = {each: link for each, link in ways[end].items() if each in members}
        found = _side_by_side(found, _left(own, [*group, end], source, end, nested + 1))
    assert found is not None
    return found


def _connected(ways: Ways, inside: list[str]) -> list[list[str]]:
    """The values in groups that no way connects, each in order."""
    group = {name: name for name in inside}

    def root(name: str) -> str:
        while group[name] != name:
            group[name] = name = group[group[name]]
        return name

    for name in inside:
        for each in ways[name]:
            if each in group:
                group[root(each)] = root(name)
    found: dict[str, list[str]] = {}
    for name in inside:
        found.setdefault(root(name), []).append(name)
    return list(found.values())
