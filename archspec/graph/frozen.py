"""What does not train: the nodes in the scopes under ``frozen``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from archspec.diagnostics import Diagnostic, Faults, Span, SpecError, cut, suggest
from archspec.graph.graph import Graph, Node
from archspec.graph.scopes import HEAD, NO_HEAD, ambiguous, around, by_name, parts
from archspec.hints import Hints
from archspec.language.silence import unless_meant
from archspec.language.spec import Spec

HELP = (
    "a scope is `stem`, `head`, a stage, or the beginning of a name that `archspec show --graph` prints, "
    "such as `layer1.0` of `layer1.0.conv1`"
)


def with_frozen(graph: Graph, scopes: Sequence[str], place: Callable[[str], Span]) -> Graph:
    """The graph, with what is in some scopes frozen too.

    Args:
        graph: the network, all its nodes.
        scopes: scopes, nodes, or parts as tables name them, such as ``stem``.
        place: where a scope was written.

    Raises:
        SpecError: E310, for every name that the network does not have; E316, for one that may mean two of its parts.
    """
    if not scopes:
        return graph
    chosen = frozenset(graph.nodes[i].name for i in _positions(graph, scopes, place) if _freezes(graph, graph.nodes[i]))
    states = {graph.state_of(name) for name in chosen}  # whoever uses them does not train them either
    return replace(graph, frozen=graph.frozen | {n.name for n in graph.nodes if graph.state_of(n.name) in states})


def freeze(graph: Graph, spec: Spec, faults: Faults) -> Graph:
    """The graph of a spec, what is under its key ``frozen`` frozen, with warnings where that has no effect.

    Raises:
        SpecError: as :func:`with_frozen`.
    """
    if not spec.frozen:
        return graph
    places = {scope: _written_at(spec, number) for number, scope in enumerate(spec.frozen)}
    found = with_frozen(graph, spec.frozen, places.__getitem__)
    for scope, span in places.items():
        if not with_frozen(graph, (scope,), places.__getitem__).frozen:
            message = f"`{cut(scope)}` has nothing to freeze: no parameters, and nothing that differs in training"
            faults.record("W312", message, span, help=unless_meant("W312", "remove it, or name another scope"))
    if found.frozen and not any(_weighs(graph, node) and node.name not in found.frozen for node in graph.nodes):
        message = f"every parameter of `{cut(graph.name)}` is frozen, so nothing is left to train"
        help = unless_meant("W313", "remove the part that you want to train, such as `head`")
        faults.record("W313", message, spec.document.span(("frozen",)), help=help)
    return found


def frozen_scopes(graph: Graph) -> list[str]:
    """The largest scopes, and single modules, that together contain what is frozen and nothing else that trains.

    They are those of keys: a node that uses weights of another has the scope of these.
    """
    own = [node for node in graph.nodes if node.name not in graph.borrowing]
    others = [node for node in own if node.name not in graph.frozen and _freezes(graph, node)]
    trained = {scope for node in others for scope in around(graph.state_of(node.name))}
    found: dict[str, None] = {}
    for node in own:
        if node.name in graph.frozen:
            scopes = reversed(around(graph.state_of(node.name)))
            found[next(scope for scope in scopes if scope not in trained)] = None
    return list(found)


def _weighs(graph: Graph, node: Node) -> bool:
    return bool(node.operation.weights(graph.input_shapes(node)))


def _freezes(graph: Graph, node: Node) -> bool:
    """Whether a node has parameters, or differs between training and eval mode."""
    return _weighs(graph, node) or node.operation.in_eval() != node.operation


def _positions(graph: Graph, scopes: Sequence[str], place: Callable[[str], Span]) -> Iterable[int]:
    """The positions of the nodes in some scopes."""
    inside: dict[str, list[int]] = {}
    for position, node in enumerate(graph.nodes):
        for scope in around(node.name):
            inside.setdefault(scope, []).append(position)
    extents = by_name(parts(len(graph.nodes), graph.stages, graph.heads))
    words = dict.fromkeys([*extents, *inside])
    unknown = [scope for scope in scopes if scope not in words]
    if unknown:
        raise SpecError([_no_scope(scope, close, graph, place(scope)) for scope, close in _meant(unknown, words)])
    found: dict[int, None] = {}
    for scope in scopes:
        part = extents.get(scope)
        found.update(dict.fromkeys(inside.get(scope, ())))
        if part is None or (part.stage and scope in inside):
            continue
        own = range(part.first, part.last)
        if scope in inside:
            _check_same(graph, scope, own, inside[scope], place(scope))
        found.update(dict.fromkeys(own))
    return found


def _meant(unknown: Sequence[str], words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Unknown scopes, each with the closest scope of the same depth, or else of any depth."""
    hints = Hints()
    for scope in unknown:
        level = [word for word in words if word.count(".") == scope.count(".")]
        yield scope, hints.nearest(scope, level) or hints.nearest(scope, words)


def _check_same(graph: Graph, scope: str, part: range, inside: Sequence[int], place: Span) -> None:
    """Refuse a name that is a part of the network and a scope with other weights."""
    if any(_weighs(graph, graph.nodes[i]) for i in {*inside} ^ {*part}):
        raise SpecError([ambiguous(scope, scope, place)])


def _no_scope(scope: str, close: str, graph: Graph, place: Span) -> Diagnostic:
    help = NO_HEAD if scope == HEAD and graph.heads else HELP
    return Diagnostic("E310", f"`{cut(graph.name)}` has no scope `{cut(scope)}`", place, suggest(close), help=help)


def _written_at(spec: Spec, number: int) -> Span:
    one = isinstance(spec.document.value["frozen"], str)
    return spec.document.span(("frozen",) if one else ("frozen", number))
