"""The paths through a graph of networkx: one of archspec's, one drawn from a traced module, or one written by hand."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from archspec import arguments
from archspec.analysis.paths import Paths, paths_of

if TYPE_CHECKING:
    import networkx


def skip_paths(
    dag: networkx.DiGraph, *, to: Hashable = None, lengths: bool | None = None, gates: bool = False
) -> Paths:
    """The skip paths through a graph of networkx and their lengths, exactly as :func:`analyze` counts them.

    The graph is directed and without cycles: an edge leads from a value to an operation that reads it. It has one node
    without inputs. Use a ``MultiDiGraph`` if an operation may read one value twice. It reads:

    - of a node, ``adds``: whether it adds its inputs, so that a path may take any of them; and ``layer``: whether it
      counts as a layer, as in papers: a convolution or a linear layer;
    - of an edge, ``gate``: whether the value only scales another; ``measured``: whether only its size is read, so that
      no path goes through it; False if they are missing;
    - of an edge, ``position``: the index of the value among the inputs of the operation, which decides between paths
      that are otherwise equal. If an edge to a node lacks it, edges count in the order in which they were added.

    :meth:`archspec.Graph.to_networkx` sets all of these. Any other node with several inputs is a concatenation.

    Args:
        dag: the graph, a ``networkx.DiGraph`` or ``MultiDiGraph``.
        to: the node to which paths are counted; by default the first of ``dag.graph["outputs"]``, which
            :meth:`archspec.Graph.to_networkx` sets, or in a graph without these the only node that nothing reads.
        lengths: whether the distributions of lengths are computed; by default up to 2,000 residual blocks.
        gates: whether paths may go through gates.

    Raises:
        SpecError: E920 for a graph without nodes, with a cycle, with several first or last nodes, or with a node that
            reads only gates; E921 for nodes that lack an attribute.
        TypeError: an argument of the wrong type.
        ValueError: the graph has no node ``to``.

    Veit, Wilber and Belongie, "Residual Networks Behave Like Ensembles of Relatively Shallow Networks", 2016.

    >>> import archspec, networkx
    >>> found = archspec.skip_paths(archspec.compile("resnet50").to_networkx())
    >>> found == archspec.analyze("resnet50").paths, found.skip_paths
    (True, 65536)
    >>> by_hand = networkx.DiGraph([("image", "conv"), ("image", "sum"), ("conv", "sum")])
    >>> networkx.set_node_attributes(by_hand, {name: name == "sum" for name in by_hand}, "adds")
    >>> networkx.set_node_attributes(by_hand, {name: name == "conv" for name in by_hand}, "layer")
    >>> archspec.skip_paths(by_hand).in_layers.counts
    (1, 1)
    """
    from archspec.analysis.networkx_wiring import wiring_of  # networkx takes a tenth of a second

    gates = arguments.flag(gates, "gates")
    lengths = None if lengths is None else arguments.flag(lengths, "lengths")
    wiring, end = wiring_of(dag, to, gates)
    return paths_of(wiring, [end], lengths=lengths, gates=gates)[end]
