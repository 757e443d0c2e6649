"""A graph of networkx as the count of paths reads it, checked."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

import networkx

from archspec import arguments
from archspec.analysis.paths import Wiring
from archspec.diagnostics import Diagnostic, SpecError, cut
from archspec.display import counted
from archspec.graph.storage import SOURCE
from archspec.wording import first_of

READ = {"adds": "whether a node adds its inputs", "layer": "whether a node is a convolution or a linear layer"}
"""The attributes of a node that are read, and what they say."""


def wiring_of(dag: networkx.DiGraph, to: Hashable, gates: bool) -> tuple[Wiring, int]:
    """The nodes of ``dag`` that lead to ``to``, and the position of that; the arguments are those of skip_paths."""
    arguments.instance(dag, "dag", networkx.DiGraph, "a directed graph of networkx", "`Graph.to_networkx()` gives one")
    end = _last(dag) if to is None else _named(dag, to)
    order = _ordered(dag, end)
    _check_attributes(dag, order)
    place = {name: position for position, name in enumerate(order)}
    inputs: list[tuple[int, ...]] = []
    choices: set[int] = set()
    alone: list[Hashable] = []
    for position, name in enumerate(order):
        edges = _edges(dag, name)
        ways = [source for source, gate in edges if gates or not gate]
        if edges and not ways:
            alone.append(name)
        if dag.nodes[name]["adds"] or any(gate for _, gate in edges):
            choices.add(position)
        inputs.append(tuple([place[source] for source in ways]) or (SOURCE,))  # the first node may be a layer too
    if alone:
        raise _refused(
            f"every input is marked as a gate, at {_names(alone)}", "a gate scales another input: leave one unmarked"
        )
    layers = [bool(dag.nodes[name]["layer"]) for name in order]
    return Wiring(inputs, layers, choices), place[end]


def _named(dag: networkx.DiGraph, to: Hashable) -> Hashable:
    try:
        known = to in dag
    except TypeError:  # a list, say, cannot be a node
        known = False
    if not known:
        raise ValueError(f"`dag` has no node `to`: {arguments.given(to)}")
    return to


def _last(dag: networkx.DiGraph) -> Hashable:
    """The first output that the graph names, or the only node that nothing reads."""
    if not len(dag):
        raise _refused("the graph has no nodes")
    outputs = dag.graph.get("outputs")
    if isinstance(outputs, Mapping) and outputs and (first := next(iter(outputs.values()))) in dag:
        named: Hashable = first
        return named
    found: list[Hashable] = [name for name, readers in dag.out_degree() if not readers]
    if len(found) > 1:
        message = f"paths must end at one node, but {counted(len(found), 'node')} of the graph have no reader: "
        raise _refused(message + _names(found), "choose one of them with `to`")
    if not found:
        raise _cyclic(dag)
    return found[0]


def _ordered(dag: networkx.DiGraph, end: Hashable) -> list[Hashable]:
    """The nodes that lead to ``end``, and it, each after those that it reads; the only one that reads nothing first."""
    leading = networkx.ancestors(dag, end) | {end}
    part = dag if len(leading) == len(dag) else dag.subgraph(leading)
    try:
        order = list(networkx.topological_sort(part))
    except networkx.NetworkXUnfeasible:
        raise _cyclic(part) from None
    found = [name for name in order if not part.in_degree(name)]
    if len(found) > 1:
        message = f"paths must begin at one node, but {counted(len(found), 'node')} of the graph read nothing: "
        help = "remove nodes that are not inputs of the network, such as weights, or join the inputs in one node"
        raise _refused(message + _names(found), help)
    return order


def _edges(dag: networkx.DiGraph, name: Hashable) -> list[tuple[Hashable, bool]]:
    """What a node reads in order, not only for its size, and whether each is a gate."""
    found = [(source, data) for source, _, data in dag.in_edges(name, data=True)]
    if all(isinstance(data.get("position"), int) for _, data in found):
        found.sort(key=lambda edge: edge[1]["position"])
    return [(source, bool(data.get("gate", False))) for source, data in found if not data.get("measured", False)]


def _check_attributes(dag: networkx.DiGraph, order: Iterable[Hashable]) -> None:
    faults = []
    for attribute, meaning in READ.items():
        without = [name for name in order if not _is_flag(dag.nodes[name].get(attribute))]
        if without:
            message = (
                f"{counted(len(without), 'node')} without `{attribute}`, which must be True or False: {_names(without)}"
            )
            help = f"`{attribute}` says {meaning}; `networkx.set_node_attributes` sets it for many"
            faults.append(Diagnostic("E921", message, help=help))
    if faults:
        raise SpecError(faults)


def _is_flag(value: object) -> bool:
    try:
        arguments.flag(value, "")
    except TypeError:
        return False
    return True


def _cyclic(dag: networkx.DiGraph) -> SpecError:
    around = [edge[0] for edge in networkx.find_cycle(dag)]
    message = f"the graph has a cycle: {first_of([f'`{cut(name)}`' for name in (*around, around[0])], ' -> ')}"
    return _refused(message, "a path through a cycle has no end: remove an edge of it")


def _names(names: Iterable[Hashable]) -> str:
    return first_of([f"`{cut(name)}`" for name in names])


def _refused(message: str, help: str = "") -> SpecError:
    return SpecError([Diagnostic("E920", message, help=help)])
