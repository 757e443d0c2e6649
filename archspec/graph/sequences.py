"""Sequences to nodes: steps, layers by activation order, merges, and calls of fragments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from archspec.diagnostics import Faults, Span, SpecError
from archspec.graph.environment import Environment
from archspec.graph.graph import Builder, Node
from archspec.graph.lookahead import Following
from archspec.graph.names import Names, NameScope
from archspec.graph.orders import Flow
from archspec.graph.origins import Origins
from archspec.graph.parameters import enter_fragment, read_arguments, read_setting
from archspec.language.expressions.values import Value
from archspec.language.spec import NONE, Fragment, Sequence, Step, Term
from archspec.operations.base import Operation
from archspec.operations.discovery import operations
from archspec.operations.shapes import ShapeFault

MAX_FAULTS = 200
"""After so many faults of shapes, the rest of the network is not looked at."""


@dataclass(slots=True)
class Sequences:
    """Lowers sequences into one builder. ``base`` holds the names that every fragment sees: the spec's parameters."""

    builder: Builder
    names: Names
    base: Mapping[str, Value]
    faults: Faults
    made: dict[tuple[Any, ...], Operation] = field(default_factory=dict)
    origins: Origins = field(init=False)
    following: Following = field(init=False)

    def __post_init__(self) -> None:
        self.origins = Origins(self.builder)
        self.following = Following(self.builder, self.base)

    def sequence(self, sequence: Sequence, env: Environment, scope: NameScope, flow: Flow, value: Node) -> Node:
        """A stem, a head, or an edge of a stage."""
        if sequence.call is None:
            return self.steps(sequence.steps, env, scope, flow, value, False)
        call = sequence.call
        assert call.definition
        inner = self.enter(call.definition, call, env, value)
        return self.steps(call.definition.steps, inner, scope, flow, value, False)

    def steps(
        self, steps: tuple[Step, ...], env: Environment, scope: NameScope, flow: Flow, value: Node, after: bool
    ) -> Node:
        """The value after ``steps``. ``after``: whether a layer follows them in the data's flow."""
        self.builder.expand(len(steps), env.span)
        last: int | None = None
        for index, step in enumerate(steps):
            if step.when is not None and not env.truth(step.when):
                continue
            if step.has_layer and last is None:
                last = len(steps) if after else self.following.last_layer(steps, index, env)
            follows = last is not None and index < last
            value = _LOWER[step.kind](self, step, env, scope, flow, value, follows)
        return value

    def _operation(self, step: Step, env: Environment, scope: NameScope, flow: Flow, value: Node, after: bool) -> Node:
        operation = step.operation
        assert operation
        given: Mapping[str, Any] = {}
        if operation.setting:
            setting = flow.setting(operation.setting)
            word = env.value(step.arguments["type"]) if "type" in step.arguments else setting["type"]
            if word == NONE:
                return value
            given = setting if word == setting["type"] else {}
        values = {**given, **read_arguments(operation, step.arguments, env)}
        return self.add(self.operation(operation, values), (value,), scope, step.name, env, step.span, step.arguments)

    def _group(self, step: Step, env: Environment, scope: NameScope, flow: Flow, value: Node, after: bool) -> Node:
        inner = (
            self.names.open(scope, "sequence", env.values, env.author_of(step.span), step.name) if step.name else scope
        )
        return self.steps(step.steps or (), env, inner, flow, value, after)

    def _merge(self, step: Step, env: Environment, scope: NameScope, flow: Flow, value: Node, after: bool) -> Node:
        results = []
        for branch in step.branches:
            inner = (
                self.names.open(scope, "branch", env.values, env.author_of(step.span), branch.name)
                if branch.name
                else scope
            )
            results.append(self.steps(branch.steps, env, inner, flow, value, after))
        assert step.operation
        return self.add(self.operation(step.operation, {}), tuple(results), scope, step.name, env, step.span, {})

    def _call(self, step: Step, env: Environment, scope: NameScope, flow: Flow, value: Node, after: bool) -> Node:
        fragment = step.definition
        assert fragment
        values = {**env.values, "name": fragment.name}
        inner = self.names.open(scope, "fragment", values, env.author_of(step.span), step.name)
        entered = self.enter(fragment, step, env, value)
        return self.steps(fragment.steps, entered, inner, flow, value, after)

    def _layer(self, step: Step, env: Environment, scope: NameScope, flow: Flow, value: Node, after: bool) -> Node:
        inner = self.names.open(scope, "layer", env.values, env.author_of(step.span), step.name)
        last = not after
        for part in flow.order.last if last else flow.order.layer:
            if part == "conv":
                if flow.activated is None:
                    flow.activated = value
                value = self._weights_of(step, env, inner, flow, value, after)
            elif not (last and part in flow.omit_last):
                value = self._part(part, step, env, inner, flow, value)
        return value

    def _weights_of(self, step: Step, env: Environment, scope: NameScope, flow: Flow, value: Node, after: bool) -> Node:
        """The convolution of a layer, or what stands in its place."""
        if step.steps is not None:
            return self.steps(step.steps, env, scope, flow, value, after)
        assert step.operation
        values = read_arguments(step.operation, step.arguments, env)
        return self.add(self.operation(step.operation, values), (value,), scope, "", env, step.span, step.arguments)

    def _part(self, key: str, step: Step, env: Environment, scope: NameScope, flow: Flow, value: Node) -> Node:
        """The norm or the activation of a layer, by the layer's own setting or the one in force."""
        own = step.settings.get(key) if step.settings else None
        values = read_setting(own, key, env) if own else flow.setting(key)
        if own and values["type"] == flow.setting(key)["type"]:
            values = {**flow.setting(key), **values}
        return self.part(key, values, env, scope, step.span, value)

    def part(
        self, key: str, values: Mapping[str, Any], env: Environment, scope: NameScope, span: Span, value: Node
    ) -> Node:
        """A norm or an activation by its evaluated setting; the value itself where the word is ``none``."""
        if values["type"] == NONE:
            return value
        return self.add(self.operation(operations()[key], values), (value,), scope, "", env, span, {})

    def operation(self, operation: type[Operation], values: Mapping[str, Any]) -> Operation:
        """The operation with these arguments. Equal ones are one object: a deep network repeats few of them."""
        key = (operation, *values.items())
        made = self.made.get(key)
        if made is None:
            made = self.made[key] = operation(**values)
        return made

    def enter(self, fragment: Fragment, call: Step, env: Environment, value: Node) -> Environment:
        """The env inside a fragment, whose input is ``value``."""
        return enter_fragment(fragment, call, env, self.base, value.shape[0])

    def add(
        self,
        operation: Operation,
        inputs: tuple[Node, ...],
        scope: NameScope,
        name: str,
        env: Environment,
        span: Span,
        terms: Mapping[str, Term],
    ) -> Node:
        """A node, named in its scope. A shape that does not fit becomes a diagnostic with the chain that led to it."""
        author = env.author_of(span)
        path = self.names.node(scope, operation, name, env.values, author)
        if "out" in terms:
            self.origins.terms[path] = (terms["out"], env)
        try:
            return self.builder.add(path, operation, inputs, author)
        except ShapeFault as fault:
            place, labels = env.blame(terms.get(fault.argument) or Term(span))
            if (fault.code, place, fault.message) not in self.faults.found:  # every block may repeat it
                self.faults.add(self.origins.diagnostic(fault, path, inputs, place, labels))
            if fault.assumed is None or len(self.faults.found) > MAX_FAULTS:
                raise SpecError(tuple(self.faults)) from None
            return self.builder.place(path, operation, inputs, fault.assumed, author)


Lower = Callable[[Sequences, Step, Environment, NameScope, Flow, Node, bool], Node]

_LOWER: Mapping[str, Lower] = {
    "operation": Sequences._operation,
    "layer": Sequences._layer,
    "merge": Sequences._merge,
    "sequence": Sequences._group,
    "fragment": Sequences._call,
}
