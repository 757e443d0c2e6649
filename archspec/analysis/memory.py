"""Memory, as torch would use it: the peak of inference by liveness, and what training saves for the backward pass.

Counted are storages, not tensors: a view, an activation in place and an addition that is written in place share their
input's. A storage lives from the operation that makes it to the last use of any value in it. Weights and the caller's
input are stated apart. The figures are those of the flat graph; in a nested model a block's caller holds its input
until the block returns.

Some things depend on torch's kernels. The statistics of norms are counted in float32 where the dtype is shorter; on a
CPU torch keeps them as short. Over three dimensions some convolutions put first the channels that a linear layer at
every position left last, so that a later one has to rearrange them again; here they stay last, as over two. And not
counted is the copy that a group or instance norm or such a linear layer makes of a slice or a subsample that it reads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from archspec.analysis.network import SOURCE, Facts, Network
from archspec.operations.effects import Saved

ITEM_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
"""The bytes of one element."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory in bytes, for a batch and a dtype. None: an operation has no rule for it.

    ``weights`` are the parameters, ``buffers`` the running statistics and counters. ``inference_peak`` is the largest
    sum of live storages in eval mode, at the operation ``peak_at``, its inputs and outputs among them;
    ``saved_for_backward`` what autograd keeps in training mode, the input included. ``training_sgd`` and
    ``training_adam`` are upper bounds for a step of training with momentum or with Adam: weights, buffers, gradients,
    the optimiser's state (and for Adam as much again while it computes), what is saved, and twice the live values.
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


def measure_memory(network: Network, trainable: Sequence[bool], batch: int = 1, dtype: str = "float32") -> Memory:
    """The memory of a network. ``trainable`` says of each node whether its weights are trained."""
    item = ITEM_BYTES[dtype]
    facts = network.facts
    weights = item * sum(f.params for f in facts)
    counters = sum(f.counters for f in facts)
    buffers = item * (sum(f.buffers for f in facts) - counters) + 8 * counters
    peak, where = inference_peak(network, batch, item)
    saved = saved_for_backward(network, trainable, batch, item)
    values, _ = inference_peak(network, batch, item, shared=False)
    trained = item * sum(f.params for f, keep in zip(facts, trainable, strict=True) if keep)
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


def inference_peak(network: Network, batch: int, item: int, *, shared: bool = True) -> tuple[int | None, str]:
    """The largest sum of live storages in eval mode, in bytes, and the name of the operation that runs then.

    ``shared`` lets views, and what is written in place, share a storage; else every value has its own.
    """
    rearranged = _rearranged(network)
    roots = _roots(network, rearranged, training=False) if shared else list(range(len(network.nodes)))
    written = network.in_place if shared else {}
    sizes = [batch * item * facts.elements for facts in network.facts]
    ends = _ends(network, roots)
    live = peak = 0
    where = ""
    for position, (node, facts) in enumerate(zip(network.nodes, network.facts, strict=True)):
        if facts.scratch is None:
            return None, ""
        over = ends.get(position, ())
        if roots[position] == position:
            live += sizes[position]
            beside = facts.scratch.total(batch, item)
            if facts.folded and node.name not in written:
                beside = _folded(network, position, roots, over, batch * item)
            elif position in rearranged and not node.operation.views_input(training=False):
                then = node.operation.scratch_rearranged(network.shapes(position), node.shape)
                beside = max(beside + _copy(facts, batch, item), then.total(batch, item))
            if live + beside > peak:
                peak, where = live + beside, node.name
        for root in over:
            live -= sizes[root]
    return peak, where


def _folded(network: Network, position: int, roots: list[int], over: Sequence[int], item: int) -> int:
    """How much more is alive than inputs and output while a merge works its inputs off one after the other.

    Of two results on the way, the last and the next, both are alive; an input that nobody reads any more is not.
    """
    operation, shapes = network.nodes[position].operation, network.shapes(position)
    sources = [_root(roots, source) for source in network.sources[position]]
    results = [0, *(item * math.prod(operation.shape(shapes[:count])) for count in range(2, len(shapes) + 1))]
    found = freed = 0
    for step in range(1, len(results)):
        found = max(found, results[step - 1] + results[step] - results[-1] - freed)
        read, later = set(sources[:2] if step == 1 else [sources[step]]), sources[step + 1 :]
        freed += sum(item * network.facts[root].elements for root in read if root in over and root not in later)
    return found


def saved_for_backward(network: Network, trainable: Sequence[bool], batch: int, item: int) -> int | None:
    """What autograd keeps in training mode, in bytes: unique storages, without parameters and buffers."""
    rearranged = _rearranged(network)
    roots = _roots(network, rearranged, training=True)
    kept: set[int] = set()
    found = 0
    needs: dict[int, bool] = {SOURCE: False}
    known: dict[tuple[object, ...], Saved | None] = {}
    for position, (node, facts) in enumerate(zip(network.nodes, network.facts, strict=True)):
        sources = network.sources[position]
        needed = tuple([needs[source] for source in sources])
        trained = trainable[position] and facts.params > 0
        needs[position] = trained or any(needed)
        if not needs[position]:
            continue
        key = (id(facts), trained, needed)
        if key not in known:
            known[key] = node.operation.saved(network.shapes(position), trained, needed)
        saved = known[key]
        if saved is None:
            return None
        copy = _copy(facts, batch, item) if saved.inputs and position in rearranged else 0
        found += copy
        if not copy:
            kept.update([_root(roots, sources[i]) for i in saved.inputs])
        if saved.output:
            kept.add(roots[position])
        found += saved.more.total(batch, item)
    elements = sum(math.prod(network.graph.input) if i == SOURCE else network.facts[i].elements for i in kept)
    return found + batch * item * elements


# -- storages ----------------------------------------------------------------------------------------------------------


def _roots(network: Network, rearranged: set[int], *, training: bool) -> list[int]:
    """For each node, the position of the node that made the storage in which its output lies."""
    written = network.in_place
    roots: list[int] = []
    for position, node in enumerate(network.nodes):
        if node.operation.views_input(training=training) and position not in rearranged:
            roots.append(_root(roots, network.sources[position][0]))
        elif node.name in written:
            roots.append(_root(roots, network.sources[position][written[node.name]]))
        else:
            roots.append(position)
    return roots


def _first(network: Network, position: int) -> int:
    """Which input is the first operand: that which is written over, or else the first of the output's size."""
    node, sources = network.nodes[position], network.sources[position]
    if len(sources) == 1 or node.name in network.in_place:
        return network.in_place.get(node.name, 0)
    return network.shapes(position).index(node.shape) if node.shape in network.shapes(position) else 0


def _root(roots: list[int], position: int) -> int:
    return SOURCE if position == SOURCE else roots[position]


def _ends(network: Network, roots: list[int]) -> dict[int, list[int]]:
    """For each position, the storages that are read there for the last time; outputs are read after the last node."""
    last: dict[int, int] = {}
    for position, sources in enumerate(network.sources):
        last[roots[position]] = position
        for source in sources:
            last[_root(roots, source)] = position
    for output in network.outputs.values():
        last[_root(roots, output)] = len(network.nodes)
    last.pop(SOURCE, None)
    ends: dict[int, list[int]] = {}
    for root, end in last.items():
        ends.setdefault(end, []).append(root)
    return ends


def _copy(facts: Facts, batch: int, item: int) -> int:
    """The bytes of a rearranged copy of an input. Of one example, channels are put last by a view."""
    return 0 if facts.reads == "last" and batch == 1 else batch * item * facts.read


def _rearranged(network: Network) -> set[int]:
    """The nodes that have to rearrange their input, because its channels lie elsewhere in memory than they read them.

    A linear layer at every position and a layer norm over channels leave them last, which others keep; flattening reads
    them first. With one channel or one position, both are the same.
    """
    if all(facts.layout != "last" for facts in network.facts):
        return set()
    found: set[int] = set()
    last: dict[int, bool] = {SOURCE: False}
    for position, facts in enumerate(network.facts):
        sources = network.sources[position]
        wanted = facts.reads
        if wanted and (wanted == "last") != last[sources[0]]:
            channels, *size = network.shapes(position)[0]
            if channels > 1 and math.prod(size) > 1:
                found.add(position)
        if facts.layout == "agreed":
            last[position] = all(last[source] for source in sources)
        else:
            kept = facts.layout == "kept" and last[sources[_first(network, position)]]
            last[position] = kept or facts.layout == "last"
    return found
