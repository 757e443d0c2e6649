"""Sequences to nodes: steps, layers by activation order, merges, and calls of fragments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from archspec.diagnostics import Diagnostic, Faults, Label, Span, SpecError
from archspec.graph.frames import Frame, read_arguments
from archspec.graph.graph import Builder, Node
from archspec.graph.names import Names, Scope
from archspec.language.expressions import Value
from archspec.language.spec import NONE, Fragment, Sequence, Setting, Step, Term
from archspec.operations.base import Operation, ShapeFault, arguments, operations, show_shape


@dataclass(frozen=True, slots=True)
class Order:
    """What an activation order makes of a layer, of a block's last layer, and what it puts after the merge."""

    layer: tuple[str, ...]
    last: tuple[str, ...]
    after: tuple[str, ...] = ()


ORDERS: Mapping[str, Order] = {
    "post": Order(("conv", "norm", "act"), ("conv", "norm"), ("act",)),
    "norm-after-add": Order(("conv", "norm", "act"), ("conv",), ("norm", "act")),
    "act-before-add": Order(("conv", "norm", "act"), ("conv", "norm", "act")),
    "act-only-pre": Order(("act", "conv", "norm"), ("act", "conv", "norm")),
    "pre": Order(("norm", "act", "conv"), ("norm", "act", "conv")),
}
"""He et al. 2016, figure 4 (a) to (e)."""

OUTSIDE = Order(("conv", "norm", "act"), ("conv", "norm", "act"))
"""A layer outside a block."""

PRE_ACTIVATED = ("pre", "act-only-pre")
"""The orders in which a shortcut with steps reads the block's first activated value."""


@dataclass(slots=True)
class Flow:
    """How layers are arranged in one block, stem, head or edge of a stage.

    ``norm`` and ``act`` are the settings in force, already evaluated: the word and the operation's arguments.
    ``activated`` becomes the value that the first layer's convolution reads.
    """

    order: Order
    norm: Mapping[str, Any]
    act: Mapping[str, Any]
    omit_last: tuple[str, ...] = ()
    activated: Node | None = None

    def setting(self, key: str) -> Mapping[str, Any]:
        return self.norm if key == "norm" else self.act


@dataclass(slots=True)
class Sequences:
    """Lowers sequences into one builder. ``base`` holds the names that every fragment sees: the spec's parameters."""

    builder: Builder
    names: Names
    base: Mapping[str, Value]
    faults: Faults
    origins: dict[str, tuple[Term, Frame]] = field(default_factory=dict)
    made: dict[tuple[Any, ...], Operation] = field(default_factory=dict)

    def sequence(self, sequence: Sequence, frame: Frame, scope: Scope, flow: Flow, value: Node) -> Node:
        """A stem, a head, or an edge of a stage."""
        if sequence.call is None:
            return self.steps(sequence.steps, frame, scope, flow, value, False)
        call = sequence.call
        assert call.definition
        inner = self.enter(call.definition, call, frame, value)
        return self.steps(call.definition.steps, inner, scope, flow, value, False)

    def steps(self, steps: tuple[Step, ...], frame: Frame, scope: Scope, flow: Flow, value: Node, after: bool) -> Node:
        """The value after ``steps``. ``after``: whether a layer follows them in the data's flow."""
        for index, step in enumerate(steps):
            if step.when is not None and not frame.truth(step.when):
                continue
            follows = step.has_layer and (after or layer_follows(steps, index + 1, frame))
            value = _LOWER[step.kind](self, step, frame, scope, flow, value, follows)
        return value

    def _operation(self, step: Step, frame: Frame, scope: Scope, flow: Flow, value: Node, after: bool) -> Node:
        operation = step.operation
        assert operation
        given: Mapping[str, Any] = {}
        if operation.setting:
            setting = flow.setting(operation.setting)
            word = frame.value(step.arguments["type"]) if "type" in step.arguments else setting["type"]
            if word == NONE:
                return value
            given = setting if word == setting["type"] else {}
        values = {**given, **read_arguments(operation, step.arguments, frame)}
        return self.add(self.operation(operation, values), (value,), scope, step.name, frame, step.span, step.arguments)

    def _group(self, step: Step, frame: Frame, scope: Scope, flow: Flow, value: Node, after: bool) -> Node:
        inner = self.names.open(scope, "sequence", frame.values, step.span, step.name) if step.name else scope
        return self.steps(step.steps or (), frame, inner, flow, value, after)

    def _merge(self, step: Step, frame: Frame, scope: Scope, flow: Flow, value: Node, after: bool) -> Node:
        results = []
        for branch in step.branches:
            inner = self.names.open(scope, "branch", frame.values, step.span, branch.name) if branch.name else scope
            results.append(self.steps(branch.steps, frame, inner, flow, value, after))
        assert step.operation
        return self.add(self.operation(step.operation, {}), tuple(results), scope, step.name, frame, step.span, {})

    def _call(self, step: Step, frame: Frame, scope: Scope, flow: Flow, value: Node, after: bool) -> Node:
        fragment = step.definition
        assert fragment
        values = {**frame.values, "name": fragment.name}
        inner = self.names.open(scope, "fragment", values, step.span, step.name)
        entered = self.enter(fragment, step, frame, value)
        return self.steps(fragment.steps, entered, inner, flow, value, after)

    def _layer(self, step: Step, frame: Frame, scope: Scope, flow: Flow, value: Node, after: bool) -> Node:
        inner = self.names.open(scope, "layer", frame.values, step.span, step.name)
        last = not after
        for part in flow.order.last if last else flow.order.layer:
            if part == "conv":
                if flow.activated is None:
                    flow.activated = value
                value = self._weights_of(step, frame, inner, flow, value, after)
            elif not (last and part in flow.omit_last):
                value = self._part(part, step, frame, inner, flow, value)
        return value

    def _weights_of(self, step: Step, frame: Frame, scope: Scope, flow: Flow, value: Node, after: bool) -> Node:
        """The convolution of a layer, or what stands in its place."""
        if step.steps is not None:
            return self.steps(step.steps, frame, scope, flow, value, after)
        assert step.operation
        values = read_arguments(step.operation, step.arguments, frame)
        return self.add(self.operation(step.operation, values), (value,), scope, "", frame, step.span, step.arguments)

    def _part(self, key: str, step: Step, frame: Frame, scope: Scope, flow: Flow, value: Node) -> Node:
        """The norm or the activation of a layer, by the layer's own setting or the one in force."""
        own = step.settings.get(key) if step.settings else None
        values = read_setting(own, key, frame) if own else flow.setting(key)
        if own and values["type"] == flow.setting(key)["type"]:
            values = {**flow.setting(key), **values}
        return self.part(key, values, frame, scope, step.span, value)

    def part(self, key: str, values: Mapping[str, Any], frame: Frame, scope: Scope, span: Span, value: Node) -> Node:
        """A norm or an activation by its evaluated setting; the value itself where the word is ``none``."""
        if values["type"] == NONE:
            return value
        return self.add(self.operation(operations()[key], values), (value,), scope, "", frame, span, {})

    def operation(self, operation: type[Operation], values: Mapping[str, Any]) -> Operation:
        """The operation with these arguments. Equal ones are one object: a deep network repeats few of them."""
        key = (operation, *values.items())
        made = self.made.get(key)
        if made is None:
            made = self.made[key] = operation(**values)
        return made

    def enter(self, fragment: Fragment, call: Step, frame: Frame, value: Node) -> Frame:
        """The frame inside a fragment, whose input is ``value``."""
        settings = {key: frame.values[key] for key in ("norm", "act", "activation_order", "classes")}
        values: dict[str, Value] = {**self.base, **settings, "in_channels": value.shape[0]}
        inner = Frame(values, call.span, frame)
        bind(inner, fragment.params, call.arguments, frame, fragment.let)
        return inner

    def add(
        self,
        operation: Operation,
        inputs: tuple[Node, ...],
        scope: Scope,
        name: str,
        frame: Frame,
        span: Span,
        terms: Mapping[str, Term],
    ) -> Node:
        """A node, named in its scope. A shape that does not fit becomes a diagnostic with the chain that led to it."""
        path = self.names.node(scope, operation, name, frame.values, span)
        author = span if not span.source.library else frame.author()
        parent = path.rpartition(".")[0]
        if "out" in terms:
            self.origins[path] = (terms["out"], frame)
        try:
            return self.builder.add(path, operation, inputs, parent, author)
        except ShapeFault as fault:
            self.faults.add(self._located(fault, path, inputs, frame, span, terms))
            if fault.assumed is None:
                raise SpecError(tuple(self.faults)) from None
            return self.builder.place(path, operation, inputs, fault.assumed, parent, author)

    def _located(
        self,
        fault: ShapeFault,
        path: str,
        inputs: tuple[Node, ...],
        frame: Frame,
        span: Span,
        terms: Mapping[str, Term],
    ) -> Diagnostic:
        term = terms.get(fault.argument) or Term(span)
        place, labels = frame.blame(term)
        if fault.channels and (origin := self._origin(inputs[0])):
            source, where = origin
            shown = where.blame(source)[0]
            if shown != place:
                labels = (Label(shown, f"the {inputs[0].shape[0]} channels come from here"), *labels)
        notes = (f"in {path}", f"shapes: {self._chain(inputs[0])}")
        return Diagnostic(fault.code, fault.message, place, labels=labels, notes=notes, help=fault.help)

    def _origin(self, node: Node) -> tuple[Term, Frame] | None:
        """The term that gave a value its channels, followed back through operations that keep them."""
        by_name = {node.name: node for node in self.builder.nodes}
        current: Node | None = node
        while current is not None and current.name not in self.origins:
            channels = current.shape[0]
            above = (by_name.get(name) for name in current.inputs)
            current = next((n for n in above if n and n.shape[0] == channels), None)
        return self.origins[current.name] if current else None

    def _chain(self, node: Node) -> str:
        """The shapes that led to ``node``, where they change: ``input 3x224x224 > conv1 64x112x112``."""
        by_name = {node.name: node for node in self.builder.nodes}
        path = [node]
        while path[-1].inputs and path[-1].inputs[0] in by_name:
            path.append(by_name[path[-1].inputs[0]])
        shown = [f"input {show_shape(self.builder.input)}"]
        shape = self.builder.input
        for item in reversed(path):
            if item.shape != shape:
                shown.append(f"{item.name} {show_shape(item.shape)}")
                shape = item.shape
        return " > ".join([shown[0], "...", *shown[-6:]] if len(shown) > 8 else shown)


def layer_follows(steps: tuple[Step, ...], start: int, frame: Frame) -> bool:
    """Whether a layer is left among ``steps`` from ``start`` on, after every ``when``."""
    return any(_layer_in(step, frame) for step in steps[start:] if step.has_layer)


def _layer_in(step: Step, frame: Frame) -> bool:
    if step.when is not None and not _decided(step.when, frame):
        return False
    if step.kind == "layer":
        return True
    if step.kind == "fragment":
        assert step.definition
        values = {key: value for key, value in frame.values.items() if key != "in_channels"}
        inner = Frame(values, step.span, frame, {})
        bind(inner, step.definition.params, step.arguments, frame, step.definition.let, tolerant=True)
        return any(_layer_in(item, inner) for item in step.definition.steps if item.has_layer)
    inside = step.steps or tuple(item for branch in step.branches for item in branch.steps)
    return any(_layer_in(item, frame) for item in inside if item.has_layer)


def _decided(when: Term, frame: Frame) -> bool:
    """Whether a later step is there, as far as that can be known before the shapes on the way to it are."""
    missing = when.names - frame.values.keys() - {"scaled()"}
    if missing:
        message = "whether this step exists depends on `in_channels`, and an earlier layer must know if it is the last"
        help = "decide by a parameter instead"
        raise SpecError([frame.located("E407", message, when, help)])
    return frame.truth(when)


def bind(
    inner: Frame,
    params: Mapping[str, Term],
    given: Mapping[str, Term],
    outer: Frame,
    let: Mapping[str, Term],
    *,
    tolerant: bool = False,
) -> None:
    """Give a frame its parameters and ``let``: arguments are evaluated outside, defaults inside.

    ``tolerant`` leaves out what depends on names that have no value yet.
    """
    values, written = inner.values, inner.written
    for name, default in params.items():
        term = given.get(name)
        if term is None:
            term, frame = default, inner
        else:
            frame = outer
            written[name] = (term, outer)
        if tolerant and term.names - frame.values.keys() - {"scaled()"}:
            values.pop(name, None)
            continue
        values[name] = frame.value(term)
    for name, term in let.items():
        written[name] = (term, None)
        if tolerant and term.names - values.keys() - {"scaled()"}:
            values.pop(name, None)
            continue
        values[name] = inner.value(term)


def read_setting(setting: Setting, key: str, frame: Frame) -> dict[str, Any]:
    """A ``norm`` or ``act`` setting evaluated: ``type`` and the operation's other arguments."""
    operation = operations()[key]
    fields = arguments(operation)
    word = frame.value(setting.term)
    if word != NONE:
        word = frame.argument(setting.term, "type", fields["type"])
    given = {name: frame.argument(term, name, fields[name]) for name, term in setting.arguments.items()}
    return {"type": word, **given}


Lower = Callable[[Sequences, Step, Frame, Scope, Flow, Node, bool], Node]

_LOWER: Mapping[str, Lower] = {
    "operation": Sequences._operation,
    "layer": Sequences._layer,
    "merge": Sequences._merge,
    "sequence": Sequences._group,
    "fragment": Sequences._call,
}
