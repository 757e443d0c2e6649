"""The cell of ``stochastic``: a network that is trained, and the accuracy of its sub-networks."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from torch import nn

from archspec.graph.graph import Graph
from archspec.graph.residual import find_residual_blocks
from archspec.lab.data import Data
from archspec.lab.experiments.trained import train_network
from archspec.lab.seeding import seeded
from archspec.lab.training import evaluate
from archspec.passes.without_residual import without_residual
from archspec.weights.building import build

SUBNETWORKS = "archspec.lab.experiments.subnetworks:subnetworks"


def subnetworks(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Train a network, then test it without random sets of its residual blocks.

    ``inputs`` are those of :func:`archspec.lab.experiments.trained.trained`, the numbers of blocks that are
    ``deleted``, and how many sets of each are drawn: ``draws``. The sets depend on the seed alone, so that two networks
    of one shape lose the same blocks. ``sets`` of the result has, for each number, the test accuracy of every set.
    """
    network = train_network(inputs)
    if network.model is None:
        return {**network.record, "sets": None}
    scopes = removable(network.graph)
    sets = []
    for number in inputs["deleted"]:
        found = []
        for draw in range(inputs["draws"]):
            chosen = random.Random(seeded(inputs["seed"], number, draw, "sets")).sample(scopes, number)
            found.append(_accuracy(network.graph, network.model, chosen, network.data))
        sets.append({"deleted": number, "accuracy": found})
    return {**network.record, "sets": sets}


def removable(graph: Graph) -> list[str]:
    """The scopes of the blocks that have a shortcut and keep the shape."""
    found = [each for each in find_residual_blocks(graph) if each.kind != "none" and each.keeps_shape]
    return list(dict.fromkeys(block.scope for block in found))


def _accuracy(graph: Graph, model: nn.Module, scopes: list[str], data: Data) -> float:
    """The test accuracy without the residuals of some blocks; norms keep the statistics of the whole network."""
    less = build(without_residual(graph, scopes), device="meta")
    state = model.state_dict()
    less.load_state_dict({key: state[key] for key in less.state_dict()}, assign=True)
    return evaluate(less, data.test).accuracy
