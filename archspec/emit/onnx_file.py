"""An ONNX file written without a copy of its weights.

An ONNX file is one protobuf message. A message is a sequence of fields. Each field has a number, which says which field
it is and how its value is stored, and then the value. Bytes, texts and messages have their length before them:

    model    ir_version, producer_name, ...
             graph = length, then   node, node, ..., name
                                    initializer = length, then   dims, data_type, name
                                                                 raw_data = length, then the numbers
                                    initializer ...
                                    input, output, ...
             opset_import, ...

protobuf would hold the numbers twice: in the message, and in the bytes that it makes of the message. Here it makes the
bytes of everything else, and the numbers go straight from the arrays to the file.
https://protobuf.dev/programming-guides/encoding describes the format.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import numpy
import onnx

GRAPH = onnx.ModelProto.DESCRIPTOR.fields_by_name["graph"].number
INITIALIZER = onnx.GraphProto.DESCRIPTOR.fields_by_name["initializer"].number
RAW_DATA = onnx.TensorProto.DESCRIPTOR.fields_by_name["raw_data"].number
DELIMITED = 2
"""How a value with its length before it is stored."""


def write_model(model: onnx.ModelProto, weights: Sequence[tuple[str, numpy.ndarray]], stream: BinaryIO) -> None:
    """Write a model with further initializers: the bytes that protobuf gives for it once it has them.

    Args:
        model: the model, with fewer than 2 GiB of weights.
        weights: the names and values (float32, little-endian) of the initializers that it lacks.
        stream: the file.

    >>> import io
    >>> model, file = onnx.ModelProto(graph=onnx.GraphProto(name="g")), io.BytesIO()
    >>> write_model(model, [("w", numpy.ones((2, 1), "<f4"))], file)
    >>> onnx.numpy_helper.to_array(onnx.load_from_string(file.getvalue()).graph.initializer[0]).tolist()
    [[1.0], [1.0]]
    """
    before_graph, after_graph = _split(model, GRAPH - 1, GRAPH + 1)
    first, last = _split(model.graph, INITIALIZER, INITIALIZER + 1)
    headers = [_header(name, values) for name, values in weights]
    size = len(first) + sum(len(header) + values.nbytes for header, (_, values) in zip(headers, weights, strict=True))
    stream.write(before_graph + _start(GRAPH, size + len(last)) + first)
    for header, (_, values) in zip(headers, weights, strict=True):
        stream.write(header)
        stream.write(octets(values))
    stream.write(last + after_graph)


def octets(values: numpy.ndarray) -> memoryview:
    """The bytes of an array in its own memory, in C order."""
    return numpy.ascontiguousarray(values).reshape(-1).view(numpy.uint8).data


def _split(message: onnx.ModelProto | onnx.GraphProto, last: int, first: int) -> tuple[bytes, bytes]:
    """The fields of a message up to the number ``last``, and those from ``first`` on. protobuf writes them in order."""
    before, after = type(message)(), type(message)()
    before.CopyFrom(message)
    after.CopyFrom(message)
    for field, _ in message.ListFields():
        if field.number > last:
            before.ClearField(field.name)
        if field.number < first:
            after.ClearField(field.name)
    return before.SerializeToString(deterministic=True), after.SerializeToString(deterministic=True)


def _header(name: str, values: numpy.ndarray) -> bytes:
    """What is before the numbers of an initializer."""
    tensor = onnx.TensorProto(name=name, dims=values.shape, data_type=onnx.TensorProto.FLOAT)
    about: bytes = tensor.SerializeToString(deterministic=True) + _start(RAW_DATA, values.nbytes)
    return _start(INITIALIZER, len(about) + values.nbytes) + about


def _start(field: int, length: int) -> bytes:
    """What is before a value that has its length before it."""
    return _varint(field << 3 | DELIMITED) + _varint(length)


def _varint(number: int) -> bytes:
    """A number as protobuf stores it: 7 bits in each byte, the lowest first; the highest bit says that more follow.

    >>> _varint(300).hex()
    'ac02'
    """
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
