"""Memory, as torch would use it: the peak of inference by liveness, and what training saves for the backward pass.

Storages are counted, not tensors: a view, an activation in place and an addition in place share the storage of their
input. A storage lives from the operation that makes it to the last use of any value in it. Weights and the caller's
input are separate figures. All figures are those of the flat graph; in a nested model the caller of a block holds the
block's input until the block returns.

Some figures depend on torch's kernels, and docs/analysis.md names them. The statistics of norms count as float32 if the
dtype is shorter; on a CPU torch keeps them in the short dtype. Over three dimensions some convolutions put channels
first that a linear layer at every position left last, so that a later layer rearranges them again; here they stay last,
as over two dimensions. A dropout of one channel or one position keeps the order in which these lie, as in eval mode.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archspec.analysis.indexed import IndexedGraph
from archspec.analysis.parts import Costs
from archspec.analysis.strides import Reordered, reordered
from archspec.graph.storage import SOURCE, storages
from archspec.operations.effects import Bytes
from archspec.wording import Brief

ITEM_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
"""The bytes of one element."""


@dataclass(frozen=True, slots=True, repr=False)
class Memory(Brief):
    """Memory in bytes, for a batch and a dtype. None: an operation has no rule for it.

    ``weights`` are the parameters, ``buffers`` the running statistics and counters. ``inference_peak`` is the largest
    sum of live storages in eval mode, at the operation ``peak_at``, its inputs and outputs among them;
    ``saved_for_backward`` what autograd keeps in training mode, the input included. ``training_sgd`` and
    ``training_adam`` are upper bounds for a step of training with momentum or with Adam: weights, buffers, gradients,
    the optimizer's state (and for Adam as much again while it computes), what is saved, and twice the live values.
    """

    batch: int
    dtype: str
    weights: int
    buffers: int
    input: int
    inference_peak: int | None
    peak_at: str
    saved_for_backward: int | None
    training_sgd: int | None
    training_adam: int | None

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON; the unit is in the names."""
        names = {name: f"{name}_bytes" for name in self.__dataclass_fields__}
        names |= {"batch": "batch", "dtype": "dtype", "peak_at": "inference_peak_at"}
        return {names[name]: getattr(self, name) for name in names}


def measure_memory(network: IndexedGraph, costs: Costs, batch: int = 1, dtype: str = "float32") -> Memory:
    """The memory of a network, whose total costs are known."""
    item = ITEM_BYTES[dtype]
    weights, trained = item * costs.params, item * costs.trainable
    counters = sum([count * facts.counters for _, facts, count in network.kinds])
    buffers = item * (costs.buffers - counters) + 8 * counters
    written = _written(network)
    rearranged = reordered(network, written, batch, training=False)
    roots = _roots(network, written, rearranged, training=False)
    beside = _scratch(network, batch, item)
    peak, where = _peak(network, roots, written, rearranged, beside, batch, item)
    # Values beside their gradients share no storage.
    values, _ = _peak(network, [*range(len(network.nodes)), SOURCE], {}, rearranged, beside, batch, item)
    if any(facts.alias != facts.alias_trained for _, facts, _ in network.kinds):
        rearranged = reordered(network, written, batch, training=True)
        roots = _roots(network, written, rearranged, training=True)
    saved = _saved_for_backward(network, roots, written, rearranged, batch, item)
    training = None
    if saved is not None and values is not None:
        # Gradients, what is saved, and at most every live value beside its gradient.
        training = weights + buffers + trained + saved + 2 * values
    return Memory(
        batch=batch,
        dtype=dtype,
        weights=weights,
        buffers=buffers,
        input=batch * item * math.prod(network.graph.input),
        inference_peak=peak,
        peak_at=where,
        saved_for_backward=saved,
        training_sgd=None if training is None else training + trained,
        training_adam=None if training is None else training + 3 * trained,
    )


def _peak(
    network: IndexedGraph,
    roots: list[int],
    written: Mapping[int, int],
    rearranged: Reordered,
    beside: Sequence[int] | None,
    batch: int,
    item: int,
) -> tuple[int | None, str]:
    """The largest sum of live storages in eval mode, in bytes, and the name of the operation that runs then.

    The output of each node lies in the storage of its root; ``written`` says which nodes write over an input, and
    ``beside`` what they take while they run.
    """
    if beside is None:
        return None, ""
    each = batch * item
    sizes = [each * facts.elements for facts in network.facts]
    last = _last_reads(network, roots)
    freed = [0] * (len(last) + 1)
    for size, end in zip(sizes, last, strict=False):  # but for the network's input
        freed[end] += size
    live = peak = 0
    at = SOURCE
    for position, (facts, root, needed) in enumerate(zip(network.facts, roots, beside, strict=False)):
        if root == position:
            live += sizes[position]
            if facts.folded and position not in written:
                needed = _folded(network, position, roots, last, each)
            elif position in rearranged.otherwise and not facts.alias:
                needed = _beside_copy(network, position, batch, item, copied=position in rearranged.copied)
            if live + needed > peak:
                peak, at = live + needed, position
        live -= freed[position]
    return peak, network.nodes[at].name if peak else ""


def _scratch(network: IndexedGraph, batch: int, item: int) -> list[int] | None:
    """The bytes that each node takes and frees while it runs; None where an operation has no rule for it."""
    known: dict[int, int] = {}
    for _, facts, _ in network.kinds:
        if facts.scratch is None:
            return None
        known[id(facts)] = facts.scratch.total(batch, item)
    return [known[id(facts)] for facts in network.facts]


def _beside_copy(network: IndexedGraph, position: int, batch: int, item: int, *, copied: bool) -> int:
    """What a node takes beside its output that rearranges its input first: the copy, or what it takes later."""
    node, facts = network.nodes[position], network.facts[position]
    scratch = facts.scratch.total(batch, item) if facts.scratch else 0
    then = node.operation.scratch_rearranged(network.shapes[position], node.shape)
    return max(scratch + copied * batch * item * facts.read, then.total(batch, item))


def _folded(network: IndexedGraph, position: int, roots: list[int], last: Sequence[int], item: int) -> int:
    """How much more is alive than inputs and output while a merge works its inputs off one after the other; or less.

    Of two results on the way, the last and the next, both are alive; an input that nobody reads any more is not.
    """
    operation, shapes = network.nodes[position].operation, network.shapes[position]
    sources = [roots[source] for source in network.sources[position]]
    output = item * network.facts[position].elements
    ends = {root: max(step, 1) for step, root in enumerate(sources) if root != SOURCE and last[root] == position}
    over = [0] * len(sources)  # what is freed after each step, of the inputs that it is the last to read
    for root, step in ends.items():
        over[step] += item * network.facts[root].elements
    found: list[int] = []
    shape, before, freed = shapes[0], 0, 0
    for step in range(1, len(shapes)):
        shape = operation.shape((shape, shapes[step]))
        result = item * math.prod(shape)
        found.append(before + result - output - freed)
        freed += over[step]
        before = result
    return max(found)


def _saved_for_backward(
    network: IndexedGraph,
    roots: list[int],
    written: Mapping[int, int],
    rearranged: Reordered,
    batch: int,
    item: int,
) -> int | None:
    """What autograd keeps in training mode, in bytes: unique storages, without parameters and buffers."""
    kept: set[int] = set()
    more: list[Bytes] = []
    copied = 0
    needs = [False] * len(roots)
    for position, (sources, facts, frozen) in enumerate(
        zip(network.sources, network.facts, network.frozen, strict=True)
    ):
        needed = (needs[sources[0]],) if len(sources) == 1 else tuple([needs[source] for source in sources])
        weighs = facts.params > 0 or network.nodes[position].name in network.graph.borrowing
        trained = weighs and not frozen
        if not trained and True not in needed:
            continue
        needs[position] = True
        rule = facts.saved
        if frozen:
            rule = network.nodes[position].operation.saved_in_eval(network.shapes[position], needed)
        elif False in needed:
            rule = network.nodes[position].operation.saved(network.shapes[position], trained, needed)
        if rule is None:
            return None
        inputs, output, beside = rule
        more.append(beside)
        over = written.get(position)
        if over in inputs:  # torch saves a copy of what is written over, unless the result says enough
            inputs = tuple([i for i in inputs if i != over])
            output = network.nodes[position].operation.saves_output_in_place
            copied += 0 if output else batch * item * facts.elements
        if inputs and position in rearranged.copied:
            copied += batch * item * facts.read
        else:
            for i in inputs:
                kept.add(roots[sources[i]])
        if output:
            kept.add(roots[position])
    found = copied + sum([count * each.total(batch, item) for each, count in Counter(more).items()])
    elements = sum([math.prod(network.graph.input) if i == SOURCE else network.facts[i].elements for i in kept])
    return found + batch * item * elements


# -- storages ----------------------------------------------------------------------------------------------------------


def _written(network: IndexedGraph) -> dict[int, int]:
    """For each node that writes over an input, which input."""
    over = network.graph.in_place
    return {position: over[node.name] for position, node in enumerate(network.nodes) if node.name in over}


def _roots(network: IndexedGraph, written: Mapping[int, int], rearranged: Reordered, *, training: bool) -> list[int]:
    """For each node, and last for the network's input, the position of the node that made the storage it lies in."""
    aliases = network.aliases(training=training)
    return storages(network.sources, aliases, written=written, copied=rearranged.copied)


def _last_reads(network: IndexedGraph, roots: list[int]) -> list[int]:
    """For each storage, the position at which it is read for the last time; outputs are read after the last node."""
    last = [SOURCE] * len(roots)
    for position, sources in enumerate(network.sources):
        last[roots[position]] = position
        for source in sources:
            last[roots[source]] = position
    for output in network.outputs.values():
        last[roots[output]] = len(network.nodes)
    return last
