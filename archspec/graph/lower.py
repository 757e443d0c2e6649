"""Spec to graph: the stem, the stages with the sequences before and after them, the head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from archspec.diagnostics import Diagnostic, Faults, SpecError, cut
from archspec.graph.block_settings import (
    StagePlan,
    begins_with_layer,
    note_places,
    order_before,
)
from archspec.graph.blocks import Blocks
from archspec.graph.builder import Builder
from archspec.graph.environment import Environment
from archspec.graph.frozen import freeze
from archspec.graph.graph import INPUT, Graph, Node, Region
from archspec.graph.group_widths import warn_of_setting
from archspec.graph.kept import Kept
from archspec.graph.lost_results import warn_of_lost_results
from archspec.graph.named_regions import CopiedRegions
from archspec.graph.named_steps import of_network, open_edge
from archspec.graph.names import Names
from archspec.graph.orders import OUTSIDE, Flow
from archspec.graph.outputs import find_outputs
from archspec.graph.parameters import read_setting
from archspec.graph.planning import places, plan
from archspec.graph.predicted import refuse_too_many
from archspec.graph.provenance import Provenance
from archspec.graph.scopes import HEAD, STEM
from archspec.graph.sequences import Sequences
from archspec.graph.slips import warn_of_head, warn_of_layers, warn_of_sizes
from archspec.graph.stage_steps import blocks_of_stage, side
from archspec.graph.unread_heads import warn_of_unread_heads
from archspec.language.expressions.values import Value
from archspec.language.scaling import Scaling
from archspec.language.silence import audible
from archspec.language.spec import Sequence, Spec
from archspec.language.templates import Template
from archspec.operations.base import Operation
from archspec.work import Limits, Work

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
    with spec.authors.come_first():
        return _lowered(spec, Work(limits, spec.work))


def _lowered(spec: Spec, work: Work) -> Graph:
    faults = Faults(work)
    scaling = Scaling(spec.scale, dict(spec.rounded))
    names: dict[str, Value] = {**spec.params, "classes": spec.classes}
    root = Environment(
        names, spec.document.span(()), scale=scaling.width, work=work, authors=spec.authors, written=places(spec)
    )
    plans = plan(spec, root, faults)
    refuse_too_many(spec, plans, work.limits)
    builder = Builder(spec.input, work)
    sequences = Sequences(builder, Names(spec.naming, faults, scaling.width), faults, spec.authors)
    network = _Lowering(spec, plans, root, sequences, Blocks(spec, sequences, faults))
    whole_spec = Provenance(root.span)
    value = network.begin(Node(INPUT, Operation(), (), spec.input, whole_spec))
    value = network.stem(value)
    ends, entered = {STEM: value}, []
    for each in plans:
        entered.append(value.shape)
        value = network.stage(each, value)
    start = len(builder.nodes)
    ends |= network.heads(value)
    scaling.warn(faults)
    faults.raise_errors()
    outputs = find_outputs(spec, builder.nodes, network.regions, ends, network.kept, work)
    warn_of_unread_heads(spec, builder.nodes, network.begun, outputs.values(), faults)
    if sequences.reads_by_name:
        ended = {*outputs.values(), *[end.name for end in ends.values()]}
        warn_of_lost_results(builder.nodes, network.regions, ended, sequences.kept_names, spec.authors, faults)
    sequences.sharing.warn(faults)
    warn_of_sizes(spec, entered, faults)
    warn_of_head(spec, builder.nodes[start:], faults)
    warn_of_layers(spec, builder.nodes, builder.nodes[start:], faults)
    written = spec.document.value.get("outputs")
    in_both_modes = {each.label for each in spec.outputs if not each.training}
    graph = Graph(
        name=spec.name,
        input=spec.input,
        nodes=tuple(builder.nodes),
        outputs=outputs,
        single=isinstance(written, str) or (written is None and not spec.heads) or _is_alone(spec, outputs),
        returns=spec.returns,
        training=frozenset([each.label for each in spec.outputs if each.label in outputs]) - in_both_modes,
        regions=tuple(network.regions),
        init=spec.init,
        stem=spec.stem.call.word if spec.stem.call else "",
        head=spec.head.call.word if spec.head and spec.head.call else "",
        heads=network.begun,
        origin=spec,
        named=CopiedRegions(sequences.regions.found),
        kept=sequences.kept_names,
        shared=sequences.sharing.names,
        summary=spec.summary,
        paper=str(spec.document.value.get("paper") or ""),
    )
    graph = freeze(graph, spec, faults)
    network.forget()
    told = audible(spec.authors.first(faults.warnings), spec.document)
    return replace(graph, warnings=(*spec.warnings, *told), work=dict(work.by))


# -- stem, stages, head ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Lowering:
    """The state of lowering one spec; nothing of it outlives :func:`lower`."""

    spec: Spec
    plans: list[StagePlan]
    root: Environment
    sequences: Sequences
    blocks: Blocks
    regions: list[Region] = field(default_factory=list)
    begun: dict[str, int] = field(default_factory=dict)
    kept: Kept = field(init=False)

    def __post_init__(self) -> None:
        self.sequences.names.open_backbone(self.root.values, self.root.span)
        self.kept = of_network(self.spec, self.sequences.names, self.plans, self._block)

    def forget(self) -> None:
        """Let go of what only lowering reads, so that nothing of it outlives the graph, not even in a circle."""
        self.kept.forget()
        self.sequences.provenances.forget()

    def begin(self, value: Node) -> Node:
        """The network's input, which steps can read by name."""
        self._complete(INPUT, value)
        return value

    def stem(self, value: Node) -> Node:
        """The stem. Before a block that begins with an activation, it ends without one."""
        values = self._values_at(0, 0)
        values["activation_order"] = order = order_before(self.spec, self.plans[0]) if self.plans else "post"
        omitted = LEFT_OUT.get(order, ())
        omitted = omitted if omitted and self.plans and begins_with_layer(self.plans[0]) else ()
        deep = self.spec.naming.get("deep")
        nodes = self._to_last_convolution(values, omitted, value) if self.plans and deep and deep.parts else 0
        value = self._edge(STEM, self.spec.stem, values, omitted, value, nodes)
        self._complete(STEM, value)
        return value

    def _to_last_convolution(self, values: dict[str, Value], omitted: tuple[str, ...], value: Node) -> int:
        """How many nodes a stem has up to its last convolution, if it has several and no step has a name; else 0.

        The stem is tried in a network of its own, because the names of its first nodes depend on its last ones.
        """
        faults, builder = Faults(self.root.work), Builder(self.spec.input, self.root.work)
        names = Names(self.spec.naming, faults, self.sequences.names.scale)
        tried = replace(self, sequences=Sequences(builder, names, faults, self.spec.authors))
        try:
            tried._edge(STEM, self.spec.stem, dict(values), omitted, value)
        except SpecError:  # which the stem itself will report
            return 0
        finally:
            tried.forget()
        places = [place for place, node in enumerate(builder.nodes, 1) if node.operation.filters]
        return places[-1] if len(places) > 1 and names.edge not in names.own_names else 0

    def heads(self, value: Node) -> dict[str, Node]:
        """The results of all heads by name, ``head`` the last."""
        found = {}
        for name, sequence in self.spec.heads.items():
            self._check_name(name, sequence)
            found[name] = self._head(name, sequence, value)
            self._complete(name, found[name])
        return {**found, HEAD: self._head(HEAD, self.spec.head, value)} if self.spec.head else found

    def _head(self, name: str, sequence: Sequence, value: Node) -> Node:
        """A head, which sees the place and the activation order of the last block."""
        values = self._values_at(-1, -1)
        values["activation_order"] = self.blocks.last_order or "post"
        self.begun[name] = len(self.sequences.builder.nodes)
        return self._edge(name, sequence, values, (), value)

    def _check_name(self, name: str, sequence: Sequence) -> None:
        """Refuse a head with the name of another part."""
        if self.kept.is_part(name) or name == HEAD:
            span = self.spec.document.key_span(("heads", name))
            message = f"`{cut(name)}` is also the name of that part of the network"
            raise SpecError([Diagnostic("E316", message, span, help="give the head another name")])

    def _values_at(self, stage: int, index: int) -> dict[str, Value]:
        """The values of the names at a block, by its stage and its index in it."""
        if not self.plans:
            return {**self.root.values, "stages": 0, "blocks": 0}
        return self.plans[stage].at(range(self.plans[stage].count)[index])

    def _edge(
        self,
        key: str,
        sequence: Sequence,
        values: dict[str, Value],
        omitted: tuple[str, ...],
        value: Node,
        deep: int = 0,
    ) -> Node:
        """The stem or a head. Its settings are the spec's, evaluated at the place of the nearest block.

        The first ``deep`` nodes are in a scope of their own.
        """
        names = self.sequences.names
        values["in_channels"] = value.shape[0]
        env = Environment(values, sequence.span, self.root)
        norm, act = (read_setting(self.spec.settings[name], name, env) for name in ("norm", "act"))
        for name in ("norm", "act"):
            if self.spec.document.value.get(name) is not None:
                note_places(env.written, self.spec.settings[name], name)
        values.update(norm=norm["type"], act=act["type"])
        flow = Flow(OUTSIDE, norm, act, omitted)
        open_edge(self.sequences, sequence, env, flow, self.kept)
        start, heads = len(self.sequences.builder.nodes), key in self.spec.heads
        kind, parent = ("heads" if heads else key), (names.backbone if key == STEM else names.root)
        at = self.spec.document.key_span(("heads", key)) if heads else sequence.span
        scope = names.open(parent, kind, {**values, "name": key} if heads else values, at)
        names.edge = scope.path
        if deep:
            names.deepen(scope, values, sequence.span, deep)
        value = self.sequences.sequence(sequence, env, scope, flow, value)
        warn_of_setting(self.sequences.faults, self.spec.settings["norm"], env, self.sequences.builder.nodes[start:])
        return value

    def stage(self, plan: StagePlan, value: Node) -> Node:
        """One stage: its `before`, its blocks with what is `around` them, its `after`."""
        names, nodes, stage = self.sequences.names, self.sequences.builder.nodes, plan.stage
        value = side(self.spec, self.sequences, self.kept, "before", plan, 0, value)
        template: Template | None = stage.cells["name"].at(0) if "name" in stage.cells else None
        name = names.render(template, plan.at(0)) if template else ""
        scope = names.backbone
        if name or not template:  # as an empty template of the naming, an empty name opens no scope
            scope = names.open(scope, "stage", plan.at(0), stage.span, name)
        start, source = len(nodes), value
        value, blocks = blocks_of_stage(self.spec, self.sequences, self.blocks, plan, scope, source)
        kinds = ", ".join(dict.fromkeys(block.name for block in stage.blocks.entries))
        whole = Region("stage", scope.path, kinds, start, len(nodes), source.name, value.name, stage.span)
        self.regions += (whole, *blocks)
        self._complete(scope.path, value)
        return side(self.spec, self.sequences, self.kept, "after", plan, plan.count - 1, value)

    def _block(self, scope: str) -> Node | None:
        """The result of a block of a complete stage, by its scope."""
        results = {region.result for region in self.regions if region.kind == "block" and region.scope == scope}
        return next((node for node in self.sequences.builder.nodes if node.name in results and len(results) == 1), None)

    def _complete(self, part: str, value: Node) -> None:
        """Let later steps read the result of the stem or of a stage by its scope."""
        if part and (fault := self.kept.complete(part, value)):
            self.sequences.lose(fault)


def _is_alone(spec: Spec, outputs: Mapping[str, str]) -> bool:
    """Whether `when` leaves one value of a tuple, which the model then returns alone."""
    return spec.returns == "tuple" and len(outputs) == 1 < len(spec.outputs)
