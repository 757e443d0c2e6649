"""Sequences to nodes: steps, layers by activation order, merges, and calls of fragments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from archspec.diagnostics import Diagnostic, Faults, Span, SpecError
from archspec.graph.builder import Builder
from archspec.graph.doubts import doubt_told, doubted_term, doubtful
from archspec.graph.environment import Environment
from archspec.graph.graph import Node
from archspec.graph.group_widths import warn_of_groups
from archspec.graph.lineage import Lineage
from archspec.graph.lookahead import last_layer, left_out_by
from archspec.graph.misfits import misfit
from archspec.graph.named_regions import NO_INPUTS, NOTHING, NamedRegions
from archspec.graph.named_steps import (
    give_inputs,
    inside_branch,
    keep,
    leave_out,
    open_scope,
    read_all,
    reads,
    source_of,
)
from archspec.graph.names import Names, NameScope
from archspec.graph.orders import Flow
from archspec.graph.parameters import bound, enter_fragment, numbers_of, over, read_arguments, read_setting
from archspec.graph.provenances import Provenances
from archspec.graph.repeated_steps import blocks, repeat
from archspec.graph.shape_faults import ShapeFaults
from archspec.graph.sharing import Sharing
from archspec.graph.slips import warn_of_omitted
from archspec.language.authors import Authors
from archspec.language.spec import NONE, Block, Sequence, Step, Term
from archspec.operations.base import Doubt, Operation
from archspec.operations.discovery import operations
from archspec.operations.shapes import ShapeFault
from archspec.work import EXPANDING


@dataclass(slots=True)
class Sequences:
    """Lowers sequences into one builder.

    ``kept_names`` has the names of nodes that steps keep; ``lost``: where a step names a value that is not there.
    """

    builder: Builder
    names: Names
    faults: Faults
    authors: Authors
    made: dict[tuple[Any, ...], Operation] = field(default_factory=dict)
    doubts: dict[int, tuple[Doubt, ...]] = field(default_factory=dict)
    kept_names: dict[str, str] = field(default_factory=dict)
    lost: set[tuple[str, Span | None]] = field(default_factory=set)
    sharing: Sharing = field(default_factory=Sharing)
    provenances: Provenances = field(default_factory=Provenances)
    reads_by_name: bool = False
    regions: NamedRegions = field(init=False)
    lineage: Lineage = field(init=False)
    shape_faults: ShapeFaults = field(init=False)

    def __post_init__(self) -> None:
        self.regions, self.lineage = NamedRegions(self.builder), Lineage(self.builder)
        self.shape_faults = ShapeFaults(self.lineage, self.authors)

    def sequence(
        self,
        sequence: Sequence,
        env: Environment,
        scope: NameScope,
        flow: Flow,
        value: Node,
        kind: Literal["fragment", "before", "after"] = "fragment",
    ) -> Node:
        """A stem, a head, or an edge of a stage. ``kind`` is that of its region, for a stem or head only of a call."""
        steps, call, start = sequence.steps, sequence.call, len(self.builder.nodes)
        name, values, inputs = "", NOTHING, NO_INPUTS
        if call is not None and call.definition:
            env = env.at(value.shape[0]) if call.reads_width else env
            outer, steps = env, call.definition.steps
            env = enter_fragment(call.definition, call, outer, value.shape[0])
            open_scope(self, steps, env, flow, False)
            inputs = give_inputs(self, call, outer, env, value)
            name, values = call.definition.name, bound(call.definition, env)
        result = self.steps(steps, env, scope, flow, value, False)
        if name or kind != "fragment":
            self.regions.add(kind, name, scope, start, value, result, sequence.span, values, inputs=inputs)
        return result

    def steps(
        self, steps: tuple[Step, ...], env: Environment, scope: NameScope, flow: Flow, value: Node, after: bool
    ) -> Node:
        """The value after ``steps``. ``after``: whether a layer follows them in the data's flow."""
        env.work.spend(EXPANDING, len(steps), env.span)
        last: int | None = None
        known = env.kept.follows
        for index, step in enumerate(steps):
            source = source_of(self, step, env, value) if step.named else value
            here = env.at(source.shape[0]) if step.reads_width else env
            if step.when is not None and not here.truth(step.when):
                self.names.leave_out(scope)
                if step.named:
                    leave_out(self, step, env)
                continue
            start = len(self.builder.nodes)
            if known is None and step.has_layer and last is None and not flow.alike:
                last = len(steps) if after else last_layer(steps, index, env)
            follows = known.steps.get(id(step), False) if known is not None else last is not None and index < last
            value = _LOWER[step.kind](self, step, here, scope, flow, source, follows)
            if step.keep or step.share:
                keep(self, step, env, value, start)
        return value

    def scoped(self, steps: tuple[Step, ...], env: Environment, scope: NameScope, flow: Flow, value: Node) -> Node:
        """The value after all steps of a block or a shortcut, which sees only names of its own."""
        open_scope(self, steps, env, flow, False)
        return self.steps(steps, env, scope, flow, value, False)

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
        values = over(operation, given, read_arguments(operation, step.arguments, env))
        warn_of_groups(self.faults, operation, step.arguments.get("groups"), env, value)
        made = self.operation(operation, operation.settled(values, (value.shape,), len(self.builder.input) - 1))
        return self.add(made, reads(self, step, env, value), scope, env, step, name=step.name, terms=step.arguments)

    def _group(self, step: Step, env: Environment, scope: NameScope, flow: Flow, value: Node, after: bool) -> Node:
        inner = self._open(scope, "sequence", env, step, step.name) if step.name else scope
        return self.steps(step.steps or (), env, inner, flow, value, after)

    def _merge(self, step: Step, env: Environment, scope: NameScope, flow: Flow, value: Node, after: bool) -> Node:
        results = [node for name in step.values for node in read_all(self, name, env, value)]
        for branch in step.branches:
            if branch.when is not None and not env.truth(branch.when):
                continue
            inner = self._open(scope, "branch", env, step, branch.name) if branch.name else scope
            result = self.steps(branch.steps, inside_branch(branch, env), inner, flow, value, after)
            if result is value and (cause := left_out_by(branch.steps, env)):
                help = "write `{when: ..., steps: [...]}` to leave the branch out, or `[]` to pass its input on"
                raise self.emptied("every step of this branch", branch.span, env, help, cause)
            results.append(result)
        if not results:
            help, what = "give the merge itself a `when`, or keep one branch", f"every branch of this `{step.word}`"
            if step.values:
                help, what = "let `times` be at least 1, or name one more value", f"every value of this `{step.word}`"
            raise self.emptied(what, step.span, env, help, "`times: 0`" if step.values else "`when`")
        assert step.operation
        made = self.operation(step.operation, read_arguments(step.operation, step.arguments, env))
        return self.add(made, tuple(results), scope, env, step, name=step.name, terms=step.arguments)

    def _call(self, step: Step, env: Environment, scope: NameScope, flow: Flow, value: Node, after: bool) -> Node:
        fragment = step.definition
        assert fragment
        # A step's own name is not a template, which could read the fragment's.
        values = env.values if step.name else {**env.values, "name": fragment.name}
        inner = self.names.open(scope, "fragment", values, self.provenances.of(step, env).span, step.name)
        entered, start = enter_fragment(fragment, step, env, value.shape[0]), len(self.builder.nodes)
        open_scope(self, fragment.steps, entered, flow, after)
        inputs = give_inputs(self, step, env, entered, value)
        result = self.steps(fragment.steps, entered, inner, flow, value, after)
        if inner is not scope:
            given = bound(fragment, entered)
            self.regions.add("fragment", fragment.name, inner, start, value, result, step.span, given, inputs=inputs)
        return result

    def _open(self, scope: NameScope, kind: str, env: Environment, step: Step, name: str) -> NameScope:
        return self.names.open(scope, kind, env.values, self.provenances.of(step, env).span, name)

    def _layer(self, step: Step, env: Environment, scope: NameScope, flow: Flow, value: Node, after: bool) -> Node:
        inner = self._open(scope, "layer", env, step, step.name)
        last, begins = not after, flow.activated is None and value is flow.source
        source, start = value, len(self.builder.nodes)
        if last:
            self.sharing.end(start, flow.end(step, env))
        for part in flow.order.last if last else flow.order.layer:
            if part == "conv":
                if begins:
                    flow.activated = value
                value = self._weights_of(step, env, inner, flow, value, after)
            elif not (last and part in flow.omit_last):
                value = self.part(part, self.layer_setting(part, step, env, flow, value), env, inner, step, value)
            elif own := step.settings and step.settings.get(part):
                warn_of_omitted(self.faults, part, own, env)
        if inner is not scope:
            self.regions.add("layer", "layer", inner, start, source, value, step.span)
        return value

    def _weights_of(self, step: Step, env: Environment, scope: NameScope, flow: Flow, value: Node, after: bool) -> Node:
        """The convolution of a layer, or the steps of its ``of``."""
        if step.steps is not None:
            result = self.steps(step.steps, env, scope, flow, value, after)
            if result is value and (cause := left_out_by(step.steps, env)):
                what = "every step under `of` of this layer"
                raise self.emptied(what, step.span, env, "give the layer a `when`", cause)
            return result
        assert step.operation
        values = step.operation.settled(read_arguments(step.operation, step.arguments, env), (value.shape,))
        warn_of_groups(self.faults, step.operation, step.arguments.get("groups"), env, value)
        return self.add(self.operation(step.operation, values), (value,), scope, env, step, terms=step.arguments)

    def layer_setting(self, key: str, step: Step, env: Environment, flow: Flow, value: Node) -> Mapping[str, Any]:
        """The setting of a layer's norm or activation, which reads ``value``: its own over the one in force."""
        values = in_force = flow.setting(key)
        own = step.settings.get(key) if step.settings else None
        if own:
            env = env.at(value.shape[0]) if step.reads_width else env
            values = read_setting(own, key, env)
            warn_of_groups(self.faults, operations()[key], own.arguments.get("groups"), env, value)
            if not own.typed and in_force["type"] != NONE:
                values["type"] = in_force["type"]
            if values["type"] == in_force["type"]:
                values = over(operations()[key], in_force, values)
        return values

    def part(
        self, key: str, values: Mapping[str, Any], env: Environment, scope: NameScope, at: Step | Block, value: Node
    ) -> Node:
        """A norm or an activation by its evaluated setting; the value itself where the word is ``none``."""
        if values["type"] == NONE:
            return value
        operation = operations()[key]
        return self.add(self.operation(operation, operation.settled(values, (value.shape,))), (value,), scope, env, at)

    def lose(self, fault: Diagnostic) -> None:
        """Note a value that is not there, once for a place; what does not fit after it is not told."""
        if (place := (fault.code, fault.span)) not in self.lost:
            self.faults.add(fault)
            self.lost.add(place)

    def emptied(self, what: str, span: Span, env: Environment, help: str, cause: str = "`when`") -> SpecError:
        """The fault of a part of which its ``cause`` leaves nothing, although its place needs a value of its own."""
        return SpecError([*self.faults, env.located("E315", f"{cause} leaves out {what}", Term(span), help)])

    def operation(self, operation: type[Operation], values: Mapping[str, Any]) -> Operation:
        """The operation with these arguments. The same ones are one object: a deep network repeats few of them."""
        kind: Any = operation  # mypy calls the class of a frozen dataclass unhashable
        # 0.0 and -0.0 are equal, and so are 1 and 1.0; their texts are not.
        key = (kind, *values.items(), *[str(values[name]) for name in numbers_of(kind) if name in values])
        made = self.made.get(key)
        if made is None:
            made = self.made[key] = operation(**values)
            if doubts := doubtful(made, values):
                self.doubts[id(made)] = doubts
        return made

    def add(
        self,
        operation: Operation,
        inputs: tuple[Node, ...],
        scope: NameScope,
        env: Environment,
        at: Step | Block,
        *,
        name: str = "",
        terms: Mapping[str, Term] | None = None,
    ) -> Node:
        """A node, named in its scope. A shape that does not fit becomes a diagnostic with the chain that led to it.

        Args:
            at: the step that it comes from, or the block, if the block puts it around its steps.
            terms: the arguments of the operation as they are written.
        """
        provenance = self.provenances.of(at, env)
        path = self.names.node(scope, operation, name, env.values, provenance.span)
        if terms and "out" in terms:
            self.lineage.channels[path] = (terms["out"], env)
        try:
            made = self.builder.add(path, operation, inputs, provenance)
        except ShapeFault as fault:
            return misfit(self, fault, path, operation, inputs, env, at, terms or {})
        if self.doubts and id(operation) in self.doubts:  # told once, for the first node that has it
            for doubt in self.doubts.pop(id(operation)):
                term = doubted_term(doubt, operation, at, terms, env) or Term(provenance.span)
                self.faults.add(doubt_told(doubt, env.blame(term)))
        return made


Lower = Callable[[Sequences, Step, Environment, NameScope, Flow, Node, bool], Node]
_LOWER: Mapping[str, Lower] = {
    "operation": Sequences._operation,
    "layer": Sequences._layer,
    "merge": Sequences._merge,
    "sequence": Sequences._group,
    "repeat": repeat,
    "fragment": Sequences._call,
    "blocks": blocks,
    "naming": lambda sequences, step, env, scope, flow, value, after: value,
}
