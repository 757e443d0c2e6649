"""One block to nodes: its residual, its shortcut, their merge, and what the activation order puts after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from archspec.diagnostics import Diagnostic, Faults, Label, Span, SpecError, cut, did_you_mean
from archspec.graph.block_settings import block_environment, given_parameters, order_in_force, setting_in_force
from archspec.graph.environment import Environment
from archspec.graph.graph import Node, Region
from archspec.graph.names import NameScope
from archspec.graph.orders import ORDERS, OUTSIDE, PRE_ACTIVATED, Flow, Order
from archspec.graph.parameters import bind, read_setting
from archspec.graph.repeat import Original, block_repeats, names_repeat
from archspec.graph.sequences import Sequences
from archspec.language.expressions.values import Value
from archspec.language.spec import Block, Shortcut, Spec, Stage, Step
from archspec.operations.discovery import operations
from archspec.operations.shapes import show_shape

SHORTCUT_READS = (
    *("stage", "stages", "index", "number", "count", "blocks"),
    *("in_channels", "channels", "stride", "dilation", "activation_order", "norm", "act"),
)
"""The names of the block that its shortcut sees; the block's own parameters are not among them."""


@dataclass(slots=True)
class _EnteredBlock:
    """A block while it is lowered: where it stands, what it sees, and the value that reaches it."""

    stage: Stage
    block: Block
    index: int
    env: Environment
    scope: NameScope
    flow: Flow
    value: Node

    @property
    def span(self) -> Span:
        return self.stage.blocks.span


@dataclass(slots=True)
class Blocks:
    """Lowers the blocks of one network, in order."""

    spec: Spec
    sequences: Sequences
    faults: Faults
    previous_order: str = ""
    names_repeat: bool = field(init=False)

    def __post_init__(self) -> None:
        self.names_repeat = names_repeat(self.spec)

    def stage(
        self, stage: Stage, scope: NameScope, table: Mapping[str, Value], count: int, value: Node
    ) -> Iterator[tuple[Node, Region]]:
        """The blocks of a stage in order: the result of each, and where its nodes lie.

        Args:
            scope: the stage's scope.
            table: the names of the place of its first block.
            value: what reaches it.
        """
        names, nodes = self.sequences.names, self.sequences.builder.nodes
        first = int(table["number"] or 0)
        original: Original | None = None
        repeated = count > 2 and self.names_repeat and block_repeats(stage, self.spec)
        for index in range(count):
            place = {"index": index, "number": first + index}
            inner: NameScope | None = None
            if original and original.source.shape == value.shape:
                inner = names.open(scope, "block", {**original.values, **place}, stage.blocks.span)
                if inner.fresh and inner is not scope:
                    value, region = original.copy(self.sequences, inner, value)
                    yield value, region
                    continue
            start, opened, faults = len(nodes), len(names.opened), len(self.faults.found)
            weights = self.sequences.builder.weights
            entered = self._enter(stage, scope, {**table, **place}, value, inner)
            alone = entered.scope.fresh and entered.scope is not scope
            value, region = self._block(entered, start)
            yield value, region
            if repeated and index == 1 and alone and len(self.faults.found) == faults:
                made, scopes = tuple(nodes[start:]), tuple(names.opened[opened:])
                weights = self.sequences.builder.weights - weights
                original = Original(region, entered.value, made, scopes, weights, entered.env.values)

    def _block(self, place: _EnteredBlock, start: int) -> tuple[Node, Region]:
        """The result of a block whose first node is at position ``start``, and where its nodes lie."""
        value, names, env, block = place.value, self.sequences.names, place.env, place.block
        merged = False
        if block.residual:
            body = names.open(place.scope, "residual", env.values, place.span)
            result = self.sequences.steps(block.steps, env, body, place.flow, value, False)
            result, merged = self._merge(place, result, start)
            for part in place.flow.order.after:
                result = self.sequences.part(part, place.flow.setting(part), env, place.scope, place.span, result)
        else:
            result = self.sequences.steps(block.steps, env, place.scope, place.flow, value, False)
        end, path = len(self.sequences.builder.nodes), place.scope.path
        return result, Region("block", path, block.name, start, end, value.name, result.name, place.span, merged)

    def _enter(
        self, stage: Stage, scope: NameScope, table: Mapping[str, Value], value: Node, opened: NameScope | None
    ) -> _EnteredBlock:
        """The block's parameters and ``let`` evaluated, its scope opened unless it is already."""
        index = int(table["index"] or 0)
        block: Block = stage.blocks.at(index)
        outer = block_environment(self.spec, stage, block, index, table, value)
        given = given_parameters(stage, block, index)
        _check_given(block, given, stage)
        env = Environment(dict(outer.values), outer.span, None, outer.written)
        bind(env, block.params, given, outer, block.let)
        order = order_in_force(self.spec, stage, block, index, env)
        self._warn_of_order(order, stage, block, index)
        settings = {key: setting_in_force(self.spec, key, stage, block, index) for key in ("norm", "act")}
        norm, act = (read_setting(setting, key, env) for key, setting in settings.items())
        env.values.update(activation_order=order, norm=norm["type"], act=act["type"])
        # Nothing comes after the steps of a block that is no residual, so its last layer is a layer like the others.
        arranged = ORDERS[order] if block.residual else Order(ORDERS[order].layer, ORDERS[order].layer)
        inner = opened or self.sequences.names.open(scope, "block", env.values, stage.blocks.span)
        return _EnteredBlock(stage, block, index, env, inner, Flow(arranged, norm, act), value)

    def _warn_of_order(self, order: str, stage: Stage, block: Block, index: int) -> None:
        if order == "post" and self.previous_order == "pre" and block.has_layer:
            message = "this `post` stage comes after a `pre` stage, and reads a sum that was never normalised"
            cell = stage.cells.get("activation_order")
            setting = cell.at(index) if cell else None
            self.faults.add(Diagnostic("W302", message, setting.term.span if setting else stage.span))
        self.previous_order = order

    def _merge(self, place: _EnteredBlock, result: Node, start: int) -> tuple[Node, bool]:
        """The merge of a residual, lowered from node ``start`` on, with its shortcut, where there is one."""
        shortcut, span = self._shortcut(place)
        agree = slice(None) if place.block.merge.sums else slice(1, None)  # joined channels need not be equal
        same = place.value.shape[agree] == result.shape[agree]
        side = shortcut.same if same else shortcut.change
        if side is None:
            raise SpecError([*self.faults, _refused(shortcut, span, same, place.value, result)])
        if isinstance(side, str):
            return result, False
        if self.spec.init.get("zero_init_residual"):
            self._start_at_zero(place, result, start)
        end = len(self.sequences.builder.nodes)
        beside = self._beside(place, side, result, span)
        if place.block.shortcut_first:
            self._put_first(start, end)
        result = self._drop_path(place, result)
        merge = self.sequences.operation(place.block.merge, {})
        return self.sequences.add(merge, (beside, result), place.scope, "", place.env, place.span, {}), True

    def _shortcut(self, place: _EnteredBlock) -> tuple[Shortcut, Span]:
        setting = setting_in_force(self.spec, "shortcut", place.stage, place.block, place.index)
        word = place.env.value(setting.term)
        found = setting.scope.shortcut(word) if isinstance(word, str) else None
        if found is None:
            hint = did_you_mean(str(word), setting.scope.visible("shortcuts"))
            raise SpecError([Diagnostic("E302", f"no shortcut is called `{cut(word)}`", setting.term.span, hint)])
        by_default = setting.term.span == self.spec.document.span(())  # then the block is the author's nearest word
        return found, place.span if by_default else setting.term.span

    def _beside(self, place: _EnteredBlock, side: tuple[Step, ...], result: Node, span: Span) -> Node:
        """The shortcut's value. In pre-activation orders it reads the first activated value, if it does anything."""
        outer, value = place.env, place.value
        builtin = {key: outer.values[key] for key in SHORTCUT_READS if key in outer.values}
        inner = Environment(
            {**self.sequences.base, **builtin, "out_channels": result.shape[0]}, span, outer, outer.written
        )
        live = tuple(step for step in side if step.when is None or inner.truth(step.when))
        if not live:
            return value
        if inner.values["activation_order"] in PRE_ACTIVATED and place.flow.activated is not None:
            value = place.flow.activated
        opened = self.sequences.names.open(place.scope, "shortcut", outer.values, span)
        return self.sequences.steps(live, inner, opened, Flow(OUTSIDE, place.flow.norm, place.flow.act), value, False)

    def _put_first(self, start: int, end: int) -> None:
        """Move a shortcut's nodes, from position ``end`` on, before the residual's, from ``start`` on.

        Where they read the first activated value, they come right after it.
        """
        nodes = self.sequences.builder.nodes
        shortcut = nodes[end:]
        read = {name for node in shortcut for name in node.inputs}
        start = max((place + 1 for place in range(start, end) if nodes[place].name in read), default=start)
        nodes[start:] = [*shortcut, *nodes[start:end]]

    def _drop_path(self, place: _EnteredBlock, result: Node) -> Node:
        """Stochastic depth on the residual (Huang et al. 2016), where its probability is above 0."""
        setting = setting_in_force(self.spec, "drop_path", place.stage, place.block, place.index)
        chance = place.env.number(setting.term)
        if not 0 <= chance < 1:
            message = f"`drop_path` must be at least 0 and below 1, not {chance}"
            raise SpecError([place.env.located("E501", message, setting.term)])
        if chance == 0:
            return result
        operation = self.sequences.operation(operations()["drop_path"], {"p": chance})
        return self.sequences.add(operation, (result,), place.scope, "", place.env, place.span, {})

    def _start_at_zero(self, place: _EnteredBlock, result: Node, start: int) -> None:
        """Have a residual start as the zero function, by the scale of its last norm (Goyal et al. 2017, section 5.1).

        Behind the norm there may be what makes zero of zero: an activation, a gate.
        """
        nodes = self.sequences.builder.nodes
        inside = {node.name: position for position, node in enumerate(nodes[start:], start)}
        name: str | None = result.name
        while name in inside:
            node = nodes[inside[name]]
            changed = node.operation.zero_initialised()
            if changed is not node.operation:
                nodes[inside[name]] = node._replace(operation=changed)
                return
            shapes = tuple(nodes[inside[n]].shape if n in inside else place.value.shape for n in node.inputs)
            position = node.operation.zero_from(shapes)
            name = node.inputs[position] if position is not None else None
        message = f"`zero_init_residual` changes nothing in `{place.block.name}`: its residual does not end with a norm"
        span = self.spec.document.key_span(("init", "zero_init_residual"))
        self.faults.add(Diagnostic("W301", message, span))


def _check_given(block: Block, given: Mapping[str, Any], stage: Stage) -> None:
    for name, default in block.params.items():
        if default.constant is None and default.expression is None and name not in given:
            message = f"the block `{block.name}` needs `{name}`"
            help = f"write a column `{name}` in the stage table"
            raise SpecError([Diagnostic("E306", message, stage.blocks.span, help=help)])


def _refused(shortcut: Shortcut, span: Span, same: bool, value: Node, result: Node) -> Diagnostic:
    case = "where shapes agree" if same else "where the shape changes"
    turned = f"this block turns {show_shape(value.shape)} into {show_shape(result.shape)}"
    message = f"the shortcut `{shortcut.name}` says nothing {case}, and {turned}"
    advice = "`projection` adds a 1x1 convolution, `zero-pad` subsamples and pads; or keep channels and stride"
    notes = (f"in {result.scope or result.name}",)
    labels = (Label(result.span, "in this block"),) if result.span else ()
    return Diagnostic("E505", message, span, labels=labels, notes=notes, help="" if same else advice)
