"""One block to nodes: its residual, its shortcut, their merge, and what the activation order puts after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archspec.diagnostics import Diagnostic, Faults, Label, Span, SpecError, cut, did_you_mean
from archspec.graph.after_merge import after_merge
from archspec.graph.block_settings import (
    PER_BLOCK,
    SIZES,
    StagePlan,
    block_environment,
    given_parameters,
    order_in_force,
    setting_in_force,
)
from archspec.graph.builder import too_many_nodes
from archspec.graph.environment import Environment
from archspec.graph.graph import Node, Region
from archspec.graph.group_widths import warn_of_setting
from archspec.graph.lookahead import left_out_by
from archspec.graph.merge_ways import MergeWays
from archspec.graph.names import NameScope
from archspec.graph.orders import ORDERS, OUTSIDE, PRE_ACTIVATED, Flow, Order
from archspec.graph.parameters import bind, bound, read_setting
from archspec.graph.repeat import Original, block_repeats, names_repeat
from archspec.graph.sequences import Sequences
from archspec.graph.shortcut_faults import refused, stem_advised
from archspec.language.calls import declared_without_default
from archspec.language.context import WIDTH
from archspec.language.spec import Block, Shortcut, Spec, Stage, Step
from archspec.operations.discovery import operations
from archspec.work import ENTRIES, EXPANDING, STEPS_OF_A_BLOCK

SHORTCUT_READS = (
    *("stage", "stages", "index", "number", "count", "blocks"),
    *("in_channels", "channels", "stride", "dilation", "activation_order", "norm", "act"),
)
"""The names of the block that its shortcut sees, beside the parameters that the block declares."""


@dataclass(slots=True)
class _EnteredBlock:
    """A block while it is lowered: its place in the table, the values of its names, and the value that reaches it."""

    stage: Stage
    block: Block
    index: int
    env: Environment
    flow: Flow
    value: Node
    scope: NameScope = field(init=False)

    @property
    def span(self) -> Span:
        return self.stage.blocks.span


@dataclass(slots=True)
class Blocks:
    """Lowers the blocks of one network, in order. ``last_order`` is the activation order of the last one so far."""

    spec: Spec
    sequences: Sequences
    faults: Faults
    last_order: str = ""
    names_repeat: bool = field(init=False)

    def __post_init__(self) -> None:
        self.names_repeat = names_repeat(self.spec)

    def stage(self, plan: StagePlan, scope: NameScope, value: Node) -> tuple[list[Node], list[Region]]:
        """The blocks of a stage in order: the result of each, and where its nodes lie.

        Args:
            scope: the stage's scope, or one in it.
            value: what reaches its first block.
        """
        alike = plan.count > 2 and block_repeats(plan.stage, self.spec)
        repeats = alike and self.names_repeat
        builder, names = self.sequences.builder, self.sequences.names
        original: Original | None = None
        regions: list[Region] = []
        results: list[Node] = []
        for index in range(plan.count):
            builder.work.spend(EXPANDING, 10 + len(plan.values) // ENTRIES, plan.stage.span)
            weights, scopes, faults = builder.weights, len(names.opened), len(self.faults.found)
            inside = len(self.sequences.regions.found)
            entered: _EnteredBlock | None = None
            if original and original.source.shape == value.shape:
                values = {**original.values, "index": index, "number": plan.first + index}
            else:
                entered = self._enter(plan, index, value)
                values = entered.env.values
            inner = names.open(scope, "block", values, plan.stage.blocks.span)
            own = inner.fresh and inner is not scope
            if original and own and not entered:
                value, region = original.copy(self.sequences, inner, value)
            else:
                entered = entered or self._enter(plan, index, value)
                entered.scope = inner
                value, region = self._block(entered)
                if (
                    repeats
                    and index == 1
                    and own
                    and len(self.faults.found) == faults
                    and self._beside_repeats(entered)
                ):
                    made, opened = tuple(builder.nodes[region.first :]), tuple(names.opened[scopes:])
                    named, weights = self.sequences.regions.since(inside), builder.weights - weights
                    original = Original(region, named, entered.value, made, opened, weights, values)
            regions.append(region)
            results.append(value)
            if index == 2 and alike:
                self._predict_rest(plan, regions)
        return results, regions

    def _beside_repeats(self, entered: _EnteredBlock) -> bool:
        """Whether the shortcut of a block does not depend on the block's place in the stage."""
        return not entered.block.residual or self._shortcut(entered)[0].reads.isdisjoint(PER_BLOCK)

    def _predict_rest(self, plan: StagePlan, blocks: list[Region]) -> None:
        """Refuse a stage whose other blocks, each no larger than the smallest so far, would pass the limit of nodes."""
        builder = self.sequences.builder
        rest = (plan.count - len(blocks)) * min(block.last - block.first for block in blocks)
        if len(builder.nodes) + rest > builder.limits.nodes:
            raise too_many_nodes(builder.limits.nodes, plan.stage.cells["count"].span)

    def _block(self, entered: _EnteredBlock) -> tuple[Node, Region]:
        """The result of a block, and where its nodes lie."""
        value, env, block, start = entered.value, entered.env, entered.block, len(self.sequences.builder.nodes)
        merged = False
        if block.residual:
            body = self.sequences.names.open(entered.scope, "residual", env.values, entered.span)
            result = self.sequences.scoped(block.steps, env, body, entered.flow, value)
            with stem_advised(self.faults, entered.stage, entered.index, self.spec, entered.value, result, env):
                result, merged = self._merge(entered, result, start)
            result = after_merge(self.sequences, entered.flow, env, entered.scope, block, result, merged=merged)
        else:
            result = self.sequences.scoped(block.steps, env, entered.scope, entered.flow, value)
        if entered.flow.norm["type"] == "group":
            setting = setting_in_force(self.spec, "norm", entered.stage, block, entered.index)
            warn_of_setting(self.faults, setting, env, self.sequences.builder.nodes[start:])
        end, path = len(self.sequences.builder.nodes), entered.scope.path
        values, ends = bound(block, env), (value.name, result.name)
        given = {name: env.values[name] for name in (*SIZES, *block.let) if name in env.values and name not in values}
        return result, Region("block", path, block.name, start, end, *ends, entered.span, merged, values, given)

    def _enter(self, plan: StagePlan, index: int, value: Node) -> _EnteredBlock:
        """The block's parameters and ``let`` evaluated; its scope is not open yet."""
        stage = plan.stage
        self.faults.work.spend(EXPANDING, STEPS_OF_A_BLOCK, stage.span)
        block: Block = stage.blocks.at(index)
        outer = block_environment(self.spec, plan, index, value)
        given = given_parameters(stage, block, index)
        _check_given(block, given, stage)
        env = Environment(dict(outer.values), outer.span, outer, written=dict(outer.written))
        bind(env, block.params, given, outer, block.let)
        order = order_in_force(self.spec, stage, block, index, env)
        self._warn_of_order(order, stage, block, index)
        settings = {key: setting_in_force(self.spec, key, stage, block, index) for key in ("norm", "act")}
        norm, act = (read_setting(setting, key, env) for key, setting in settings.items())
        env.values.update(activation_order=order, norm=norm["type"], act=act["type"])
        # Nothing is added after the steps of a block without a residual, so its last layer is like the others.
        arranged = ORDERS[order] if block.residual else Order(ORDERS[order].layer, ORDERS[order].layer)
        return _EnteredBlock(stage, block, index, env, Flow(arranged, norm, act, source=value), value)

    def _warn_of_order(self, order: str, stage: Stage, block: Block, index: int) -> None:
        if order == "post" and self.last_order == "pre" and block.has_layer:
            message = "this `post` stage comes after a `pre` stage, and reads a sum that was never normalized"
            cell = stage.cells.get("activation_order")
            setting = cell.at(index) if cell else None
            self.faults.add(Diagnostic("W302", message, setting.term.span if setting else stage.span))
        self.last_order = order

    def _merge(self, entered: _EnteredBlock, result: Node, start: int) -> tuple[Node, bool]:
        """The merge of a residual, lowered from node ``start`` on, with its shortcut; without one, the residual."""
        shortcut, span = self._shortcut(entered)
        agree = slice(None) if entered.block.merge.sums else slice(1, None)  # joined channels need not be equal
        same = entered.value.shape[agree] == result.shape[agree]
        side = shortcut.same if same else shortcut.change
        if side is None:
            causes, ways = (
                self.sequences.shape_faults.causes,
                MergeWays((entered.value, result), self.sequences.lineage),
            )
            place = span if self.spec.authors.wrote(span.source) else causes.of(ways)
            raise SpecError([*self.faults, refused(shortcut, (place or span, span), same, entered.value, result)])
        if isinstance(side, str):
            return result, False
        if result is entered.value and (cause := left_out_by(entered.block.steps, entered.env)):
            block = entered.block
            help = "keep one step, or write `shortcut: none` for a block that changes nothing"
            what = f"every step of the residual of `{block.name}`"
            raise self.sequences.emptied(what, entered.span, entered.env, help, cause)
        if self.spec.init.get("zero_init_residual"):
            self._start_at_zero(entered, result, start)
        end = len(self.sequences.builder.nodes)
        beside = self._beside(entered, shortcut, side, result, span)
        if entered.block.shortcut_first:
            self._put_first(start, end)
        result = self._drop_path(entered, result)
        merge = self.sequences.operation(entered.block.merge, {})
        return self.sequences.add(merge, (beside, result), entered.scope, entered.env, entered.block), True

    def _shortcut(self, entered: _EnteredBlock) -> tuple[Shortcut, Span]:
        setting = setting_in_force(self.spec, "shortcut", entered.stage, entered.block, entered.index)
        word = entered.env.value(setting.term)
        found = setting.scope.shortcut(word) if isinstance(word, str) else None
        if found is None:
            hint = did_you_mean(str(word), setting.scope.visible("shortcuts"))
            raise SpecError([Diagnostic("E302", f"no shortcut is called `{cut(word)}`", setting.term.span, hint)])
        by_default = setting.term.span == self.spec.document.span(())  # then the block is the author's nearest word
        return found, entered.span if by_default else setting.term.span

    def _beside(
        self, entered: _EnteredBlock, shortcut: Shortcut, side: tuple[Step, ...], result: Node, span: Span
    ) -> Node:
        """The shortcut's value. In pre-activation orders it may read the activated value, if it does anything."""
        outer, value = entered.env, entered.value
        builtin = {key: outer.values[key] for key in SHORTCUT_READS if key in outer.values}
        block = entered.block
        given = {key: outer.values[key] for key in block.params if key in outer.values and key != WIDTH}
        values = {**outer.root.values, **given, **builtin, "out_channels": result.shape[0]}
        known = outer.inside(shortcut, ("shortcut",), outer.place.cell)
        inner = Environment(values, span, outer, place=known, written=outer.written)
        pair = f"the shortcut `{cut(shortcut.name)}` is used with the block `{cut(block.name)}`"
        inner.lacking = (f"{pair}, which has no parameter of this name",)
        if not any(step.when is None or inner.truth(step.when) for step in side):
            return value
        if inner.values["activation_order"] in PRE_ACTIVATED and entered.flow.activated is not None:
            value = entered.flow.activated
        opened = self.sequences.names.open(entered.scope, "shortcut", outer.values, span)
        start, flow = len(self.sequences.builder.nodes), Flow(OUTSIDE, entered.flow.norm, entered.flow.act)
        beside = self.sequences.scoped(side, inner, opened, flow, value)
        if opened is not entered.scope:
            read = {name: values[name] for name in ("out_channels", *SIZES) if name in values}
            self.sequences.regions.add("shortcut", shortcut.name, opened, start, value, beside, span, given=read)
        return beside

    def _put_first(self, start: int, end: int) -> None:
        """Move a shortcut's nodes, from position ``end`` on, before the residual's, from ``start`` on.

        Where they read the activated value, they come right after it.
        """
        nodes = self.sequences.builder.nodes
        shortcut = nodes[end:]
        read = {name for node in shortcut for name in node.inputs}
        start = max((place + 1 for place in range(start, end) if nodes[place].name in read), default=start)
        nodes[start:] = [*shortcut, *nodes[start:end]]
        self.sequences.lineage.moved(start)
        self.sequences.regions.moved(start, end)

    def _drop_path(self, entered: _EnteredBlock, result: Node) -> Node:
        """Stochastic depth on the residual (Huang et al. 2016), where its probability is above 0."""
        setting = setting_in_force(self.spec, "drop_path", entered.stage, entered.block, entered.index)
        chance = entered.env.number(setting.term)
        if not 0 <= chance < 1:
            message = f"`drop_path` must be at least 0 and below 1, not {chance}"
            raise SpecError([entered.env.out_of_bounds(message, setting.term)])
        if chance == 0:
            return result
        operation = self.sequences.operation(operations()["drop_path"], {"p": chance})
        return self.sequences.add(operation, (result,), entered.scope, entered.env, entered.block)

    def _start_at_zero(self, entered: _EnteredBlock, result: Node, start: int) -> None:
        """Have a residual start as the zero function, by the scale of its last norm (Goyal et al. 2017, section 5.1).

        Behind the norm there may be what makes zero of zero: an activation, a gate.
        """
        nodes = self.sequences.builder.nodes
        inside = {node.name: position for position, node in enumerate(nodes[start:], start)}
        name: str | None = result.name
        while name in inside:
            node = nodes[inside[name]]
            changed = node.operation.zero_initialized()
            if changed is not node.operation:
                nodes[inside[name]] = node._replace(operation=changed)
                return
            shapes = tuple(nodes[inside[n]].shape if n in inside else entered.value.shape for n in node.inputs)
            position = node.operation.zero_from(shapes)
            name = node.inputs[position] if position is not None else None
        reason = "its residual does not end with a norm"
        message = f"`zero_init_residual` changes nothing in `{entered.block.name}`: {reason}"
        span = self.spec.document.key_span(("init", "zero_init_residual"))
        self.faults.add(Diagnostic("W301", message, span))


def _check_given(block: Block, given: Mapping[str, Any], stage: Stage) -> None:
    for name, default in block.params.items():
        if default.constant is None and default.expression is None and name not in given:
            message = f"the block `{block.name}` needs `{name}`"
            help = f"write a column `{name}` in the stage table"
            labels = declared_without_default(name, default) or (Label(block.span, "the block is here"),)
            raise SpecError([Diagnostic("E306", message, stage.blocks.span, labels=labels, help=help)])
