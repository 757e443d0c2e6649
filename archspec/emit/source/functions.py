"""The functions of a network: those of its definitions, the inner ones first, and those of operations."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from itertools import chain, count

from archspec.diagnostics import Diagnostic, Span, SpecError
from archspec.emit.refusal import refusal
from archspec.emit.source.bodies import Body
from archspec.emit.source.renaming import renamed
from archspec.emit.source.snippets import Snippet, function_of, snippets
from archspec.emit.source.statements import function_name
from archspec.emit.source.terms import substituted, written
from archspec.graph.formulas import Class, Expression
from archspec.graph.graph import Graph, Node
from archspec.graph.patterns import DefinedPart, Definition, Leaf, Repeat, Use, definitions, runs

_Given = Mapping[str, Expression]
_OWN = ("x", "p", "name", "training")
"""The parameters of a function in addition to the arguments of its module."""


class Functions:
    """The functions of a network, the inner ones first. ``used`` collects the functions of operations by name."""

    def __init__(self, graph: Graph, model: Definition, taken: set[str], width: int) -> None:
        taken |= {"p", "name", "training", "extra", *dir(builtins)}
        self.graph, self.width = graph, width
        self.model = model = renamed(model, taken | {function_name(each) for each in definitions(model)})
        self.used: dict[str, Snippet] = {}
        self.all = definitions(model)
        self.names: dict[int, str] = {}
        for definition in self.all[:-1]:
            self.names[id(definition)] = name = _free(function_name(definition), taken)
            taken.add(name)
        self.taken = frozenset(taken)
        counts: dict[int, int] = {}
        optional: set[int] = set()
        for definition in self.all:
            for item in runs(definition):
                part = item.part if isinstance(item, Repeat) else item
                if isinstance(part.what, Use):
                    times = item.count if isinstance(item, Repeat) else 1
                    counts[id(part.what.definition)] = counts.get(id(part.what.definition), 0) + times
                    optional |= {id(part.what.definition)} if part.when is not None else set()
        self.inline = {
            id(each)
            for each in self.all
            if each.kind == "sequential" and counts.get(id(each)) == 1 and id(each) not in optional
        }
        self.inline -= {id(each) for each in self.all if each.positional and not self._has_room(each)}
        self.activations = self._activations()
        self.bodies: dict[int, Body] = {}
        self.faults: dict[tuple[Span | None, str], Diagnostic] = {}
        for each in self.all:
            if id(each) not in self.inline:
                self.bodies[id(each)] = Body(self, each)
        if self.faults:
            raise SpecError([*self.faults.values()])

    def _has_room(self, sequence: Definition) -> bool:
        """Whether the parts of a sequence can be counted in the function that it is written into, which counts once."""
        users = [each for each in self.all if any(_uses(part, sequence) for part in each.parts)]
        return all(
            not each.positional
            and id(each) not in self.inline
            and sum([isinstance(part.what, Use) and part.what.definition.positional for part in each.parts]) == 1
            for each in users
        )

    def _activations(self) -> dict[str, str]:
        """The functions that compute what the classes among the arguments do, by how the classes are written."""
        parts = [part.what for each in self.all for part in each.parts]
        nodes = [node for leaf in parts if isinstance(leaf, Leaf) and leaf.target for node in leaf.nodes if node]
        targets = {(node.operation.name, node.operation.torch(self.graph.input_shapes(node)).target) for node in nodes}
        return {written(Class(target)): function_of(name, target) or target for name, target in sorted(targets)}

    def lines(self) -> list[list[str]]:
        """The functions as lines, the network's own last."""
        found = []
        for definition in self.all:
            if id(definition) in self.inline:
                continue
            body = self.bodies[id(definition)]
            found += [body.making(), body.computing()] if definition is not self.model else [body.computing()]
        return [each for each in found if each]

    def call(self, leaf: Leaf, given: _Given, key: str) -> tuple[str, str]:
        """The call that computes an operation, with ``{}`` for its value, and the statement for its parameters."""
        node = next(each for each in leaf.nodes if each is not None)
        operation, call = node.operation, leaf.call
        if leaf.target is not None:
            return f"{written(substituted(leaf.target, given))}({{}})", ""
        name = function_of(operation.name, call.target, call.kwargs)
        if name is None:
            self._refuse(leaf, f"no function is written out for `{call.target}`")
            return "{}", ""
        values = {**dict(zip(call.takes, call.args, strict=True)), **call.kwargs}
        values = {{"p": "rate"}.get(each, each): substituted(value, given) for each, value in values.items()}
        values.pop("inplace", None)
        if "." in name:
            return f"{name}({', '.join(['{}', *_arguments(values, call.takes)])})", ""
        known = snippets(operation.name)
        applied, new = known[name], known.get(f"new_{name}")
        self.used |= {name: applied} | ({new.name: new} if new else {})
        defaults = {each: value for each, value in call.defaults.items() if each not in values}
        unknown = values.keys() - {*applied.parameters, *(new.parameters if new else ())}
        if unknown:
            self._refuse(leaf, f"`{name}` does not take `{min(unknown)}`")
        own = [
            {"x": "{}", "p": "p", "name": key, "training": self._mode(leaf, key)}[each]
            for each in applied.parameters
            if each in _OWN
        ]
        computing = f"{name}({', '.join([*own, *_chosen(applied, {**defaults, **values})])})"
        if new is None:
            return computing, ""
        start = self._start(leaf)
        return (
            computing,
            f"{new.name}({', '.join(['p', key, *_chosen(new, {**defaults, **values, **start}, many=True)])})",
        )

    def _mode(self, leaf: Leaf, key: str) -> str:
        """Whether an operation is in training mode, as an expression; ``key`` is its name."""
        frozen = {node.name in self.graph.frozen for node in leaf.nodes if node is not None}
        if True not in frozen:
            return "training"
        return f"training and not is_frozen({key})" if False in frozen else "False"

    def _refuse(self, leaf: Leaf, reason: str) -> None:
        """Note what is not written out, once for each line of the spec that asks for it."""
        for node in leaf.nodes:
            if node is not None:
                self.faults.setdefault((node.span, reason), refusal("Low-level source", node, reason))

    def _start(self, leaf: Leaf) -> dict[str, Expression]:
        """The constant initial value of a weight, if it is the same in all uses."""
        nodes = [node for node in leaf.nodes if node is not None]
        found = {_start_of(self.graph, node) for node in nodes}
        value = found.pop() if len(found) == 1 else None
        return {} if value is None else {"weight": value}

    def exceptions(self) -> dict[float, list[str]]:
        """The keys of weights whose initial value differs from other uses of their definition, by that value."""
        found: dict[float, list[str]] = {}
        for definition in self.all:
            for part in definition.parts:
                if (
                    isinstance(part.what, Leaf)
                    and part.what.call.kind == "module"
                    and "weight" not in self._start(part.what)
                ):
                    for node in part.what.nodes:
                        value = _start_of(self.graph, node) if node is not None else None
                        if node is not None and value not in (None, 1.0) and node.name not in self.graph.borrowing:
                            found.setdefault(value, []).append(f"{node.name}.weight")
        return found


def _uses(part: DefinedPart, definition: Definition) -> bool:
    return isinstance(part.what, Use) and part.what.definition is definition


def _start_of(graph: Graph, node: Node) -> float | None:
    weight = node.operation.weights(graph.input_shapes(node)).get("weight")
    start = weight.start(graph.init) if weight is not None else None
    return start if isinstance(start, float) else None


def _arguments(values: _Given, takes: Sequence[str]) -> list[str]:
    return [written(value) if name in takes else f"{name}={written(value)}" for name, value in values.items()]


def _chosen(function: Snippet, values: _Given, *, many: bool = False) -> list[str]:
    """The arguments that differ from a function's defaults. ``many``: those without a default are given by position."""
    found = []
    for name in function.parameters:
        if name in values and name not in _OWN:
            same = name in function.defaults and repr(function.defaults[name]) == repr(values[name])
            by_position = name not in function.defaults and many
            if not same:
                found.append(written(values[name]) if by_position else f"{name}={written(values[name])}")
    return found


def _free(name: str, taken: set[str]) -> str:
    others = (f"{name}{number}" for number in count(2))
    return next(each for each in chain([name, f"{name}_layers"], others) if not {each, f"new_{each}"} & taken)
