"""Graph to ONNX, for inference. Each operation declares its ONNX form, so torch is not needed.

Weights keep the names and values of the state dict, and nodes have the names of their scopes, so a layer has the same
name in the file as in the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy
import onnx

from archspec.emit.onnx_file import octets, write_model
from archspec.emit.onnx_nodes import OPSET, Dynamic, add_tensor, needed, without_weights
from archspec.graph.graph import Graph
from archspec.passes.in_eval_mode import in_eval_mode

LARGEST = 2_000_000_000
"""The most bytes of weights inside the file. protobuf refuses a message of 2 GiB, and the nodes need some of that."""

PAGE = 4096
"""The alignment of tensors in the second file, so that a runtime can map them into memory."""


def write_onnx(
    graph: Graph,
    tensors: Mapping[str, numpy.ndarray],
    path: Path,
    *,
    dynamic: Dynamic = "batch",
    opset: int = OPSET,
) -> None:
    """Write the file; weights of more than :data:`LARGEST` bytes go into a second one beside it, ``FILE.onnx.data``.

    Args:
        graph: the compiled network.
        tensors: the weights and buffers, as :func:`to_onnx` takes them.
        path: the file, which contains the name of the second file.
        dynamic: which dimensions of the input are free.
        opset: the version of the ONNX operator set.

    Raises:
        SpecError: E830, as :func:`to_onnx`.
        OSError: a file cannot be written.
    """
    model, weights = without_weights(in_eval_mode(graph), dynamic, opset), _floats(graph, tensors)
    if sum(values.nbytes for _, values in weights) > LARGEST:
        beside = path.with_name(f"{path.name}.data")
        with beside.open("wb") as stream:
            for key, values in weights:
                _add_outside(model.graph, key, values, stream, beside.name)
        weights = []
    with path.open("wb") as stream:
        write_model(model, weights, stream)


def to_onnx(
    graph: Graph, tensors: Mapping[str, numpy.ndarray], *, dynamic: Dynamic = "batch", opset: int = OPSET
) -> onnx.ModelProto:
    """The model in ONNX, in eval mode, with its weights inside.

    Args:
        graph: the compiled network.
        tensors: the weights and buffers by the keys of the state dict; they are written as float32. The counters of
            batches may be left out.
        dynamic: which dimensions of the input are free.
        opset: the version of the ONNX operator set, at least 18.

    Raises:
        SpecError: E830, ONNX cannot express an operation, or not in this opset; one diagnostic for each.
        EnvironmentFault: E809, the installed onnx is older than the opset.

    >>> import archspec, numpy
    >>> graph = archspec.compile("resnet20_cifar")
    >>> weights = {key: numpy.zeros(tensor.shape, "float32") for key, tensor in needed(graph).items()}
    >>> model = to_onnx(graph, weights)
    >>> model.graph.node[0].op_type, model.graph.node[0].name, list(model.graph.node[0].input)
    ('Conv', 'conv1', ['input', 'conv1.weight'])
    """
    model = without_weights(in_eval_mode(graph), dynamic, opset)
    for key, values in _floats(graph, tensors):
        add_tensor(model.graph, key, values)
    return model


# -- weights ----------------------------------------------------------------------------------------------------------


def _floats(graph: Graph, tensors: Mapping[str, numpy.ndarray]) -> list[tuple[str, numpy.ndarray]]:
    return [(key, tensors[key].astype("<f4", copy=False)) for key in needed(in_eval_mode(graph))]


def _add_outside(graph: onnx.GraphProto, name: str, values: numpy.ndarray, stream: BinaryIO, file: str) -> None:
    """Add a tensor to a graph, and write its values to another file."""
    start = -(-stream.tell() // PAGE) * PAGE
    stream.write(bytes(start - stream.tell()))
    stream.write(octets(values))
    place = onnx.TensorProto.EXTERNAL
    tensor = graph.initializer.add(name=name, dims=values.shape, data_type=onnx.TensorProto.FLOAT, data_location=place)
    for key, value in (("location", file), ("offset", start), ("length", values.nbytes)):
        tensor.external_data.add(key=key, value=str(value))
