"""Which scopes of a network become modules: the plan that every emitter walks. It needs no torch.

A block is a module with a forward of its own. A stage, or a scope whose parts are numbered, is a sequence where its
parts follow each other. Any other scope is written out in the module around it.

Source that a person reads has more modules: those of fragments, shortcuts and layers, and every scope whose parts
follow each other. The keys of the state dict are the same.
"""

from __future__ import annotations

import itertools
from typing import Any, Literal

from archspec.graph.called_again import called_again
from archspec.graph.graph import INPUT, Graph, Node, Region
from archspec.graph.plan import Call, Module
from archspec.graph.scopes import around


def nest(graph: Graph, *, flat: bool = False, fine: bool = False) -> Module:
    """The plan of a network's modules.

    Args:
        graph: the compiled network.
        flat: one module for the whole network, in place of one for each block.
        fine: modules for fragments, shortcuts and layers too, and for every scope whose parts follow each other.

        >>> import archspec
        >>> model = nest(archspec.compile("resnet18"))
        >>> [(member.path, type(member).__name__) for member in model.members][3:6]
        [('maxpool', 'Call'), ('layer1', 'Module'), ('layer2', 'Module')]
        >>> block = model.members[4].members[1]
        >>> block.kind, block.path, block.class_name, block.inputs, block.result
        ('block', 'layer1.1', 'Basic', ('layer1.0.relu2',), 'layer1.1.relu2')
        >>> [block.relative(member) for member in block.members]
        ['conv1', 'bn1', 'relu', 'conv2', 'bn2', 'add', 'relu2']
    """
    calls = [_call(graph, node) for node in graph.nodes]
    members = calls if flat else _Nesting(graph, calls, fine).members(0, len(calls), "")
    outputs = None if graph.single else graph.outputs
    span = graph.written_at("input")
    form: dict[str, Any] = {"returns": graph.returns, "training": graph.training}
    return Module("model", "", graph.name, tuple(members), (INPUT,), graph.main, span, outputs, **form)


def _call(graph: Graph, node: Node) -> Call:
    over = graph.in_place.get(node.name)
    call = node.operation.torch(graph.input_shapes(node), in_place=over is not None)
    inputs = node.inputs
    if over and call.kind != "module":  # torch writes over the first
        inputs = (inputs[over], *inputs[:over], *inputs[over + 1 :])
    state = graph.state_of(node.name)
    if node.name in graph.borrowing:
        return Call(node, call, node.name, inputs, node.name, state)
    return Call(node, call, state, inputs, node.name)


class _Nesting:
    """The planning of one network: what each scope covers, and where each value is read for the last time."""

    def __init__(self, graph: Graph, calls: list[Call], fine: bool) -> None:
        self.fine = fine
        named = {(each.scope, each.first, each.last): each for each in reversed(graph.named)} if fine else {}
        self.named = named | {(each.scope, each.first, each.last): each for each in reversed(graph.regions)}
        self.by_name = graph.by_name
        self.calls = calls
        self.regions: dict[str, Region] = {region.scope: region for region in reversed(graph.regions)}
        self.extents: dict[str, list[int]] = {}
        """The first and the last node of each scope, and how many nodes it has."""
        self.lent: set[str] = set()
        """The scopes with calls that use weights of other scopes: the module around both calls them."""
        for call in calls:
            for scope in around(call.path.rpartition(".")[0]) if call.state else ():
                self.lent |= set() if call.state.startswith(f"{scope}.") else {scope}
        self.planned: dict[str, list[Call | Module]] = {}
        """What the scopes are that other scopes may call again."""
        self.last_use = dict.fromkeys(graph.outputs.values(), len(calls))
        for index in range(len(calls) - 1, -1, -1):
            node = calls[index].node
            for name in node.inputs:
                self.last_use.setdefault(name, index)
            path = calls[index].path.rpartition(".")[0]
            while path:
                extent = self.extents.setdefault(path, [index, index, 0])
                extent[0] = index
                extent[2] += 1
                path = path.rpartition(".")[0]
        self.again = called_again(graph, calls, self.extents) if fine else {}

    def members(self, first: int, end: int, path: str) -> list[Call | Module]:
        """Nodes ``first`` up to ``end`` as their module sees them, with the modules in it as one member each."""
        found: list[Call | Module] = []
        prefix = len(path) + 1 if path else 0
        index = first
        while index < end:
            scope = self._starting(index, prefix)
            if scope:
                last = self.extents[scope][1]
                again = self._again(scope, index, last + 1)
                self.planned[scope] = again or self._scope(scope, index, last + 1)
                found += self.planned[scope]
                index = last + 1
            else:
                found.append(self.calls[index])
                index += 1
        return found

    def _starting(self, index: int, prefix: int) -> str:
        """The outermost scope that starts with a node and has no node of another scope in it. Empty if no scope does.

        Scopes around it may have such a node, as a stem's scope that goes on with the stages.
        """
        path = self.calls[index].path
        dot = path.find(".", prefix)
        while dot > 0:
            start, last, count = self.extents[path[:dot]]
            if start == index and last - index + 1 == count:
                return path[:dot]
            dot = path.find(".", dot + 1)
        return ""

    def _again(self, path: str, first: int, end: int) -> list[Call | Module]:
        """A scope as another one whose module it calls again; empty if it does not."""
        if path not in self.again:
            return []
        again = self.again[path]
        planned = self.planned.get(again.other, [])
        made = next((each for each in planned if isinstance(each, Module) and each.path == again.other), None)
        if not made or self._ends(first, end)[1] != [again.values[made.result]]:
            return []
        return again.members(planned)

    def _scope(self, path: str, first: int, end: int) -> list[Call | Module]:
        """A scope as one module where it can be one, else its members."""
        members = self.members(first, end, path)
        sources, results = self._ends(first, end)
        if len(results) != 1 or path in self.lent:
            return members
        result = results[0]
        if self.fine and len(sources) > 1:
            return self._with_inputs(path, first, end, members, sources, result)
        if len(sources) != 1:
            return members
        (source,) = sources
        if self.fine:
            return self._fine(path, first, end, members, source, result)
        region = self.regions.get(path)
        kind: Literal["sequential", "block"] = "block"
        follow = _follow(members, path, source, region is not None)
        if not (region and region.kind == "block") and follow:
            kind = "sequential"
        elif not region or (region.first, region.last) != (first, end):
            return members
        name, span = (region.name, region.span) if region else ("sequence", self.by_name[result].span)
        return [Module(kind, path, name, tuple(members), (source,), result, span, region=region)]

    def _fine(
        self, path: str, first: int, end: int, members: list[Call | Module], source: str, result: str
    ) -> list[Call | Module]:
        """The same for source that a person reads."""
        region = self.named.get((path, first, end))
        before: list[Call | Module] = []
        if region and region.kind != "block" and len(members) == 1 and _is_function(members[0]):
            return members  # as a slice of the channels: it is shorter than its call
        if not region:  # functions before a sequence are written out, as a slice of the channels
            before = list(itertools.takewhile(_is_function, members))
            source = before[-1].result if before else source
        members = members[len(before) :]
        follow = _all_follow(members, path, source)
        if not region and not (follow and members):
            return [*before, *members]
        kind: Literal["sequential", "block"] = (
            "sequential" if follow and not (region and region.kind == "block") else "block"
        )
        name, span = (region.name, region.span) if region else ("sequence", self.by_name[result].span)
        return [*before, Module(kind, path, name, tuple(members), (source,), result, span, region=region)]

    def _with_inputs(
        self, path: str, first: int, end: int, members: list[Call | Module], sources: set[str], result: str
    ) -> list[Call | Module]:
        """A fragment that reads several values, as a module with a forward of all of them."""
        region = self.named.get((path, first, end))
        reads = [region.source, *region.inputs.values()] if region and region.kind == "fragment" else []
        inputs = tuple([name for name in dict.fromkeys(reads) if name in sources])
        if not region or len(inputs) != len(sources):
            return members
        return [Module("block", path, region.name, tuple(members), inputs, result, region.span, region=region)]

    def _ends(self, first: int, end: int) -> tuple[set[str], list[str]]:
        """The values that nodes read from before them, and those that others read."""
        calls = self.calls[first:end]
        inside = {call.result for call in calls}
        sources = {name for call in calls for name in call.inputs if name not in inside}
        return sources, [call.result for call in calls if self.last_use.get(call.result, -1) >= end]


def _follow(members: list[Call | Module], path: str, source: str, is_stage: bool) -> bool:
    """Whether the members of a scope are modules, numbered or blocks of a stage, each of which reads the one before."""
    for member in members:
        name = member.path[len(path) + 1 :]
        nested = isinstance(member, Module)
        if member.state or member.inputs != (source,) or "." in name or not (name.isdecimal() or (is_stage and nested)):
            return False
        if isinstance(member, Call) and member.torch.kind != "module":
            return False
        source = member.result
    return True


def _is_function(member: Call | Module) -> bool:
    """Whether it is a function or a method of one value, without weights, so that nothing is named by its path."""
    if not isinstance(member, Call) or member.torch.kind == "module" or len(member.inputs) > 1:
        return False
    return not member.node.operation.has_state


def _all_follow(members: list[Call | Module], path: str, source: str) -> bool:
    """Whether the members of a scope are modules directly in it, each of which reads the one before."""
    for member in members:
        if member.state or member.inputs != (source,) or "." in member.path[len(path) + 1 :]:
            return False
        if isinstance(member, Call) and member.torch.kind != "module":
            return False
        source = member.result
    return True


def alike(graph: Graph, model: Module) -> dict[str, int]:
    """A number for each module of a plan, by path; modules with the same number differ only in their scopes.

    They have the same members by relative path, wired in the same way, and the same operations on values of the same
    shapes.

        >>> import archspec
        >>> graph = archspec.compile("resnet18")
        >>> numbers = alike(graph, nest(graph))
        >>> numbers["layer1.0"] == numbers["layer1.1"], numbers["layer2.0"] == numbers["layer2.1"]
        (True, False)
    """
    found: dict[str, int] = {}
    numbers: dict[tuple[object, ...], int] = {}
    for module in reversed(list(model.modules())):  # those inside a module before it
        values = {name: -place for place, name in enumerate(module.inputs)}
        key: list[object] = [module.kind, module.name, *map(graph.shape, module.inputs)]
        for position, member in enumerate(module.members, start=1):
            if isinstance(member, Module):
                same: tuple[object, ...] = (found[member.path],)
            else:
                state = member.state and module.within(member.state)
                same = (
                    repr((member.node.operation, member.torch)),
                    member.node.shape,
                    state,
                )  # 0.0 equals -0.0, its text does not
            key.append((module.relative(member), same, tuple([values[name] for name in member.inputs])))
            values[member.result] = position
        found[module.path] = numbers.setdefault((*key, values[module.result]), len(numbers))
    return found
