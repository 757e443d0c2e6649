"""Memory, as torch would use it: the peak of inference by liveness, and what training saves for the backward pass.

Counted are storages, not tensors: a view, an activation in place and an addition that is written in place share their
input's. A storage lives from the operation that makes it to the last use of any value in it. Weights and the caller's
input are stated apart. The figures are those of the flat graph; in a nested model a block's caller holds its input
until the block returns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from archspec.analysis.network import SOURCE, Network
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
    roots = _roots(network, training=False) if shared else list(range(len(network.nodes)))
    written = network.in_place if shared else {}
    last = _last_uses(network, roots)
    ends: dict[int, list[int]] = {}
    for root, end in last.items():
        ends.setdefault(end, []).append(root)
    live = peak = 0
    where = ""
    for position, (node, facts) in enumerate(zip(network.nodes, network.facts, strict=True)):
        if facts.scratch is None:
            return None, ""
        if roots[position] == position:
            live += batch * item * facts.elements
        beside = 0 if node.name in written else facts.scratch.total(batch, item)
        if live + beside > peak:
            peak, where = live + beside, node.name
        for root in ends.get(position, ()):
            live -= batch * item * network.facts[root].elements
    return peak, where


def saved_for_backward(network: Network, trainable: Sequence[bool], batch: int, item: int) -> int | None:
    """What autograd keeps in training mode, in bytes: unique storages, without parameters and buffers."""
    roots = _roots(network, training=True)
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
        kept.update([_root(roots, sources[i]) for i in saved.inputs])
        if saved.output:
            kept.add(roots[position])
        found += saved.more.total(batch, item)
    elements = sum(math.prod(network.graph.input) if i == SOURCE else network.facts[i].elements for i in kept)
    return found + batch * item * elements


def _roots(network: Network, *, training: bool) -> list[int]:
    """For each node, the position of the node that made the storage in which its output lies."""
    written = network.in_place
    roots: list[int] = []
    for position, node in enumerate(network.nodes):
        if node.operation.views_input(training=training):
            roots.append(_root(roots, network.sources[position][0]))
        elif node.name in written:
            roots.append(_root(roots, network.sources[position][written[node.name]]))
        else:
            roots.append(position)
    return roots


def _root(roots: list[int], position: int) -> int:
    return SOURCE if position == SOURCE else roots[position]


def _last_uses(network: Network, roots: list[int]) -> dict[int, int]:
    """For each storage of a node, the position of the last node that reads it; outputs are read after the last."""
    last: dict[int, int] = {}
    for position, sources in enumerate(network.sources):
        last[roots[position]] = position
        for source in sources:
            last[_root(roots, source)] = position
    for output in network.outputs.values():
        last[_root(roots, output)] = len(network.nodes)
    last.pop(SOURCE, None)
    return last
