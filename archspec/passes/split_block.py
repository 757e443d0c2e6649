"""Splits a residual block into its shortcut, its residuals, and what comes after the merge."""

from __future__ import annotations

from dataclasses import dataclass, replace

from archspec import arguments
from archspec.diagnostics import Diagnostic, SpecError, cut
from archspec.graph.graph import INPUT, Graph, Node
from archspec.graph.residual import ResidualBlock, ancestors
from archspec.graph.state import tensors_of
from archspec.operations.base import Operation
from archspec.wording import Brief


@dataclass(frozen=True, slots=True, repr=False)
class SplitBlock(Brief):
    """The parts of a block, each a network of its own: ``y = after(merge(shortcut(x), residuals[0](x), ...))``.

    ``merge`` is the operation that joins them, and ``position`` the place of the shortcut among what it reads.
    """

    shortcut: Graph
    residuals: tuple[Graph, ...]
    after: Graph
    merge: Operation
    position: int


def split_block(graph: Graph, block: ResidualBlock) -> SplitBlock:
    """The shortcut and the residuals of a block as networks that read the block's source.

    Nodes keep their names, so the state dict of the whole network loads into each part. A part that does nothing, such
    as an identity shortcut, has no nodes, and returns its input.

    Args:
        graph: the network.
        block: one of its :func:`archspec.residual_blocks`.

    Raises:
        SpecError: E872, the block has no shortcut.
        TypeError: an argument of the wrong type.
        ValueError: the block is not one of this network.

    >>> import archspec
    >>> graph = archspec.compile("resnet18")
    >>> parts = split_block(graph, archspec.residual_blocks(graph)[2])
    >>> [len(part.nodes) for part in (parts.shortcut, *parts.residuals, parts.after)]
    [2, 5, 1]
    """
    arguments.instance(graph, "graph", Graph, "a Graph, which `archspec.compile` gives")
    arguments.instance(block, "block", ResidualBlock, "one of `archspec.residual_blocks`")
    if block.kind == "none":
        message = f"`{cut(block.scope)}` cannot be split into a shortcut and a residual: {block.reason}"
        advice = "choose a block that adds its input to its result, or concatenates the two"
        raise SpecError([Diagnostic("E872", message, block.span, help=advice)])
    region = next((each for each in graph.regions if each.kind == "block" and each.scope == block.scope), None)
    merge = graph.by_name.get(block.merge)
    if region is None or merge is None or block.shortcut not in merge.inputs:
        raise ValueError(f"`block` is not a block of `{graph.name}`: {block!r}")
    nodes = graph.nodes[region.first : region.last]

    def part(source: str, result: str) -> Graph:
        return _alone(graph, ancestors(nodes, {result}, {source}), source, result)

    return SplitBlock(
        shortcut=part(block.source, block.shortcut),
        residuals=tuple([part(block.source, residual) for residual in block.residuals]),
        after=part(block.merge, block.result),
        merge=merge.operation,
        position=merge.inputs.index(block.shortcut),
    )


def _alone(graph: Graph, nodes: list[Node], source: str, result: str) -> Graph:
    """Some nodes of a graph as a network that reads the value ``source``."""
    instead = {source: INPUT}
    there = {node.name for node in nodes}
    others = {*tensors_of(graph, [node for node in graph.nodes if node.name not in there])}
    others -= tensors_of(graph, nodes).keys()
    return replace(
        graph,
        input=graph.shape(source),
        nodes=tuple([node._replace(inputs=tuple([instead.get(name, name) for name in node.inputs])) for node in nodes]),
        outputs={"output": instead.get(result, result)},
        single=True,
        training=frozenset(),
        regions=(),
        named=(),
        stem="",
        head="",
        heads={},
        origin=None,
        trimmed=graph.trimmed.union(others),
        frozen=graph.frozen & there,
        shared={name: state for name, state in graph.shared.items() if name in there},
    )
