"""Scopes that use the weights of another one, operation by operation: its module is called again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from archspec.graph.graph import Graph, Node
from archspec.graph.plan import Call, Module


@dataclass(frozen=True, slots=True)
class CalledAgain:
    """A scope whose operations are those of the scope ``other``.

    ``calls`` has the call here for the result of each call there, and ``values`` the value here for each one there.
    """

    path: str
    other: str
    calls: Mapping[str, Call]
    values: Mapping[str, str]

    def members(self, planned: Sequence[Call | Module]) -> list[Call | Module]:
        """What the other scope is in the plan, as it is here: its module has a ``state``."""
        return [
            replace(made, state=each.path) if isinstance(made, Module) and each.path == self.other else made
            for each, made in ((each, self._member(each)) for each in planned)
        ]

    def _member(self, member: Call | Module) -> Call | Module:
        path, state = self._moved(member.path), member.state and self._moved(member.state)
        if isinstance(member, Call):
            return self.calls[member.result]._replace(path=path, state=state)
        members = tuple([self._member(each) for each in member.members])
        inputs = tuple([self.values[each] for each in member.inputs])
        return replace(
            member, path=path, members=members, inputs=inputs, result=self.values[member.result], state=state
        )

    def _moved(self, path: str) -> str:
        return self.path + path[len(self.other) :]


def called_again(graph: Graph, calls: Sequence[Call], extents: Mapping[str, Sequence[int]]) -> dict[str, CalledAgain]:
    """The scopes that can call the module of another one again, by path.

    Args:
        graph: the compiled network.
        calls: its nodes as they run.
        extents: the first and the last node of each scope, and how many nodes it has.
    """
    found: dict[str, CalledAgain] = {}
    for path, extent in extents.items() if graph.borrowing else ():
        own = _whole(calls, extent)
        first = next((each for each in own if each.state), None)
        if first is None or not first.state.endswith(first.path[len(path) :]):
            continue
        other = first.state[: len(first.state) - len(first.path) + len(path)]
        theirs = _whole(calls, extents.get(other, ()))
        if again := _same(graph, CalledAgain(path, other, {}, {}), own, theirs):
            found[path] = again
    return found


def _whole(calls: Sequence[Call], extent: Sequence[int]) -> Sequence[Call]:
    """The calls of a scope, if they follow each other."""
    if not extent or extent[1] - extent[0] + 1 != extent[2]:
        return ()
    return calls[extent[0] : extent[1] + 1]


def _same(graph: Graph, again: CalledAgain, own: Sequence[Call], theirs: Sequence[Call]) -> CalledAgain | None:
    """The same with its calls and values; None if the two scopes do not do the same."""
    values: dict[str, str] = {}
    back: dict[str, str] = {}
    if len(own) != len(theirs):
        return None
    for here, there in zip(own, theirs, strict=True):
        shapes = graph.input_shapes(there.node)
        stateful = there.node.operation.weights(shapes) or there.node.operation.buffers(shapes)
        path = there.path.startswith(f"{again.other}.") and again.path + there.path[len(again.other) :]
        within = not there.state or there.state.startswith(f"{again.other}.")
        if stateful and not (within and here.path == path and here.state == (there.state or there.path)):
            return None
        if repr(_plain(graph, here)) != repr(_plain(graph, there)) or here.node.operation != there.node.operation:
            return None
        if (here.node.name in graph.frozen) != (there.node.name in graph.frozen):  # one module has one mode
            return None
        for one, two in zip((*here.node.inputs, here.result), (*there.node.inputs, there.result), strict=True):
            if values.setdefault(two, one) != one or back.setdefault(one, two) != two:
                return None
    return replace(again, calls={each.result: call for each, call in zip(theirs, own, strict=True)}, values=values)


def _plain(graph: Graph, call: Call) -> object:
    """What a call does, whether in place or not."""
    return call.node.operation.torch(graph.input_shapes(call.node))


def nodes_called_again(model: Module) -> dict[str, list[Node]]:
    """The nodes that run the module of another node again, by its name, as in-place operations must know."""
    found: dict[str, list[Node]] = {}
    modules = {module.path: module for module in model.modules()}
    for module in modules.values():
        if module.state:
            for one, other in zip(modules[module.state].calls(), module.calls(), strict=True):
                found.setdefault(one.node.name, []).append(other.node)
    return found
