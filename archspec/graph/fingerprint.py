"""The hash of a network: two graphs have the same one if and only if they are the same network with the same names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archspec.graph.text import set_arguments
from archspec.operations.base import Operation
from archspec.operations.shapes import Shape

if TYPE_CHECKING:
    from archspec.graph.graph import Graph

ENCODING = 1
"""The version of what is hashed. A change that gives existing networks other hashes must raise it."""


def fingerprint(graph: Graph) -> str:
    """SHA-256 of a network as 64 hexadecimal digits. :attr:`Graph.fingerprint` computes it once.

    It covers the input, the nodes in order with their names, what they are in torch, what they read and how their
    weights start, what does not train, and what the model returns. It leaves out how the network is written and
    described: the spec, the network's own name, and which nodes are a stage or a block. An argument at its default is
    as if it were not written, and equal numbers are the same (8 and 8.0).
    """
    import hashlib  # it loads OpenSSL, and few commands ask for the hash

    positions = {node.name: position for position, node in enumerate(graph.nodes)}
    shapes = [node.shape for node in graph.nodes]
    shapes.append(graph.input)  # the input is at position -1
    texts: dict[str, int] = {}
    numbers: dict[tuple[int, tuple[Shape, ...]], int] = {}
    nodes = []
    for name, operation, inputs, _, _ in graph.nodes:
        read = [positions.get(source, -1) for source in inputs]
        key = id(operation), tuple([shapes[position] for position in read])
        number = numbers.get(key)
        if number is None:
            text = encoded(_operation(operation, key[1], graph.init))
            number = numbers[key] = texts.setdefault(text, len(texts))
        nodes.append((name, number, *read))
    returned = [(label, positions.get(name, -1)) for label, name in graph.outputs.items()]
    outputs: Any = returned[-1][1] if graph.single else returned
    if not graph.single and graph.returns == "tuple":
        outputs = ["tuple", *[position for _, position in returned]]
    if graph.training:
        outputs = {"returns": outputs, "training": [label in graph.training for label in graph.outputs]}
    shared = [(positions[name], state) for name, state in graph.shared.items() if name in positions]
    frozen = [positions[name] for name in positions if name in graph.frozen]
    more = [{key: sorted(found)} for key, found in (("frozen", frozen), ("shared", shared)) if found]
    meaning = encoded([ENCODING, graph.input, list(texts), nodes, outputs, *more])
    return hashlib.sha256(meaning.encode()).hexdigest()


def call_of(operation: Operation, inputs: tuple[Shape, ...]) -> list[Any]:
    """What an operation computes, as plain data; ``inputs`` are the shapes that it reads."""
    try:
        call = operation.torch(inputs)
        return [call.kind, call.target, _plain(call.args), _plain(call.kwargs), call.fold, call.packed]
    except NotImplementedError:  # an operation of a user that torch does not have
        return [operation.name, _plain(set_arguments(operation))]


def _operation(operation: Operation, inputs: tuple[Shape, ...], init: Mapping[str, Any]) -> list[Any]:
    """What an operation computes and how its tensors start, as plain data."""
    weights = [(name, weight.shape, _plain(weight.start(init))) for name, weight in operation.weights(inputs).items()]
    buffers = [(name, _plain(tuple(buffer))) for name, buffer in operation.buffers(inputs).items()]
    return [*call_of(operation, inputs), weights, buffers]


def _plain(value: Any) -> Any:
    """A value as JSON has it, the same for equal numbers."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, slice):
        return ["slice", value.start, value.stop, value.step]
    return value


def encoded(value: Any) -> str:
    """Plain data as text, the same for equal data."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
