"""Removes the residual of blocks, so that each computes ``y = shortcut(x)``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from archspec import arguments
from archspec.diagnostics import Diagnostic, SpecError, cut, did_you_mean
from archspec.graph.graph import INPUT, Graph, Node
from archspec.graph.residual import ResidualBlock, find_residual_blocks
from archspec.operations.base import Operation
from archspec.operations.pad_channels import PadChannels
from archspec.operations.scale import Scale
from archspec.operations.shapes import Shape, show_shape
from archspec.operations.slice import Slice
from archspec.operations.subsample import Subsample
from archspec.passes.prune import prune
from archspec.passes.rewrite import with_inserted, with_nodes


def without_residual(graph: Graph, blocks: Iterable[str | ResidualBlock]) -> Graph:
    """The graph in which these blocks compute ``y = shortcut(x)`` (Veit et al. 2016, section 4.1).

    What comes before the fork and after the merge of a block stays, and so does a projection. Where a merge joins
    channels (DenseNet), those of the residual become zeros. A block without a shortcut passes its input on; where it
    changes the shape, it subsamples the input and adds channels of zeros, or takes the first channels.

    What is left keeps its names, so the state dict of the whole network loads. The graph has no ``origin`` any more,
    because it is not what the spec says.

    Args:
        graph: the network.
        blocks: scopes such as ``layer1.0``, or some of the network's :func:`archspec.residual_blocks`.

    Raises:
        SpecError: E870, a block without a shortcut changes the shape in another way; all such blocks are named.
        TypeError: an argument of the wrong type.
        ValueError: the network has no block of this scope.

    >>> import archspec
    >>> graph = archspec.compile("resnet18")
    >>> lesioned = without_residual(graph, ["layer1.1", "layer2.0"])
    >>> [node.name for node in lesioned.nodes if node.name.startswith(("layer1.1", "layer2.0"))]
    ['layer1.1.relu2', 'layer2.0.downsample.0', 'layer2.0.downsample.1', 'layer2.0.relu2']
    """
    arguments.instance(graph, "graph", Graph, "a Graph, which `archspec.compile` gives")
    edit = _Removal(graph)
    for block in _chosen(graph, blocks):
        edit.remove(block)
    if edit.faults:
        raise SpecError(edit.faults)
    return edit.finished() if edit.instead else graph


def _chosen(graph: Graph, blocks: Iterable[str | ResidualBlock]) -> list[ResidualBlock]:
    """The blocks that are given or named by their scopes, each once.

    Raises:
        TypeError: not a list of these.
        ValueError: one is not a block of the network.
    """
    kinds: tuple[type[str | ResidualBlock], ...] = (str, ResidualBlock)
    asked = arguments.several(blocks, "blocks", "a list of scopes such as ['layer1.0'], or of residual blocks", kinds)
    by_scope: dict[str, list[ResidualBlock]] = {}
    if any(isinstance(each, str) for each in asked):
        for block in find_residual_blocks(graph):
            by_scope.setdefault(block.scope, []).append(block)
    found: dict[str, ResidualBlock] = {}
    for each in asked:
        if isinstance(each, ResidualBlock):
            if not _is_of(graph, each):
                raise ValueError(f"`blocks` has a block of another network than `{graph.name}`: {each!r}")
            found[each.merge or each.result] = each
            continue
        if each not in by_scope:
            advice = did_you_mean(each, by_scope) or "`archspec.residual_blocks` lists the blocks"
            raise ValueError(f"`blocks` names `{cut(each)}`, and `{graph.name}` has no such block: {advice}")
        found.update({block.merge or block.result: block for block in by_scope[each]})
    return list(found.values())


def _is_of(graph: Graph, block: ResidualBlock) -> bool:
    """Whether a network has the values of a block."""
    if not all(name == INPUT or name in graph.by_name for name in (block.source, block.result)):
        return False
    if not block.merge:
        return True
    merge = graph.by_name.get(block.merge)
    return merge is not None and sorted(merge.inputs) == sorted((block.shortcut, *block.residuals))


class _Removal:
    """The changes of one graph: which value is read in place of which, and which nodes are new."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.names = {*graph.by_name}
        self.instead: dict[str, str] = {}
        self.new: dict[str, list[Node]] = {}
        self.faults: list[Diagnostic] = []

    def remove(self, block: ResidualBlock) -> None:
        if block.kind == "none":
            self._bypass(block)
        elif block.kind == "concatenation":
            self._zeros(block)
        else:
            self.instead[block.merge] = block.shortcut

    def finished(self) -> Graph:
        """The graph with these changes, and without what nobody reads any more."""
        for name in self.instead:  # in order, so that what comes before is final already, but for nested blocks
            while self.instead[name] in self.instead:
                self.instead[name] = self.instead[self.instead[name]]
        graph = with_inserted(replace(self.graph, origin=None), self.new)
        return prune(with_nodes(graph, graph.nodes, self.instead))

    def _bypass(self, block: ResidualBlock) -> None:
        """A block without a shortcut: the identity, or what comes nearest to it at another shape."""
        before, after = self.graph.shape(block.source), self.graph.shape(block.result)
        steps = _resizing(before, after)
        if steps is None:
            message = f"`{cut(block.scope)}` cannot be removed: {block.reason}, and no subsampling turns "
            message += f"{show_shape(before)} into {show_shape(after)}"
            advice = "give the block a shortcut, or leave it in"
            self.faults.append(Diagnostic("E870", message, block.span, help=advice))
            return
        self.instead[block.result] = self._chain(block, block.result, block.source, steps)

    def _zeros(self, block: ResidualBlock) -> None:
        """A concatenation with zeros in place of all that is not the shortcut."""
        merge = self.graph.by_name[block.merge]
        if merge.inputs[0] == block.shortcut:
            padding = PadChannels(out=merge.shape[0])
            self.instead[block.merge] = self._chain(block, block.merge, block.shortcut, [padding])
            return
        inputs, kept = [], merge.inputs.index(block.shortcut)
        for position, name in enumerate(merge.inputs):
            steps = [Slice(stop=1), Scale(by=0), PadChannels(out=self.graph.shape(name)[0])]
            zeros = position != kept
            inputs.append(self._chain(block, block.merge, block.shortcut, steps) if zeros else name)
        joined = merge._replace(name=self._free(block, merge.operation), inputs=tuple(inputs))
        self.new[block.merge].append(joined)
        self.instead[block.merge] = joined.name

    def _chain(self, block: ResidualBlock, at: str, source: str, steps: Sequence[Operation]) -> str:
        """Insert steps on a value before the node ``at``, and give the name of their result."""
        shape = self.graph.shape(source)
        for operation in steps:
            shape = operation.shape((shape,))
            node = Node(self._free(block, operation), operation, (source,), shape)
            self.new.setdefault(at, []).append(node)
            source = node.name
        return source

    def _free(self, block: ResidualBlock, operation: Operation) -> str:
        """A name in the block's scope that no node has."""
        scope = f"{block.scope}." if block.scope else ""
        name, number = f"{scope}{operation.name}", 1
        while name in self.names:
            number += 1
            name = f"{scope}{operation.name}{number}"
        self.names.add(name)
        return name


def _resizing(before: Shape, after: Shape) -> list[Operation] | None:
    """Steps without weights that take a value of one shape to another; None if there are none."""
    if len(before) != len(after):
        return None
    strides = []
    for old, new in zip(before[1:], after[1:], strict=True):
        stride = -(-old // new)
        if -(-old // stride) != new:
            return None
        strides.append(stride)
    steps: list[Operation] = []
    if any(stride > 1 for stride in strides):
        steps.append(Subsample(stride=tuple(strides)))
    if after[0] > before[0]:
        steps.append(PadChannels(out=after[0]))
    elif after[0] < before[0]:
        steps.append(Slice(stop=after[0]))
    return steps
