"""What the nodes of a network compute, to tell whether equal tensors give equal values."""

from __future__ import annotations

import hashlib

from archspec.graph.fingerprint import call_of, encoded
from archspec.graph.graph import INPUT, Graph
from archspec.operations.traits import Dropping


def computations(graph: Graph) -> dict[str, str]:
    """For each node with tensors, SHA-256 of what it computes in inference from the network's input.

    Two networks agree in one of these if equal tensors give an equal value there. How tensors start, the names of nodes
    without tensors, and steps that act in training only do not count.

    >>> import archspec
    >>> one, other = (archspec.compile("resnet20_cifar", overrides=[f"act={act}"]) for act in ("relu", "silu"))
    >>> computations(one)["conv1"] == computations(other)["conv1"]
    True
    >>> computations(one)["layer1.0.conv1"] == computations(other)["layer1.0.conv1"]
    False
    """
    found, shapes, own = {INPUT: "input"}, {INPUT: graph.input}, dict[str, str]()
    for node in graph.nodes:
        inputs = tuple([shapes[source] for source in node.inputs])
        shapes[node.name] = node.shape
        read = [found[source] for source in node.inputs]
        if isinstance(node.operation, Dropping):
            found[node.name] = read[0]
            continue
        tensors = bool(node.operation.weights(inputs) or node.operation.buffers(inputs))
        text = encoded([node.name if tensors else "", call_of(node.operation, inputs), read])
        found[node.name] = hashlib.sha256(text.encode()).hexdigest()
        if tensors:
            own[node.name] = found[node.name]
    return own
