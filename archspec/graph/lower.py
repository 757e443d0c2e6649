"""Spec to graph: stem, stages, blocks and their shortcuts, head."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from archspec.diagnostics import Diagnostic, Faults, Label, Span, SpecError, cut, did_you_mean
from archspec.graph.frames import Frame
from archspec.graph.graph import INPUT, Builder, Graph, Limits, Node, Region, needed, too_many_nodes
from archspec.graph.names import Names, Scope
from archspec.graph.sequences import ORDERS, OUTSIDE, PRE_ACTIVATED, Flow, Sequences, bind, read_setting
from archspec.language.expressions import Value, make_divisible
from archspec.language.spec import ACTIVATION_ORDERS, NONE, Block, Setting, Shortcut, Spec, Stage, Step, Term
from archspec.operations.base import Operation, operations, show_shape

LEFT_OUT = {"pre": ("norm", "act"), "act-only-pre": ("act",)}
"""What a block begins with, and so what the stem's last layer omits and the head begins with."""


def lower(spec: Spec, limits: Limits | None = None) -> Graph:
    """The graph of a spec, every shape inferred.

    Args:
        spec: a resolved spec.
        limits: what the network may not exceed.

    Raises:
        SpecError: E3 for names, E4 for values, E5 for shapes, E6 for a network past the limits.
    """
    return _Lowering(spec, limits or Limits()).graph()


@dataclass(slots=True)
class _Lowering:
    """The state of lowering one spec; nothing of it outlives :func:`lower`."""

    spec: Spec
    limits: Limits
    faults: Faults = field(default_factory=Faults)
    regions: list[Region] = field(default_factory=list)
    rounded: dict[float, int] = field(default_factory=dict)
    previous_order: str = ""

    def graph(self) -> Graph:
        spec = self.spec
        root_span = spec.document.span(())
        base: dict[str, Value] = {**spec.params, "classes": spec.classes, "scaled()": self._scaled}  # type: ignore[dict-item]
        counts = self._counts(Frame({**base, "stages": len(spec.stages)}, root_span))
        self._predict(counts)
        builder = Builder(spec.input, self.limits)
        names = Names(spec.naming)
        sequences = Sequences(builder, names, base, self.faults)
        value = Node(INPUT, operations()["flatten"](), (), spec.input, "", root_span)
        table = {**base, "stages": len(spec.stages), "blocks": sum(counts)}
        orders = self._edge_orders(table, counts)
        value = self._edge(sequences, "stem", orders[0], value)
        self._warn_of_coarse_stem(value)
        number = 0
        for stage, count in zip(spec.stages, counts, strict=True):
            value = self._stage(sequences, stage, {**table, "count": count}, number, value)
            number += count
        value = self._edge(sequences, "head", orders[1], value)
        self.faults.raise_errors()
        return self._finish(builder, value)

    # -- before anything is built ------------------------------------------------------------------------------------

    def _scaled(self, value: Value) -> int:
        """``scaled`` of the language: a width by ``scale``, rounded to its divisor."""
        scale = self.spec.scale
        exact = float(value or 0) * (scale.width if scale else 1)
        if scale is None:
            return int(exact) if exact == int(exact) else round(exact)
        width = make_divisible(exact, scale.divisor)
        if width != exact:
            self.rounded[exact] = width
        return width

    def _counts(self, frame: Frame) -> list[int]:
        """How many blocks each stage has, after ``scale.depth``."""
        depth = self.spec.scale.depth if self.spec.scale else 1
        counts = []
        for stage in self.spec.stages:
            inner = Frame({**frame.values, "stage": stage.number + 1}, stage.span)
            cell = stage.cells["count"]
            if cell.by_block:
                raise SpecError([Diagnostic("E206", "`count` has one value a stage", cell.span)])
            count = inner.whole(cell.at(0))
            count = math.ceil(count * depth) if depth != 1 else count
            counts.append(count)
            for key, column in (*stage.cells.items(), ("block", stage.blocks)):
                if column.by_block and len(column.entries) != count:
                    found = f"this cell of `{key}` has {len(column.entries)} values"
                    message = f"{found}, but stage {stage.number + 1} has {count} blocks"
                    labels = (Label(cell.span, f"{count} blocks here"),)
                    self.faults.add(Diagnostic("E311", message, column.span, labels=labels))
        self.faults.raise_errors()
        return counts

    def _predict(self, counts: list[int]) -> None:
        """Refuse a network that must pass the limit of nodes before any of it is built."""
        for stage, count in zip(self.spec.stages, counts, strict=True):
            smallest = min((max(block.size, 1) for block in stage.blocks.entries), default=1)
            if count * smallest > self.limits.nodes:
                raise too_many_nodes(self.limits.nodes, stage.cells["count"].span)
        for sequence in (self.spec.stem, self.spec.head):
            if sequence.call and sequence.call.definition and sequence.call.definition.size > self.limits.nodes:
                raise too_many_nodes(self.limits.nodes, sequence.span)

    def _edge_orders(self, table: Mapping[str, Value], counts: list[int]) -> tuple[str, str]:
        """The activation orders of the first and of the last block, which stem and head take."""
        if not self.spec.stages:
            return "post", "post"
        orders = []
        for stage, index in ((self.spec.stages[0], 0), (self.spec.stages[-1], counts[-1] - 1)):
            count = counts[stage.number]
            number = index if stage.number == 0 else sum(counts) - 1
            values = {**table, "stage": stage.number + 1, "index": index, "number": number, "count": count}
            setting = self._setting("activation_order", stage, stage.blocks.at(index), index)
            orders.append(self._order(setting, Frame(values, stage.span)))
        return orders[0], orders[1]

    # -- edges -------------------------------------------------------------------------------------------------------

    def _edge(self, sequences: Sequences, key: str, order: str, value: Node) -> Node:
        """The stem or the head."""
        spec = self.spec
        sequence = spec.stem if key == "stem" else spec.head
        values: dict[str, Value] = {**sequences.base, "in_channels": value.shape[0], "activation_order": order}
        frame = Frame(values, sequence.span)
        norm, act = (read_setting(spec.settings[name], name, frame) for name in ("norm", "act"))
        values.update(norm=norm["type"], act=act["type"])
        scope = sequences.names.open(sequences.names.root, key, values, sequence.span)
        omitted = LEFT_OUT.get(order, ()) if key == "stem" and self._first_block_has_layer() else ()
        return sequences.sequence(sequence, frame, scope, Flow(OUTSIDE, norm, act, omitted), value)

    def _first_block_has_layer(self) -> bool:
        stages = self.spec.stages
        return bool(stages and stages[0].blocks.entries and stages[0].blocks.at(0).has_layer)

    def _warn_of_coarse_stem(self, value: Node) -> None:
        small, left = min(self.spec.input[1:]), min(value.shape[1:], default=1)
        if small <= 48 and left * 4 <= small:
            message = (
                f"the stem shrinks {show_shape(self.spec.input)} to {show_shape(value.shape)} before the first block"
            )
            help = "`stem: cifar` keeps the size of small images"
            self.faults.add(Diagnostic("W501", message, self.spec.stem.span, help=help))

    # -- stages ------------------------------------------------------------------------------------------------------

    def _stage(self, sequences: Sequences, stage: Stage, table: Mapping[str, Value], first: int, value: Node) -> Node:
        """One stage: what stands before it, its blocks, what stands after it."""
        names = sequences.names
        values: dict[str, Value] = {**table, "stage": stage.number + 1, "index": 0, "number": first}
        value = self._side(sequences, "before", stage, values, value)
        name = stage.cells["name"].at(0).render(values) if "name" in stage.cells else ""
        scope = names.open(names.root, "stage", values, stage.span, name)
        place, start, source = len(self.regions), len(sequences.builder.nodes), value
        for index in range(int(table["count"] or 0)):
            values = {**table, "stage": stage.number + 1, "index": index, "number": first + index}
            value = self._block(sequences, stage, scope, values, value)
        end = len(sequences.builder.nodes)
        kinds = dict.fromkeys(block.name for block in stage.blocks.entries)
        region = Region("stage", scope.path, ", ".join(kinds), start, end, source.name, value.name, stage.span)
        self.regions.insert(place, region)
        return self._side(sequences, "after", stage, values, value)

    def _side(self, sequences: Sequences, key: str, stage: Stage, table: Mapping[str, Value], value: Node) -> Node:
        """What stands before a stage's first block, or after its last."""
        cell = stage.cells.get(key)
        sequence = cell.at(0) if cell else None
        if sequence is None:
            return value
        index = int(table["index"] or 0)
        frame = self._frame(stage, stage.blocks.at(index), index, table, value)
        scope = sequences.names.open(sequences.names.root, key, frame.values, sequence.span)
        norm, act = (read_setting(self._setting(name, stage, None, index), name, frame) for name in ("norm", "act"))
        return sequences.sequence(sequence, frame, scope, Flow(OUTSIDE, norm, act), value)

    def _frame(self, stage: Stage, block: Block, index: int, table: Mapping[str, Value], value: Node) -> Frame:
        """What a block's cells and settings see: its place in the table, then channels, stride and dilation."""
        values: dict[str, Value] = {**table, "in_channels": value.shape[0]}
        written: dict[str, tuple[Term, Frame | None]] = {}
        frame = Frame(values, stage.blocks.span, None, written)
        later: dict[str, Value] = {}
        for key, default in (("channels", None), ("stride", 1), ("dilation", 1)):
            cell = stage.cells.get(key)
            term = cell.at(index) if cell else None
            if term is None or (
                key == "stride" and index > 0 and cell and not cell.by_block and term.expression is None
            ):
                if default:
                    later[key] = default
                continue
            written[key] = (term, None)
            if key == "channels" and self.spec.scale:
                later[key] = self._scaled(frame.number(term))
            else:
                later[key] = frame.whole(term)
            if key == "stride" and index > 0 and cell and not cell.by_block:
                later[key] = 1
        values.update(later)
        words = {name: frame.value(self._setting(name, stage, block, index).term) for name in ("norm", "act")}
        values.update(
            words, activation_order=self._order(self._setting("activation_order", stage, block, index), frame)
        )
        return frame

    # -- settings ----------------------------------------------------------------------------------------------------

    def _setting(self, key: str, stage: Stage, block: Block | None, index: int) -> Setting:
        """The setting in force: the stage's, then the spec's, then the block's, then the language's own.

        What a block fixes passes the spec's by; a stage that contradicts it is refused.
        """
        cell = stage.cells.get(key)
        own: Setting | None = cell.at(index) if cell else None
        fixed = block.fixed.get(key) if block else None
        if fixed:
            if own and own.term.constant != fixed.term.constant:
                message = f"the block `{block.name if block else ''}` fixes `{key}` to `{cut(fixed.term.constant)}`"
                labels = (Label(fixed.term.span, "fixed here"),)
                raise SpecError(
                    [Diagnostic("E309", message, own.term.span, labels=labels, help="leave the stage's setting out")]
                )
            return fixed
        if own:
            return own
        written = self.spec.document.value.get(key) is not None
        if not written and block and key in block.settings:
            return block.settings[key]
        return self.spec.settings[key]

    def _order(self, setting: Setting, frame: Frame) -> str:
        word = frame.value(setting.term)
        if not isinstance(word, str) or word not in ACTIVATION_ORDERS:
            words = ", ".join(f"`{order}`" for order in ACTIVATION_ORDERS)
            hint = did_you_mean(str(word), ACTIVATION_ORDERS)
            raise SpecError(
                [
                    Diagnostic(
                        "E204", f"`activation_order` is one of {words}, not `{cut(word)}`", setting.term.span, hint
                    )
                ]
            )
        return word

    # -- blocks ------------------------------------------------------------------------------------------------------

    def _block(self, sequences: Sequences, stage: Stage, scope: Scope, table: Mapping[str, Value], value: Node) -> Node:
        """One block: its residual, its shortcut, their merge, and what the activation order puts after it."""
        index = int(table["index"] or 0)
        block: Block = stage.blocks.at(index)
        outer = self._frame(stage, block, index, table, value)
        given = {
            key: cell.at(index)
            for key, cell in stage.cells.items()
            if key in block.params and cell.at(index) is not None
        }
        self._check_given(block, given, stage)
        frame = Frame(dict(outer.values), outer.span, None, outer.written)
        bind(frame, block.params, given, outer, block.let)
        order = str(frame.values["activation_order"])
        self._warn_of_order(order, stage, block)
        norm, act = (read_setting(self._setting(key, stage, block, index), key, frame) for key in ("norm", "act"))
        flow = Flow(ORDERS[order], norm, act)
        span = stage.blocks.span
        inner = sequences.names.open(scope, "block", frame.values, span)
        place, start = len(self.regions), len(sequences.builder.nodes)
        if block.residual:
            body = sequences.names.open(inner, "residual", frame.values, span)
            result = sequences.steps(block.steps, frame, body, flow, value, False, False)
            result, merged = self._merge(sequences, stage, block, index, frame, inner, flow, value, result)
            for part in flow.order.after:
                result = sequences.part(part, flow.setting(part), frame, inner, span, result)
        else:
            result = sequences.steps(block.steps, frame, inner, flow, value, False, False)
            merged = False
        end = len(sequences.builder.nodes)
        region = Region("block", inner.path, block.name, start, end, value.name, result.name, span, merged)
        self.regions.insert(place, region)
        return result

    def _check_given(self, block: Block, given: Mapping[str, Any], stage: Stage) -> None:
        for name, default in block.params.items():
            if default.constant is None and default.expression is None and name not in given:
                message = f"the block `{block.name}` needs `{name}`"
                help = f"write a column `{name}` in the stage table"
                raise SpecError([Diagnostic("E306", message, stage.blocks.span, help=help)])

    def _warn_of_order(self, order: str, stage: Stage, block: Block) -> None:
        if order == "post" and self.previous_order == "pre" and block.has_layer:
            message = "this `post` stage comes after a `pre` stage, and reads a sum that was never normalised"
            self.faults.add(Diagnostic("W302", message, stage.span))
        self.previous_order = order

    def _merge(
        self,
        sequences: Sequences,
        stage: Stage,
        block: Block,
        index: int,
        frame: Frame,
        scope: Scope,
        flow: Flow,
        value: Node,
        result: Node,
    ) -> tuple[Node, bool]:
        """The merge of a residual with its shortcut, where there is one."""
        shortcut, span = self._shortcut(stage, block, index, frame)
        same = value.shape[1:] == result.shape[1:] if block.merge.name == "concat" else value.shape == result.shape
        side = shortcut.same if same else shortcut.change
        if side is None:
            raise SpecError([*self.faults, self._refused(shortcut, span, same, value, result)])
        if side == NONE:
            return result, False
        assert not isinstance(side, str)
        beside = self._beside(sequences, side, stage, frame, scope, flow, value, result, span)
        if self.spec.init.get("zero_init_residual"):
            result = _zero_initialised(sequences.builder, result)
        result = self._drop_path(sequences, stage, block, index, frame, scope, result)
        merged = sequences.add(block.merge(), (beside, result), scope, "", frame, stage.blocks.span, {})
        return merged, True

    def _shortcut(self, stage: Stage, block: Block, index: int, frame: Frame) -> tuple[Shortcut, Span]:
        setting = self._setting("shortcut", stage, block, index)
        word = frame.value(setting.term)
        found = setting.scope.shortcut(word) if isinstance(word, str) else None
        if found is None:
            hint = did_you_mean(str(word), setting.scope.visible("shortcuts"))
            raise SpecError([Diagnostic("E302", f"no shortcut is called `{cut(word)}`", setting.term.span, hint)])
        return found, setting.term.span

    def _refused(self, shortcut: Shortcut, span: Span, same: bool, value: Node, result: Node) -> Diagnostic:
        case = "where shapes agree" if same else "where the shape changes"
        message = (
            f"the shortcut `{shortcut.name}` says nothing {case}, and this block turns "
            f"{show_shape(value.shape)} into {show_shape(result.shape)}"
        )
        help = (
            "`projection` adds a 1x1 convolution, `zero-pad` subsamples and pads; or keep channels and stride"
            if not same
            else ""
        )
        notes = (f"in {result.scope or result.name}",)
        return Diagnostic("E505", message, span, labels=(Label(result.span, "in this block"),), notes=notes, help=help)

    def _beside(
        self,
        sequences: Sequences,
        side: tuple[Step, ...],
        stage: Stage,
        frame: Frame,
        scope: Scope,
        flow: Flow,
        value: Node,
        result: Node,
        span: Span,
    ) -> Node:
        """The shortcut's value. In pre-activation orders it reads the first activated value, if it does anything."""
        kept = (
            "stage",
            "stages",
            "index",
            "number",
            "count",
            "blocks",
            "in_channels",
            "channels",
            "stride",
            "dilation",
        )
        settings = ("activation_order", "norm", "act")
        builtin = {key: frame.values[key] for key in (*kept, *settings) if key in frame.values}
        values = {**sequences.base, **builtin, "out_channels": result.shape[0]}
        inner = Frame(values, span, frame, frame.written)
        live = tuple(step for step in side if step.when is None or inner.truth(step.when))
        if not live:
            return value
        if inner.values["activation_order"] in PRE_ACTIVATED and flow.activated is not None:
            value = flow.activated
        opened = sequences.names.open(scope, "shortcut", frame.values, span)
        beside = Flow(OUTSIDE, flow.norm, flow.act)
        return sequences.steps(live, inner, opened, beside, value, False, False)

    def _drop_path(
        self, sequences: Sequences, stage: Stage, block: Block, index: int, frame: Frame, scope: Scope, result: Node
    ) -> Node:
        """Stochastic depth on the residual (Huang et al. 2016), where its probability is above 0."""
        setting = self._setting("drop_path", stage, block, index)
        chance = frame.number(setting.term)
        if not 0 <= chance < 1:
            raise SpecError(
                [frame.located("E501", f"`drop_path` is at least 0 and below 1, not {chance}", setting.term)]
            )
        if chance == 0:
            return result
        operation = operations()["drop_path"](p=chance)  # type: ignore[call-arg]
        return sequences.add(operation, (result,), scope, "", frame, stage.blocks.span, {})

    # -- the result --------------------------------------------------------------------------------------------------

    def _finish(self, builder: Builder, value: Node) -> Graph:
        if self.rounded:
            told = ", ".join(f"{exact:g} to {width}" for exact, width in list(self.rounded.items())[:6])
            span = self.spec.scale.span if self.spec.scale else self.spec.document.span(())
            self.faults.add(Diagnostic("W502", f"widths were rounded: {told}", span))
        outputs = self._outputs(builder, value)
        nodes, regions = tuple(builder.nodes), tuple(self.regions)
        if self.spec.outputs:
            nodes, regions = _pruned(nodes, regions, outputs)
        warnings = (*self.spec.warnings, *self.faults.warnings)
        single = not isinstance(self.spec.document.value.get("outputs"), list)
        return Graph(self.spec, self.spec.input, nodes, outputs, single, regions, warnings)

    def _outputs(self, builder: Builder, value: Node) -> dict[str, str]:
        """What the model returns, by label: the head's result, or that of the scopes under ``outputs``."""
        if not self.spec.outputs:
            return {"output": value.name}
        inside = {node.name for r in self.regions if r.kind == "block" for node in builder.nodes[r.first : r.last]}
        known = {node.name: node.name for node in builder.nodes if node.name not in inside}
        known.update({region.scope: region.result for region in self.regions if region.scope})
        found: dict[str, str] = {}
        for number, label in enumerate(self.spec.outputs):
            if label in known:
                found[label] = known[label]
                continue
            value_ = self.spec.document.value["outputs"]
            span = self.spec.document.span(("outputs",) if isinstance(value_, str) else ("outputs", number))
            stages = ", ".join(region.scope for region in self.regions if region.kind == "stage")
            message = f"the network has no scope `{cut(label)}` that can be returned"
            help = f"the stages are {stages}; a block is `layer1.0`; steps of stem and head have their own names"
            self.faults.add(Diagnostic("E310", message, span, did_you_mean(label, known), help=help))
        self.faults.raise_errors()
        return found


def _zero_initialised(builder: Builder, node: Node) -> Node:
    """The residual's last node, starting as the zero function where it is a norm (Goyal et al. 2017, section 5.1)."""
    if not builder.nodes or builder.nodes[-1] is not node:
        position = next((i for i in range(len(builder.nodes) - 1, -1, -1) if builder.nodes[i] is node), None)
    else:
        position = len(builder.nodes) - 1
    operation: Operation = node.operation.zero_initialised()
    if position is None or operation is node.operation:
        return node
    builder.nodes[position] = changed = node._replace(operation=operation)
    return changed


def _pruned(
    nodes: tuple[Node, ...], regions: tuple[Region, ...], outputs: Mapping[str, str]
) -> tuple[tuple[Node, ...], tuple[Region, ...]]:
    """Only what the outputs need: a backbone has no head."""
    wanted = needed(nodes, outputs.values())
    kept = [node.name in wanted for node in nodes]
    before = [0]
    for keep in kept:
        before.append(before[-1] + keep)
    left = tuple(node for node, keep in zip(nodes, kept, strict=True) if keep)
    shifted = (replace(r, first=before[r.first], last=before[r.last]) for r in regions)
    return left, tuple(region for region in shifted if region.first < region.last and region.result in wanted)
