"""What each block of a network adds to: its merge, its shortcut and its residual. It needs no torch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from archspec.diagnostics import Span
from archspec.graph.graph import INPUT, Graph, Node, Region
from archspec.wording import Brief

Kind = Literal["identity", "parameter-free", "projection", "concatenation", "none"]


@dataclass(frozen=True, slots=True, repr=False)
class ResidualBlock(Brief):
    """A block as a residual network's paper draws it: ``y = shortcut(x) + residual(x)``, with names of values.

    ``scope`` and ``name`` are the block's in the model and in the spec, ``stage`` the scope of its stage. It turns the
    value ``source`` into the value ``result``. Every way through it parts at the value ``fork`` and meets in the node
    ``merge``, which reads ``shortcut`` and each of ``residuals``. What comes before the fork, such as an activation
    that both ways read, and after the merge, belongs to neither.

    ``kind`` is what the shortcut is: the ``identity``, ``parameter-free`` (subsampling, zeros for new channels,
    pooling), a ``projection`` with weights, a ``concatenation`` beside the channels of the residual (DenseNet), or
    ``none``. Then ``reason`` says why, and ``fork``, ``merge``, ``shortcut`` and ``residuals`` are empty.
    ``downsamples``: the result has fewer positions than the source. ``keeps_shape``: both have the same shape.

    >>> import archspec
    >>> archspec.residual_blocks("resnet18")[0].residuals
    ('layer1.0.bn2',)
    """

    scope: str
    name: str
    stage: str
    source: str
    result: str
    kind: Kind
    fork: str = ""
    merge: str = ""
    shortcut: str = ""
    residuals: tuple[str, ...] = ()
    downsamples: bool = False
    keeps_shape: bool = True
    reason: str = ""
    span: Span | None = None

    @property
    def residual(self) -> str:
        """The value that the merge reads beside the shortcut, or the first of several; empty without any."""
        return self.residuals[0] if self.residuals else ""


def find_residual_blocks(graph: Graph) -> tuple[ResidualBlock, ...]:
    """The residual blocks of a graph, in order; :func:`archspec.residual_blocks` says more."""
    found: list[ResidualBlock] = []
    stage: Region | None = None
    for region in graph.regions:  # a stage comes before its blocks
        if region.kind == "stage":
            stage = region
            continue
        within = stage and stage.first <= region.first and region.last <= stage.last
        found += _of_block(graph, region, stage.scope if stage and within else "")
    return tuple(found)


def foreign_reads(graph: Graph, region: Region) -> list[str]:
    """The values that the nodes of a region read from outside it, beside its source."""
    inside = {region.source}
    found: dict[str, None] = {}
    for name, _, inputs, _, _ in graph.nodes[region.first : region.last]:
        if not inside.issuperset(inputs):
            found.update(dict.fromkeys([each for each in inputs if each not in inside]))
        inside.add(name)
    return list(found)


def _of_block(graph: Graph, region: Region, stage: str) -> Iterator[ResidualBlock]:
    """The residual blocks of one block: one, or as many as it has merges one after another."""
    foreign = foreign_reads(graph, region)
    cuts = [] if foreign else _cuts(graph, region)
    merges = [(fork, node) for fork, node in zip([region.source, *[c.name for c in cuts]], cuts, strict=False)]
    if region.shortcut:  # then it goes into the last merge, also where both ways are joined
        merges = [(fork, node) for fork, node in merges if len(node.inputs) > 1][-1:]
    else:
        merges = [(fork, node) for fork, node in merges if _is_residual(graph, fork, node)]
    source = region.source
    for number, (fork, node) in enumerate(merges, start=1):
        last = number == len(merges)
        shortcut = _shortcut(graph, region, fork, node)
        position = node.inputs.index(shortcut)
        yield _block(
            graph,
            region,
            stage,
            source,
            region.result if last else node.name,
            kind=_kind(graph, region, fork, node, shortcut),
            fork=fork,
            merge=node.name,
            shortcut=shortcut,
            residuals=(*node.inputs[:position], *node.inputs[position + 1 :]),
        )
        source = node.name
    if not merges:
        reason = f"it also reads `{foreign[0]}`, from outside the block" if foreign else _reason(graph, region, cuts)
        yield _block(graph, region, stage, source, region.result, kind="none", reason=reason)


def _block(
    graph: Graph,
    region: Region,
    stage: str,
    source: str,
    result: str,
    *,
    kind: Kind,
    fork: str = "",
    merge: str = "",
    shortcut: str = "",
    residuals: tuple[str, ...] = (),
    reason: str = "",
) -> ResidualBlock:
    before, after = graph.shape(source), graph.shape(result)
    return ResidualBlock(
        scope=region.scope,
        name=region.name,
        stage=stage,
        source=source,
        result=result,
        kind=kind,
        fork=fork,
        merge=merge,
        shortcut=shortcut,
        residuals=residuals,
        downsamples=any(new < old for old, new in zip(before[1:], after[1:], strict=False)),
        keeps_shape=before == after,
        reason=reason,
        span=region.span,
    )


def _cuts(graph: Graph, region: Region) -> list[Node]:
    """The nodes that every way from the source of a region to its result goes through, in order."""
    needed = {region.result}
    nodes: list[Node] = []
    for node in reversed(graph.nodes[region.first : region.last]):
        if node.name in needed:
            needed.update(node.inputs)
            nodes.append(node)
    nodes.reverse()
    last_read = {name: position for position, node in enumerate(nodes) for name in node.inputs}
    found, reach = [], last_read.get(region.source, -1)
    for position, node in enumerate(nodes):
        if reach <= position:
            found.append(node)
        reach = max(reach, last_read.get(node.name, -1))
    return found


def _is_residual(graph: Graph, fork: str, node: Node) -> bool:
    """Whether a node adds what it reads, or joins it with what it is computed from."""
    if len(node.inputs) < 2 or node.operation.gates(graph.input_shapes(node)):
        return False
    return node.operation.sums or (node.operation.joins and fork in node.inputs)


def _shortcut(graph: Graph, region: Region, fork: str, merge: Node) -> str:
    """Which input of a merge is the shortcut.

    The one that the spec calls so, which comes first; else the identity, the way with the fewest layers, or the first.
    """
    if region.shortcut:
        return merge.inputs[0]
    if fork in merge.inputs:
        return fork
    layers = {fork: 0}  # the fewest on a way to each value
    for node in graph.nodes[region.first : region.last]:
        read = [layers[name] for name in node.inputs if name in layers]
        if read:
            layers[node.name] = min(read) + node.operation.weighted
    return min(merge.inputs, key=lambda name: layers.get(name, 0))


def _kind(graph: Graph, region: Region, fork: str, merge: Node, shortcut: str) -> Kind:
    if merge.operation.joins:
        return "concatenation"
    if shortcut == fork:
        return "identity"
    nodes = way(graph, region, fork, shortcut)
    return "projection" if any(node.operation.weights(graph.input_shapes(node)) for node in nodes) else "parameter-free"


def way(graph: Graph, region: Region, start: str, end: str) -> list[Node]:
    """The nodes of a region from which the value ``end`` is computed, back to the value ``start``, in order."""
    return ancestors(graph.nodes[region.first : region.last], {end}, {start})


def ancestors(nodes: Sequence[Node], ends: Collection[str], starts: Collection[str]) -> list[Node]:
    """Those of ``nodes`` that the values ``ends`` are computed from, back to the values ``starts``, in order."""
    wanted = set(ends).difference(starts)
    found = []
    for node in reversed(nodes):
        if node.name in wanted:
            found.append(node)
            wanted.update([name for name in node.inputs if name not in starts and name != INPUT])
    return found[::-1]


def _reason(graph: Graph, region: Region, cuts: Sequence[Node]) -> str:
    """Why a block has no shortcut, from the nodes that every way through it passes."""
    for fork, node in reversed(list(zip([region.source, *[cut.name for cut in cuts]], cuts, strict=False))):
        shapes = graph.input_shapes(node)
        gated = node.operation.gates(shapes) - node.operation.measured(shapes)
        if len(node.inputs) > 1 and node.operation.joins:
            return f"its ways are joined in `{node.name}`, and none of them is the whole input"
        if len(node.inputs) > 1 and not gated:
            return f"its ways meet in `{node.name}`, which is not an addition"
        if gated and fork == region.source:
            return f"its ways are multiplied in `{node.name}`, not added"
    return "it has no shortcut"
