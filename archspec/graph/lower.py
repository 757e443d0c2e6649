"""Spec to graph: the stem, the stages with what stands before and after them, the head."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from archspec.diagnostics import Diagnostic, Faults, Label
from archspec.graph.block_settings import block_environment, given_parameters, order_in_force, setting_in_force
from archspec.graph.blocks import Blocks
from archspec.graph.environment import Environment
from archspec.graph.graph import INPUT, Builder, Graph, Limits, Node, Region, too_many_nodes
from archspec.graph.names import Names, render
from archspec.graph.orders import OUTSIDE, Flow
from archspec.graph.outputs import find_outputs
from archspec.graph.parameters import bind, read_setting
from archspec.graph.sequences import Sequences
from archspec.language.expressions.values import Value, make_divisible
from archspec.language.extent import extent
from archspec.language.spec import Sequence, Spec, Stage, Template
from archspec.operations.base import Operation
from archspec.operations.shapes import show_shape

LEFT_OUT = {"pre": ("norm", "act"), "act-only-pre": ("act",)}
"""What a block begins with, and so what the stem's last layer omits and the head begins with."""


def lower(spec: Spec, limits: Limits | None = None) -> Graph:
    """The graph of a spec, every shape inferred, with all its nodes; :mod:`archspec.passes` drops what no output needs.

    Args:
        spec: a resolved spec.
        limits: what the network may not exceed.

    Raises:
        SpecError: E3 for names, E4 for values, E5 for shapes, E6 for a network past the limits.
    """
    faults = Faults()
    scaling = _Scaling(spec)
    base: dict[str, Value] = {**spec.params, "classes": spec.classes, "scaled()": scaling.width}  # type: ignore[dict-item]
    counts = _counts(spec, base, faults)
    limits = limits or Limits()
    _predict(spec, counts, limits)
    builder = Builder(spec.input, limits)
    sequences = Sequences(builder, Names(spec.naming), base, faults)
    table = {**base, "stages": len(spec.stages), "blocks": sum(counts)}
    edges = _edge_places(spec, table, counts)
    network = _Lowering(spec, sequences, Blocks(spec, sequences, faults), faults)
    value = Node(INPUT, Operation(), (), spec.input, spec.document.span(()))
    value = network.edge("stem", spec.stem, edges[0], value)
    network.warn_of_coarse_stem(value)
    number = 0
    for stage, count in zip(spec.stages, counts, strict=True):
        value = network.stage(stage, {**table, "count": count}, count, number, value)
        number += count
    value = network.edge("head", spec.head, edges[1], value)
    scaling.warn(faults)
    faults.raise_errors()
    outputs = find_outputs(spec, builder.nodes, network.regions, value)
    single = not isinstance(spec.document.value.get("outputs"), list)
    return Graph(
        name=spec.name,
        input=spec.input,
        nodes=tuple(builder.nodes),
        outputs=outputs,
        single=single,
        regions=tuple(network.regions),
        init=spec.init,
        stem=spec.stem.call.word if spec.stem.call else "",
        head=spec.head.call.word if spec.head.call else "",
        origin=spec,
        warnings=(*spec.warnings, *faults.warnings),
    )


@dataclass(slots=True)
class _Scaling:
    """``scaled`` of the language, and the widths that it rounded."""

    spec: Spec
    rounded: dict[float, int] = field(default_factory=dict)

    def width(self, value: Value) -> int:
        """A width by ``scale``, rounded to its divisor."""
        scale = self.spec.scale
        exact = float(value or 0) * (scale.width if scale else 1)
        if scale is None:
            return round(exact)
        width = make_divisible(exact, scale.divisor)
        if width != exact:
            self.rounded[exact] = width
        return width

    def warn(self, faults: Faults) -> None:
        if self.rounded and self.spec.scale and not self.spec.scale.asked:
            told = ", ".join(f"{exact:g} to {width}" for exact, width in list(self.rounded.items())[:6])
            faults.add(Diagnostic("W502", f"widths were rounded: {told}", self.spec.scale.span))


# -- before anything is built ------------------------------------------------------------------------------------------


def _counts(spec: Spec, base: Mapping[str, Value], faults: Faults) -> list[int]:
    """How many blocks each stage has, after ``scale.depth``."""
    depth = spec.scale.depth if spec.scale else 1
    counts = []
    for stage in spec.stages:
        env = Environment({**base, "stages": len(spec.stages), "stage": stage.number + 1}, stage.span)
        cell = stage.cells["count"]
        count = env.whole(cell.at(0))
        count = math.ceil(count * depth) if depth != 1 else count
        counts.append(count)
        for key, column in (*stage.cells.items(), ("block", stage.blocks)):
            if column.by_block and len(column.entries) != count:
                found = f"this cell of `{key}` has {len(column.entries)} values"
                message = f"{found}, but stage {stage.number + 1} has {count} blocks"
                labels = (Label(cell.span, f"{count} blocks here"),)
                faults.add(Diagnostic("E311", message, column.span, labels=labels))
    faults.raise_errors()
    return counts


def _predict(spec: Spec, counts: list[int], limits: Limits) -> None:
    """Refuse a network that must pass the limit of nodes before any of it is built."""
    total = 0
    for sequence in (spec.stem, spec.head):
        total += extent((sequence.call,) if sequence.call else sequence.steps).nodes
        if total > limits.nodes:
            raise too_many_nodes(limits.nodes, sequence.span)
    for stage, count in zip(spec.stages, counts, strict=True):
        total += count * min((max(block.extent.nodes, 1) for block in stage.blocks.entries), default=1)
        if total > limits.nodes:
            raise too_many_nodes(limits.nodes, stage.cells["count"].span)


def _edge_places(spec: Spec, table: Mapping[str, Value], counts: list[int]) -> list[dict[str, Value]]:
    """What stem and head see: the place and the activation order of the first block, and of the last."""
    if not spec.stages:
        return [{**table, "activation_order": "post"}] * 2
    places = []
    for stage, index in ((spec.stages[0], 0), (spec.stages[-1], counts[-1] - 1)):
        number = index + sum(counts[: stage.number])
        place = {"stage": stage.number + 1, "index": index, "number": number, "count": counts[stage.number]}
        values: dict[str, Value] = {**table, **place}
        block = stage.blocks.at(index)
        inner, outer = Environment(dict(values), stage.span), Environment(values, stage.span)
        bind(inner, block.params, given_parameters(stage, block, index), outer, {}, tolerant=True)
        values["activation_order"] = order_in_force(spec, stage, block, index, inner)
        places.append(values)
    return places


# -- stem, stages, head ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Lowering:
    """The state of lowering one spec; nothing of it outlives :func:`lower`."""

    spec: Spec
    sequences: Sequences
    blocks: Blocks
    faults: Faults
    regions: list[Region] = field(default_factory=list)

    def edge(self, key: str, sequence: Sequence, place: Mapping[str, Value], value: Node) -> Node:
        """The stem or the head. Its settings are the spec's, evaluated at the place of the nearest block."""
        names = self.sequences.names
        values: dict[str, Value] = {**place, "in_channels": value.shape[0]}
        env = Environment(values, sequence.span)
        norm, act = (read_setting(self.spec.settings[name], name, env) for name in ("norm", "act"))
        values.update(norm=norm["type"], act=act["type"])
        scope = names.open(names.root, key, values, sequence.span)
        left_out = LEFT_OUT.get(str(place["activation_order"]), ())
        omitted = left_out if key == "stem" and self._first_block_has_layer() else ()
        return self.sequences.sequence(sequence, env, scope, Flow(OUTSIDE, norm, act, omitted), value)

    def _first_block_has_layer(self) -> bool:
        stages = self.spec.stages
        return bool(stages and stages[0].blocks.entries and stages[0].blocks.at(0).has_layer)

    def warn_of_coarse_stem(self, value: Node) -> None:
        small, left = min(self.spec.input[1:]), min(value.shape[1:], default=1)
        if small <= 48 and left * 4 <= small:
            shrunk = f"{show_shape(self.spec.input)} to {show_shape(value.shape)}"
            message = f"the stem shrinks {shrunk} before the first block"
            help = "`stem: cifar` keeps the size of small images"
            self.faults.add(Diagnostic("W501", message, self.spec.stem.span, help=help))

    def stage(self, stage: Stage, table: Mapping[str, Value], count: int, first: int, value: Node) -> Node:
        """One stage: what stands before it, its ``count`` blocks from number ``first`` on, what stands after it."""
        names, nodes = self.sequences.names, self.sequences.builder.nodes
        values: dict[str, Value] = {**table, "stage": stage.number + 1, "index": 0, "number": first}
        value = self._side("before", stage, values, 0, value)
        template: Template | None = stage.cells["name"].at(0) if "name" in stage.cells else None
        name = render(template, values) if template else ""
        scope = names.open(names.root, "stage", values, stage.span, name)
        start, source = len(nodes), value
        blocks = []
        for result, region in self.blocks.stage(stage, scope, values, count, source):
            value = result
            blocks.append(region)
            if len(blocks) == 3:
                self._predict_rest(stage, blocks, count)
        values = {**values, "index": count - 1, "number": first + count - 1}
        kinds = ", ".join(dict.fromkeys(block.name for block in stage.blocks.entries))
        whole = Region("stage", scope.path, kinds, start, len(nodes), source.name, value.name, stage.span)
        self.regions += (whole, *blocks)
        return self._side("after", stage, values, count - 1, value)

    def _predict_rest(self, stage: Stage, blocks: list[Region], count: int) -> None:
        """Refuse a stage whose other blocks, each no larger than the smallest so far, would pass the limit of nodes."""
        builder = self.sequences.builder
        rest = (count - len(blocks)) * min(block.last - block.first for block in blocks)
        if len(builder.nodes) + rest > builder.limits.nodes:
            raise too_many_nodes(builder.limits.nodes, stage.cells["count"].span)

    def _side(self, key: str, stage: Stage, table: Mapping[str, Value], index: int, value: Node) -> Node:
        """What stands before a stage's first block, or after its last."""
        cell = stage.cells.get(key)
        sequence: Sequence | None = cell.at(0) if cell else None
        if sequence is None:
            return value
        env = block_environment(self.spec, stage, stage.blocks.at(index), index, table, value)
        scope = self.sequences.names.open(self.sequences.names.root, key, env.values, sequence.span)
        settings = {name: setting_in_force(self.spec, name, stage, None, index) for name in ("norm", "act")}
        norm, act = (read_setting(setting, name, env) for name, setting in settings.items())
        return self.sequences.sequence(sequence, env, scope, Flow(OUTSIDE, norm, act), value)
