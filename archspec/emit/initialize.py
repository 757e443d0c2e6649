"""The storage and the initial values of a model's weights, by the words of ``init`` in a spec."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Generator, Tensor, nn
from torch.nn import init as torch_init

from archspec.graph.graph import Graph
from archspec.graph.state import key_of
from archspec.operations.base import Weight

Initializer = Callable[[Tensor, Generator | None], Tensor]

INITIALIZERS: Mapping[str, Initializer] = MappingProxyType(
    {
        # He et al. 2015: keeps the variance constant in the backward pass, or in the forward pass.
        "he-fan-out": lambda t, g: torch_init.kaiming_normal_(t, mode="fan_out", nonlinearity="relu", generator=g),
        "he-fan-in": lambda t, g: torch_init.kaiming_normal_(t, mode="fan_in", nonlinearity="relu", generator=g),
        # Glorot and Bengio 2010, the uniform form.
        "xavier": lambda t, g: torch_init.xavier_uniform_(t, generator=g),
        "normal": lambda t, g: torch_init.normal_(t, std=0.01, generator=g),
        "truncated-normal": lambda t, g: torch_init.trunc_normal_(t, std=0.02, generator=g),
        # What torch's own layers do: uniform within 1 / sqrt(fan in).
        "torch": lambda t, g: torch_init.kaiming_uniform_(t, a=math.sqrt(5), generator=g),
    }
)
"""The initializers of convolutions and linear layers, by the words of :data:`archspec.operations.base.INIT`."""


def materialize(
    module: nn.Module,
    graph: Graph,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    generator: Generator | None = None,
    initialized: bool = True,
) -> None:
    """Give the weights of an emitted model storage and, unless they are to be loaded, their initial values."""
    dtype = dtype or torch.get_default_dtype()
    for node in graph.nodes:
        if node.name in graph.borrowing:
            continue
        inputs = graph.input_shapes(node)
        for name, weight in node.operation.weights(inputs).items():
            owner, attribute = _owner(module, key_of(graph, node, name))
            empty = torch.empty(weight.shape, device=device, dtype=dtype)
            parameter = nn.Parameter(empty, requires_grad=node.name not in graph.frozen)
            if initialized:
                initialize(parameter, weight, graph.init, generator)
            owner._parameters[attribute] = parameter
        for name, buffer in node.operation.buffers(inputs).items():
            owner, attribute = _owner(module, key_of(graph, node, name))
            kind = torch.int64 if buffer.dtype == "int64" else dtype
            owner._buffers[attribute] = torch.full(buffer.shape, buffer.initial, device=device, dtype=kind)


def _owner(module: nn.Module, key: str) -> tuple[nn.Module, str]:
    """The module with a tensor of the state dict, and the attribute."""
    parent, _, attribute = key.rpartition(".")
    return module.get_submodule(parent), attribute


def initialize(tensor: Tensor, weight: Weight, init: Mapping[str, object], generator: Generator | None = None) -> None:
    """Fill ``tensor`` as ``weight`` says.

    Args:
        tensor: a parameter of the weight's shape, written in place.
        weight: what the tensor is: the weight of a convolution, a bias, or a scale that starts at a constant.
        init: the spec's ``init``: a word for ``conv``, for ``linear`` and for ``bias``. For a kind that it leaves out,
            the first word of :data:`archspec.operations.base.INIT` applies.
        generator: where random numbers come from; by default torch's global generator.

    Raises:
        ValueError: no initializer has this name.
    """
    start = weight.start(init)
    with torch.no_grad():
        if isinstance(start, float):
            tensor.fill_(start)
        elif weight.initial in ("conv", "linear") and start in INITIALIZERS:
            INITIALIZERS[start](tensor, generator)
        elif weight.initial in ("bias", "linear_bias") and start == "torch":
            bound = 1 / math.sqrt(weight.fan_in)
            tensor.uniform_(-bound, bound, generator=generator)
        else:
            raise ValueError(f"no initializer for `{weight.initial}` is called `{start}`")
