"""Puts blocks of a stage in another order; each takes its weights along."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from archspec import arguments
from archspec.diagnostics import Diagnostic, SpecError, cut, did_you_mean
from archspec.graph.graph import Graph, Node, Region
from archspec.graph.residual import foreign_reads
from archspec.operations.shapes import show_shape


def reordered(graph: Graph, order: Mapping[str, str]) -> Graph:
    """The graph in which blocks run at each other's places (Veit et al. 2016, section 4.3).

    A block keeps its names wherever it runs, so the state dict of the original network loads, and each block takes its
    weights along. The graph has no ``origin`` any more, because it is not what the spec says.

    Args:
        graph: the network.
        order: for the place of each block that moves, by its scope, the scope of the block that runs there. Blocks that
            change places are in the same stage, and turn the same shape into the same shape.

    Raises:
        SpecError: E871, blocks cannot change places; all such pairs are named.
        TypeError: an argument of the wrong type.
        ValueError: the network has no block of this scope, or a block would run twice or not at all.

    >>> import archspec
    >>> graph = archspec.compile("resnet20_cifar")
    >>> swapped = reordered(graph, {"layer1.0": "layer1.2", "layer1.2": "layer1.0"})
    >>> [block.scope for block in swapped.blocks(swapped.stages[0])]
    ['layer1.2', 'layer1.1', 'layer1.0']
    """
    arguments.instance(graph, "graph", Graph, "a Graph, which `archspec.compile` gives")
    arguments.instance(order, "order", Mapping, "a mapping of scopes such as {'layer1.0': 'layer1.1', ...}")
    takes = "a scope such as 'layer1.0'"
    moves = {arguments.text(place, "order", takes): arguments.text(order[place], "order", takes) for place in order}
    if sorted(moves) != sorted(moves.values()):
        wrong = next(scope for scope in (*moves, *moves.values()) if [*moves.values()].count(scope) != (scope in moves))
        raise ValueError(f"`order` must name each block once as a place and once as what runs there: `{cut(wrong)}`")
    regions = _regions(graph, moves)
    pairs = [(regions[place], regions[block]) for place, block in moves.items() if place != block]
    faults = [fault for place, block in pairs for fault in _faults(graph, place, block)]
    if faults:
        raise SpecError(faults)
    return _moved(graph, pairs) if pairs else graph


def _regions(graph: Graph, scopes: Iterable[str]) -> dict[str, Region]:
    """The block in each of these scopes.

    Raises:
        ValueError: there is none, or there are several.
    """
    found: dict[str, list[Region]] = {}
    for region in graph.regions:
        if region.kind == "block":
            found.setdefault(region.scope, []).append(region)
    for scope in scopes:
        if scope not in found:
            advice = did_you_mean(scope, found) or "`archspec.residual_blocks` lists the blocks"
            raise ValueError(f"`order` names `{cut(scope)}`, and `{graph.name}` has no such block: {advice}")
        if len(found[scope]) > 1:
            raise ValueError(f"`order` names `{cut(scope)}`, the scope of {len(found[scope])} blocks")
    return {scope: regions[0] for scope, regions in found.items()}


def _faults(graph: Graph, place: Region, block: Region) -> list[Diagnostic]:
    """Why a block cannot run at the place of another, if it cannot."""
    before = [graph.shape(block.source), graph.shape(block.result)]
    after = [graph.shape(place.source), graph.shape(place.result)]
    firsts = place.first, block.first
    foreign = foreign_reads(graph, block) or _read_inside(graph, block)
    if not any(stage.first <= min(firsts) and max(firsts) < stage.last for stage in graph.stages):
        reason = "they are not in the same stage"
    elif before != after:
        reason = "one turns {} into {}, the other {} into {}".format(*map(show_shape, before + after))
    elif foreign:
        reason = f"`{cut(foreign[0])}` is read across the boundary of `{cut(block.scope)}`"
    else:
        return []
    message = f"`{cut(block.scope)}` cannot run at the place of `{cut(place.scope)}`: {reason}"
    return [Diagnostic("E871", message, block.span, help="exchange blocks of the same stage that keep the shape")]


def _read_inside(graph: Graph, region: Region) -> list[str]:
    """The values of a region that nodes after it read, other than its result."""
    inside = {node.name for node in graph.nodes[region.first : region.last]} - {region.result}
    return [name for node in graph.nodes[region.last :] for name in node.inputs if name in inside]


def _moved(graph: Graph, moves: Sequence[tuple[Region, Region]]) -> Graph:
    """The graph with the nodes of one region where those of another were.

    Args:
        moves: for each region, the one that takes its place.
    """
    results = {place.result: block.result for place, block in moves}
    sources = {block.first: (block, results.get(place.source, place.source)) for place, block in moves}
    """The regions that move by their first nodes, and what they read."""
    order: list[int] = []
    nodes: list[Node] = []
    done = 0
    for place, block in sorted(moves, key=lambda move: move[0].first):
        order += (*range(done, place.first), *range(block.first, block.last))
        nodes += (
            *_reading(graph.nodes[done : place.first], results),
            *_reading(graph.nodes[block.first : block.last], {block.source: sources[block.first][1]}),
        )
        done = place.last
    order += range(done, len(graph.nodes))
    nodes += _reading(graph.nodes[done:], results)
    now = sorted(range(len(order)), key=order.__getitem__)  # where each node is

    def moved(region: Region) -> Region:
        places = now[region.first : region.last] or [region.first - 1]
        block, before = sources.get(_start(starts, region), (None, ""))
        source, result = results.get(region.source, region.source), results.get(region.result, region.result)
        if block and region.last <= block.last:
            source, result = before if region.source == block.source else region.source, region.result
        return replace(region, first=min(places), last=max(places) + 1, source=source, result=result)

    starts = sorted(sources)
    return replace(
        graph,
        nodes=tuple(nodes),
        outputs={label: results.get(name, name) for label, name in graph.outputs.items()},
        regions=tuple(sorted(map(moved, graph.regions), key=lambda region: (region.first, -region.last))),
        named=tuple(map(moved, graph.named)),
        origin=None,
    )


def _start(starts: Sequence[int], region: Region) -> int:
    """The last of some sorted positions that is not after the region's first; -1 without any."""
    place = bisect_right(starts, region.first)
    return starts[place - 1] if place else -1


def _reading(nodes: Sequence[Node], instead: Mapping[str, str]) -> list[Node]:
    """The nodes with other inputs."""
    return [node._replace(inputs=tuple([instead.get(name, name) for name in node.inputs])) for node in nodes]
