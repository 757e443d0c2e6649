"""The cell of ``lesion``: a trained network, and its accuracy after surgery on its blocks."""

from __future__ import annotations

import hashlib
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from archspec.diagnostics import SpecError
from archspec.files import regular_file
from archspec.graph.graph import Graph
from archspec.graph.residual import ResidualBlock, find_residual_blocks
from archspec.lab.data import Data
from archspec.lab.experiments.trained import TrainedNetwork, data_of, train_network
from archspec.lab.measures import scores
from archspec.lab.seeding import seeded
from archspec.lab.training import evaluate, for_data
from archspec.language.load import load
from archspec.passes.reordered import reordered
from archspec.passes.without_residual import without_residual
from archspec.weights.building import build

LESIONED = "archspec.lab.experiments.lesioned:lesioned"

SWAPS = (1, 2, 4, 8, 16)
"""How often two blocks of one stage change places before a reordering is tested."""


def lesioned(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Train a network or load its weights, and test it after surgery.

    ``inputs`` are those of :func:`archspec.lab.experiments.trained.trained`, ``weights`` and ``map`` if the network is
    not trained here, how many blocks are deleted together in every combination (``sets``, 1 or 2), the numbers of
    blocks that are ``deleted`` at random, and the number of ``draws``. Of the result, ``blocks`` has the accuracy
    without each block, ``recalibrated`` also with norms whose statistics are measured anew; ``pairs``, ``sets`` and
    ``orders`` are further surgery.
    """
    network = _loaded(inputs) if inputs.get("weights") else train_network(inputs)
    if network.model is None:
        return {**network.record, "blocks": None, "pairs": [], "sets": [], "orders": []}
    graph, data = network.graph, network.data
    cut = {block: _without(graph, [block]) for block in find_residual_blocks(graph)}
    able = [block for block, result in cut.items() if result]
    graphs = [result for result in cut.values() if result]
    plain = scores(network.model, graph, graphs, data.test)
    healed = scores(network.model, graph, graphs, data.test, calibration=data.train.images)
    found = {block: (one.accuracy, two.accuracy) for block, one, two in zip(able, plain, healed, strict=True)}
    return {
        **network.record,
        "blocks": [_described(block, found.get(block)) for block in cut],
        "pairs": list(_pairs(network, able)) if inputs["sets"] > 1 else [],
        "sets": list(_sets(network, able, inputs)),
        "orders": list(_orders(network, inputs)),
    }


def weights_hash(path: str) -> str:
    """The hash of a file of weights.

    Raises:
        SpecError: E801, E803 or E804, it cannot be read.
    """
    with regular_file(Path(path), path) as file:
        return hashlib.sha256(file.read()).hexdigest()


def _loaded(inputs: Mapping[str, Any]) -> TrainedNetwork:
    """A network with the weights of a file."""
    data = data_of(inputs)
    graph = for_data(load(inputs["spec"]), data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the experiment told them once, before its runs
        model = build(graph, weights=inputs["weights"], map=inputs.get("map"))
    splits = (("train", data.train), ("test", data.test))
    record = {name: evaluate(model, split)._asdict() for name, split in splits}
    return TrainedNetwork(graph, data, model, {"epochs": [], "diverged": None, **record})


def _without(graph: Graph, blocks: Sequence[ResidualBlock]) -> Graph | None:
    """The graph without these blocks; None where one cannot be left out."""
    try:
        return without_residual(graph, blocks)
    except SpecError:
        return None


def _described(block: ResidualBlock, accuracy: tuple[float, float] | None) -> dict[str, Any]:
    plain, healed = accuracy or (None, None)
    return {
        "scope": block.scope,
        "kind": block.kind,
        "downsamples": block.downsamples,
        "keeps_shape": block.keeps_shape,
        "accuracy": plain,
        "recalibrated": healed,
    }


def _accuracies(network: TrainedNetwork, graphs: Sequence[Graph]) -> list[float]:
    assert network.model is not None
    data: Data = network.data
    return [score.accuracy for score in scores(network.model, network.graph, graphs, data.test)]


def _pairs(network: TrainedNetwork, blocks: Sequence[ResidualBlock]) -> Iterator[dict[str, Any]]:
    """The accuracy without each pair of blocks, those of one first block at a time."""
    numbered = [*enumerate(blocks)]
    for first, block in numbered[:-1]:
        cut = [_without(network.graph, [block, other]) for _, other in numbered[first + 1 :]]
        found = _accuracies(network, [each for each in cut if each])
        for (second, _), accuracy in zip(numbered[first + 1 :], found, strict=True):
            yield {"first": first, "second": second, "accuracy": accuracy}


def _sets(
    network: TrainedNetwork, blocks: Sequence[ResidualBlock], inputs: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The accuracy without random sets of the blocks that keep their shape; equal seeds draw equal sets."""
    keeping = [block for block in blocks if block.keeps_shape]
    for number in inputs["deleted"]:
        if number > len(keeping):
            continue
        draws = range(inputs["draws"])
        chosen = [random.Random(seeded(inputs["seed"], number, draw, "sets")).sample(keeping, number) for draw in draws]
        cut = [without_residual(network.graph, each) for each in chosen]
        yield {"deleted": number, "accuracy": _accuracies(network, cut)}


def _orders(network: TrainedNetwork, inputs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The accuracy of networks whose blocks have changed places, with Kendall's tau of the order."""
    groups = movable(network.graph)
    if not groups:
        return
    for swaps in SWAPS:
        for draw in range(inputs["draws"]):
            generator = random.Random(seeded(inputs["seed"], swaps, draw, "orders"))
            orders = [list(range(len(group))) for group in groups]
            for _ in range(swaps):
                order = generator.choice(orders)
                one, two = generator.sample(range(len(order)), 2)
                order[one], order[two] = order[two], order[one]
            moves = {
                group[place]: group[block]
                for group, order in zip(groups, orders, strict=True)
                for place, block in enumerate(order)
            }
            (accuracy,) = _accuracies(network, [reordered(network.graph, moves)])
            yield {"swaps": swaps, "tau": kendall_tau(orders), "accuracy": accuracy}


def movable(graph: Graph) -> list[list[str]]:
    """The blocks that can change places with each other: those of one stage that keep the same shape, by scope."""
    scopes = [region.scope for region in graph.regions if region.kind == "block"]
    found: dict[tuple[int, object], list[str]] = {}
    for number, stage in enumerate(graph.stages):
        for block in graph.blocks(stage):
            shape = graph.shape(block.source)
            if shape == graph.shape(block.result) and scopes.count(block.scope) == 1:
                found.setdefault((number, shape), []).append(block.scope)
    groups = [group for group in found.values() if len(group) > 1]
    return [group for group in groups if _can_move(graph, group)]


def _can_move(graph: Graph, group: Sequence[str]) -> bool:
    try:
        reordered(graph, dict(zip(group, [*group[1:], group[0]], strict=True)))
    except SpecError:
        return False
    return True


def kendall_tau(orders: Sequence[Sequence[int]]) -> float:
    """Kendall's rank correlation of orders with the original one, over all pairs within each: 1 if nothing moved.

    >>> kendall_tau([[0, 1, 2]]), kendall_tau([[2, 1, 0]]), kendall_tau([[1, 0], [0, 1]])
    (1.0, -1.0, 0.0)
    """
    signs = [1 if one < two else -1 for order in orders for one, two in combinations(order, 2)]
    return sum(signs) / len(signs)
