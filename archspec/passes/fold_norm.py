"""Folds a batch norm into the convolution or linear layer before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from archspec import arguments
from archspec.graph.graph import Graph
from archspec.graph.state import state as tensors_of
from archspec.operations.norm import Norm
from archspec.passes.rewrite import with_nodes
from archspec.wording import brief

if TYPE_CHECKING:
    from torch import Tensor


class Trained(NamedTuple):
    """A graph and the state dict of its model, keys in the model's order."""

    graph: Graph
    state: Mapping[str, Tensor]

    def __repr__(self) -> str:
        return brief(self)


def fold_norm(network: Trained) -> Trained:
    """The network without the batch norms that directly follow a layer whose value nobody else reads.

    In eval mode a batch norm multiplies each channel by a constant and adds another, and so does a layer whose weights
    ``W`` and bias ``b`` (0 where it has none) become (Jacob et al. 2018, section 3.2)::

        W' = W * gamma / sqrt(var + eps)
        b' = (b - mean) * gamma / sqrt(var + eps) + beta

    The layer keeps its name and gets a bias. The model computes what it did in eval mode, up to rounding; in training
    mode it does not. The graph has no ``origin`` any more, because it is not what the spec says.

    Raises:
        TypeError: not a :class:`Trained`.
        ValueError: the state dict lacks a tensor of the graph, or one has another shape.

    >>> import archspec
    >>> graph = archspec.compile("resnet18")
    >>> folded, weights = fold_norm(Trained(graph, archspec.build(graph, seed=0).state_dict()))
    >>> len(graph.nodes), len(folded.nodes), list(weights)[:3]
    (69, 49, ['conv1.weight', 'conv1.bias', 'layer1.0.conv1.weight'])
    """
    graph, state = _checked(network), dict(network.state)
    uses, nodes = graph.uses(), dict(graph.by_name)
    instead: dict[str, str] = {}
    states = {*graph.shared.values()}
    for name, norm, inputs, _, _ in graph.nodes:
        if name in graph.shared or inputs[0] in graph.shared or {name, inputs[0]} & states:
            continue  # the same weights would have to be folded elsewhere too
        layer = nodes.get(instead.get(inputs[0], inputs[0]))
        if not isinstance(norm, Norm) or norm.type not in ("batch", "frozen") or layer is None or uses[inputs[0]] > 1:
            continue
        biased = layer.operation.with_bias()
        if biased is not None:
            _fold(state, layer.name, name, norm.eps)
            nodes[layer.name] = layer._replace(operation=biased)
            instead[name] = layer.name
            del nodes[name]
    if not instead:
        return network
    folded = replace(with_nodes(graph, list(nodes.values()), instead), origin=None)
    return Trained(folded, {key: state[key] for key in tensors_of(folded)})


def _checked(network: Trained) -> Graph:
    """The graph of a network whose state dict fits it."""
    takes = "a Trained: a Graph and the state dict of its model"
    arguments.instance(network, "network", Trained, takes)
    arguments.instance(network.graph, "network", Graph, takes)
    arguments.instance(network.state, "network", Mapping, takes)
    for key, tensor in tensors_of(network.graph).items():
        found = getattr(network.state.get(key), "shape", None)
        if found is None or tuple(found) != tensor.shape:
            has = "lacks" if key not in network.state else "has another shape for"
            raise ValueError(f"`network` takes {takes}, and this state dict {has} `{key}`")
    return network.graph


def _fold(state: dict[str, Tensor], layer: str, norm: str, eps: float) -> None:
    """Fold a norm's tensors into its layer's, in the order in which torch's ``fuse_conv_bn_weights`` computes."""
    weight, bias = state[f"{layer}.weight"], state.get(f"{layer}.bias")
    mean, scale = state[f"{norm}.running_mean"], (state[f"{norm}.running_var"] + eps).rsqrt()
    centered = (-mean if bias is None else bias - mean) * scale
    if f"{norm}.weight" in state:
        scale, centered = state[f"{norm}.weight"] * scale, centered * state[f"{norm}.weight"] + state[f"{norm}.bias"]
    state[f"{layer}.weight"] = (weight * scale.reshape(-1, *[1] * (weight.dim() - 1))).to(weight.dtype)
    state[f"{layer}.bias"] = centered.to(weight.dtype if bias is None else bias.dtype)
