"""A model that returns some values in training mode only: an fx graph for each mode.

The peer is torchvision's ``models.feature_extraction.DualGraphModule``.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from torch import fx

from archspec.emit.modules import Network


class TwoModeNetwork(Network):
    """A network whose ``graph`` is that of its mode: ``train()`` and ``eval()`` exchange it.

    The graph of training has all nodes. That of eval mode lacks the outputs of training only, and what only these need.
    """

    def train(self, mode: bool = True) -> TwoModeNetwork:
        """Set the mode, and with it the graph."""
        super().train(mode)
        graphs = self.__dict__.get("_graphs")
        if graphs and self._graph is not graphs[mode]:
            self.graph = graphs[mode]
        return self

    @property
    def returned(self) -> dict[str, bool]:
        """Every value that it returns in training mode, in order: its name, and whether it is returned only then."""
        (end,) = [node for node in self.__dict__["_graphs"][True].nodes if node.op == "output"]
        return dict(zip(end.meta["shape"], self.__dict__["_only"], strict=True))

    def __deepcopy__(self, memo: dict[int, Any]) -> fx.GraphModule:
        # torch copies what the current graph uses, and drops the rest.
        only = self.__dict__["_only"]
        graphs = self.__dict__["_graphs"]
        try:
            self.graph = graphs[True]
            made = super().__deepcopy__(memo)
        finally:
            self.graph = graphs[self.training]
        return _prepared(made, only, self.training)

    def __reduce__(self) -> tuple[Any, ...]:
        only, graphs = self.__dict__.pop("_only"), self.__dict__.pop("_graphs")
        try:
            self.graph = graphs[True]
            rebuild, given = super().__reduce__()
        finally:
            self.__dict__.update(_only=only, _graphs=graphs)
            self.graph = graphs[self.training]
        return _unpickled, (rebuild, given, only, self.training)


def in_two_modes(network: fx.GraphModule, only: Sequence[bool]) -> TwoModeNetwork:
    """The network with a graph for eval mode too.

    Args:
        network: the network of training, whose output is a dict or a tuple.
        only: of each of its values, whether it is returned in training only.
    """
    return _prepared(_with_parts_of(network), tuple(only), network.training)


def _prepared(network: Any, only: tuple[bool, ...], training: bool) -> TwoModeNetwork:
    whole: fx.Graph = network.graph
    reduced = copy.deepcopy(whole)
    reduced.owning_module = network
    (end,) = [node for node in reduced.nodes if node.op == "output"]
    returned: Any = end.args[0]
    left: Any
    if isinstance(returned, dict):
        left = {key: value for (key, value), gone in zip(returned.items(), only, strict=True) if not gone}
    else:
        left = tuple([value for value, gone in zip(returned, only, strict=True) if not gone])
        left = left[0] if len(left) == 1 else left
    end.args = (left,)
    shapes = end.meta.get("shape")
    if isinstance(shapes, dict):
        kept = {label: shape for (label, shape), gone in zip(shapes.items(), only, strict=True) if not gone}
        end.meta["shape"] = kept if isinstance(left, dict | tuple) else next(iter(kept.values()))
    for node in reversed(reduced.nodes):
        if not node.users and node.op not in ("output", "placeholder"):
            reduced.erase_node(node)
    network.__dict__.update(_graphs={True: whole, False: reduced}, _only=only)
    network.train(training)
    return network  # type: ignore[no-any-return]


def _unpickled(rebuild: Any, given: tuple[Any, ...], only: tuple[bool, ...], training: bool) -> TwoModeNetwork:
    return _prepared(_with_parts_of(rebuild(*given)), only, training)


def _with_parts_of(network: fx.GraphModule) -> TwoModeNetwork:
    """The same network as one of two modes, with the scopes in the same order: torch would put each at its first call.

    The order is that of the state dict, to which the state of an optimizer belongs.
    """
    made = TwoModeNetwork(network, network.graph, type(network).__name__)
    made.__dict__.update({key: value for key, value in network.__dict__.items() if key not in ("_graph", "_code")})
    return made
