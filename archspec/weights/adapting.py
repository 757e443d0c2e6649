"""Adapting the first convolutions of a network to another number of input channels, as timm does.

The rule is that of ``timm.models.adapt_input_conv`` (Wightman, timm 1.0, ``timm/models/_manipulate.py``). For one
channel, the filters are summed over their input channels. For another number, they are repeated in order, cut to that
number, and scaled so that equal channels give the same sum. A file may have any number of channels, not only 3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from archspec.graph.graph import INPUT, Graph
from archspec.graph.state import key_of
from archspec.operations.shapes import Shape

if TYPE_CHECKING:
    from torch import Tensor

AXIS = 1
"""The axis of the input channels in the weight of a convolution."""


def adapt(weight: Tensor, channels: int) -> Tensor:
    """The filters of a convolution for another number of input channels.

    Args:
        weight: (out, in, *kernel); ``in`` counts the channels of one group.
        channels: the new number of input channels of one group.

    Returns:
        (out, channels, *kernel), in the dtype of ``weight``. Half precision is computed with float32, as in timm.

    >>> import torch
    >>> adapt(torch.tensor([[[1.0], [2.0], [4.0]]]), 1)
    tensor([[[7.]]])
    >>> adapt(torch.tensor([[[1.0], [2.0], [4.0]]]), 4).flatten()
    tensor([0.7500, 1.5000, 3.0000, 0.7500])
    """
    exact = weight if str(weight.dtype) == "torch.float64" else weight.float()
    before = weight.shape[AXIS]
    if channels == 1:
        return exact.sum(dim=AXIS, keepdim=True).to(weight.dtype)
    times = [1] * weight.dim()
    times[AXIS] = math.ceil(channels / before)
    repeated = exact.repeat(times).narrow(AXIS, 0, channels)
    return (repeated * (before / float(channels))).to(weight.dtype)


def first_convolutions(graph: Graph) -> frozenset[str]:
    """The keys of the weights that read the channels of the network's input.

    Between the input and a convolution there may be steps that keep the channels and have no weights, such as a pool.
    """
    reads, found = {INPUT}, []
    for node in graph.nodes:
        if len(node.inputs) != 1 or node.inputs[0] not in reads:
            continue
        inputs = graph.input_shapes(node)
        tensors = {**node.operation.weights(inputs), **node.operation.buffers(inputs)}
        found += [key_of(graph, node, name) for name in node.operation.filters]
        if not tensors and node.shape[:1] == inputs[0][:1]:
            reads.add(node.name)
    return frozenset(found)


def adaptable(graph: Graph, reshaped: Mapping[str, tuple[Shape, Shape]]) -> tuple[str, ...]:
    """The keys with another shape whose tensors :func:`adapt` fits: first convolutions that differ in ``in`` alone.

    Where a grouped convolution reads as many channels in all as the file's reads in a group, the groups differ and not
    the input; such weights are left out.
    """
    firsts = first_convolutions(graph) if reshaped else ()
    found = []
    for key, (theirs, ours) in reshaped.items():
        if key not in firsts or len(theirs) != len(ours) or not math.prod(theirs):
            continue
        grouped = ours[AXIS] != graph.input[0]
        rest = slice(AXIS + 1, None)
        if theirs[0] == ours[0] and theirs[rest] == ours[rest] and not (grouped and theirs[AXIS] == graph.input[0]):
            found.append(key)
    return tuple(found)
