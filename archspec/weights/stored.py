"""Files of safetensors without torch: the library checks the file, and the tensors stay in it until they are used."""

from __future__ import annotations

import json

import numpy
from safetensors import safe_open

from archspec.weights.tensors import StoredTensor

BFLOAT16 = "bfloat16"

DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": BFLOAT16,
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
    "C64": "complex64",
}
"""The names in a file, and torch's. What numpy lacks, such as numbers of 8 bits, is read with torch."""


def stored(path: str) -> dict[str, StoredTensor] | None:
    """The tensors of a file, in the order of their bytes, as with torch; None if it has some that only torch reads.

    Raises whatever safetensors does for a file that is not one.
    """
    with safe_open(path, framework="numpy"):  # checks the header, and that the tensors fill the file
        pass
    data = numpy.memmap(path, numpy.uint8, "r")
    start = 8 + int.from_bytes(data[:8].tobytes(), "little")
    header = json.loads(data[8:start].tobytes())
    header.pop("__metadata__", None)
    found = {}
    for name, about in sorted(header.items(), key=lambda each: each[1]["data_offsets"]):
        if about["dtype"] not in DTYPES:
            return None
        first, last = about["data_offsets"]
        found[name] = StoredTensor(DTYPES[about["dtype"]], tuple(about["shape"]), data[start + first : start + last])
    return found


def as_array(tensor: StoredTensor, dtype: str) -> numpy.ndarray:
    """The numbers of a tensor in another dtype.

    >>> half = StoredTensor(BFLOAT16, (2,), numpy.array([0x80, 0x3F, 0, 0xC0], numpy.uint8))
    >>> as_array(half, "float32")
    array([ 1., -2.], dtype=float32)
    """
    if tensor.dtype == BFLOAT16:  # the upper half of a float32
        numbers = (tensor.data.view("<u2").astype("<u4") << 16).view("<f4")
    else:
        numbers = tensor.data.view(numpy.dtype(tensor.dtype).newbyteorder("<"))
    with numpy.errstate(over="ignore"):  # a number too large becomes infinite, as in torch
        return numpy.asarray(numbers.reshape(tensor.shape).astype(dtype, copy=False))
