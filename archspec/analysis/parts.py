"""What a network costs: its stages, blocks, single operations, the rest around the stages, and the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archspec.analysis.indexed import IndexedGraph, index_graph, total
from archspec.display import counted, plain, short
from archspec.graph.graph import Graph, Region
from archspec.graph.scopes import HEAD, STEM, NamedPart, parts
from archspec.operations.facts import Facts
from archspec.operations.shapes import Shape
from archspec.wording import Brief


@dataclass(frozen=True, slots=True, repr=False)
class Costs(Brief):
    """What a part of a network costs, for one example. None: an operation in it has no rule for that cost.

    ``params`` and ``buffers`` are elements, ``trainable`` those of the parameters that are not frozen; ``macs`` are
    multiply-adds, ``activations`` the output elements of convolutions, linear layers and pools, ``elementwise`` the
    arithmetic of everything else, in operations on single elements.
    """

    params: int
    trainable: int
    buffers: int
    macs: int | None
    activations: int
    elementwise: int | None

    @property
    def flops(self) -> int | None:
        """Floating-point operations: twice the MACs."""
        return None if self.macs is None else 2 * self.macs

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return plain(self, "params", "trainable", "buffers", "macs", "flops", "activations", "elementwise")


@dataclass(frozen=True, slots=True, repr=False)
class Part(Brief):
    """A stage, a block, an operation, or a part outside the stages.

    ``block`` is the name of the block, fragment or operation that it is made of. ``count`` is the number of blocks in a
    stage, and 0 for anything else. ``number`` counts parts of the same name from 1: the stages of VGG share the scope
    ``features``. It is 0 if no other part has the name. ``training_only``: inference runs none of it, as of an
    auxiliary head.
    """

    name: str
    block: str
    count: int
    output: Shape
    costs: Costs
    number: int = field(default=0, compare=False)
    training_only: bool = False

    @property
    def label(self) -> str:
        """Its name, with its number if several parts share it: ``features (2)``."""
        return f"{self.name} ({self.number})" if self.number else self.name

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON; shapes are channels first, without the batch."""
        return {**plain(self, "name", "block", "count", "output"), **self.costs.as_data()}


def _numbered(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The parts, with numbers for those that share a name."""
    found = tuple(parts)
    several = Counter(part.name for part in found)
    seen: Counter[str] = Counter()
    numbered = []
    for part in found:
        seen[part.name] += 1
        numbered.append(replace(part, number=seen[part.name]) if several[part.name] > 1 else part)
    return tuple(numbered)


def _sum(facts: Sequence[Facts], frozen: Sequence[bool]) -> Costs:
    counts = Counter(map(id, facts))  # many nodes are alike, and share their facts
    kinds = [(counts[key], each) for key, each in dict(zip(map(id, facts), facts, strict=True)).items()]
    params = sum([n * f.params for n, f in kinds])
    kept = sum([f.params for f, each in zip(facts, frozen, strict=True) if each]) if any(frozen) else 0
    return Costs(
        params=params,
        trainable=params - kept,
        buffers=sum([n * f.buffers for n, f in kinds]),
        macs=total([None if f.macs is None else n * f.macs for n, f in kinds]),
        activations=sum([n * f.activations for n, f in kinds]),
        elementwise=total([None if f.elementwise is None else n * f.elementwise for n, f in kinds]),
    )


@dataclass(frozen=True, slots=True, repr=False)
class Parts(Brief):
    """The parts of a network."""

    network: IndexedGraph

    def costs(self, first: int, last: int) -> Costs:
        """The costs of the nodes from position ``first`` up to, and without, ``last``."""
        return _sum(self.network.facts[first:last], self.network.frozen[first:last])

    def scope(self, scope: str) -> Costs:
        """The costs of all nodes in a scope, such as ``features``, which stages may share with what is around them."""
        inside = self.network.inside(scope)
        return _sum([self.network.facts[i] for i in inside], [self.network.frozen[i] for i in inside])

    def stages(self) -> tuple[Part, ...]:
        """The stages in order."""
        graph = self.network.graph
        return _numbered([self._region(stage, len(graph.blocks(stage))) for stage in graph.stages])

    def blocks(self) -> tuple[Part, ...]:
        """The blocks in order."""
        return _numbered([self._region(region, 0) for region in self.network.graph.regions if region.kind == "block"])

    def nodes(self) -> tuple[Part, ...]:
        """The operations in order."""
        nodes = enumerate(self.network.nodes)
        return tuple([self._part(n.name, n.operation.kind, 0, n.shape, i, i + 1) for i, n in nodes])

    def rows(self) -> tuple[Part, ...]:
        """The stages, and the parts before, between and after them, in order."""
        stages = iter(self.stages())
        extents = parts(len(self.network.nodes), self.network.graph.stages, self.network.graph.heads)
        return _numbered([next(stages) if part.stage else self._outside(part) for part in extents])

    def _region(self, region: Region, count: int) -> Part:
        output = self.network.graph.shape(region.result)
        return self._part(region.scope, region.name, count, output, region.first, region.last)

    def _part(self, name: str, block: str, count: int, output: Shape, first: int, last: int) -> Part:
        idle = self.network.idle
        training_only = bool(idle) and all(node.name in idle for node in self.network.nodes[first:last])
        return Part(name, block, count, output, self.costs(first, last), training_only=training_only)

    def _outside(self, part: NamedPart) -> Part:
        """The part that nodes outside any stage make."""
        graph = self.network.graph
        calls = {STEM: graph.stem, HEAD: graph.head}
        if part.name in graph.heads and part.name not in calls:
            extent = part.first, part.last
            calls[part.name] = next((each.name for each in graph.named if (each.first, each.last) == extent), "")
        output = self.network.nodes[part.last - 1].shape
        return self._part(part.name, calls.get(part.name, ""), 0, output, part.first, part.last)


@dataclass(frozen=True, slots=True, repr=False)
class Totals(Brief):
    """The costs of a whole network.

    ``layers`` is the paper's count: convolution and linear layers on the longest way, shortcuts and gates aside.
    ``params_by_operation`` has the parameters of each kind of operation. ``activations_without_global_pools`` are the
    activations as pycls counts them: without the outputs of global pools.

    ``intensity`` is the arithmetic intensity of one pass in eval mode (Williams, Waterman and Patterson, "Roofline",
    CACM 52(4), 2009), in FLOPs per byte of traffic: the FLOPs of the whole batch, divided by the bytes of the weights,
    read once, and of every operation's inputs and outputs for the whole batch. ``params_in_training_only`` are those of
    operations that run in training only, as auxiliary heads do.
    """

    costs: Costs
    layers: int
    nodes: int
    params_by_operation: Mapping[str, int]
    activations_without_global_pools: int
    intensity: float | None
    params_in_training_only: int = 0

    def __str__(self) -> str:
        """The size of a network: ``25,557,032 parameters, 4.09 G MACs, 50 layers``."""
        costs = self.costs
        return f"{counted(costs.params, 'parameter')}, {short(costs.macs)} MACs, {counted(self.layers, 'layer')}"


def measure_totals(graph: Graph) -> Totals:
    """The totals of a network alone, for one example in float32."""
    network = index_graph(graph)
    return sum_up(network, Parts(network), batch=1, item=4)


def sum_up(network: IndexedGraph, parts: Parts, batch: int, item: int) -> Totals:
    """The totals of a network; the intensity is for ``batch`` examples, at ``item`` bytes an element."""
    kinds: dict[str, int] = {}
    for operation, facts, count in network.kinds:
        if facts.params:
            kinds[operation.name] = kinds.get(operation.name, 0) + count * facts.params
    costs = parts.costs(0, len(network.nodes))
    values = sum([count * (facts.elements + facts.read) for _, facts, count in network.kinds])
    moved = item * (costs.params + batch * values)
    intensity = None if costs.flops is None else batch * costs.flops / max(moved, 1)
    pooled = sum([count * facts.activations for _, facts, count in network.kinds if facts.pools_all])
    layers = weighted_layers(network)
    pooled_out = costs.activations - pooled
    idle = sum(
        [facts.params for node, facts in zip(network.nodes, network.facts, strict=True) if node.name in network.idle]
    )
    return Totals(costs, layers, len(network.nodes), kinds, pooled_out, intensity, idle)


def weighted_layers(network: IndexedGraph) -> int:
    """The weighted layers in a paper's count: convolution and linear layers on the longest way through the network.

    Projection shortcuts are not on it, because they are shorter. Gates of squeeze-and-excitation do not count as ways.
    ResNet-50 has 50 (He et al. 2015, table 1), DenseNet-121 has 121.
    """
    longest = [0] * (len(network.nodes) + 1)
    for position, (facts, ways) in enumerate(zip(network.facts, network.ways, strict=True)):
        before = longest[ways[0]] if len(ways) == 1 else max([longest[way] for way in ways])
        longest[position] = before + facts.weighted
    return max([longest[position] for position in network.outputs.values()])
