"""Blocks that repeat: a block becomes a copy of the one before it where nothing that it reads differs.

A stage of a deep network is one block many times over. What makes two blocks equal is decided from what is written, so
that a copy is exactly what lowering the block would give.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from archspec.diagnostics import Diagnostic, SpecError
from archspec.graph.block_settings import PER_BLOCK, setting_in_force
from archspec.graph.graph import Node, Region, too_many_nodes
from archspec.graph.names import NameScope
from archspec.graph.sequences import Sequences
from archspec.language.expressions.parser import Expression
from archspec.language.expressions.values import Value
from archspec.language.spec import SETTINGS, Block, Setting, Shortcut, Spec, Stage, Step, Template, Term
from archspec.operations.shapes import ShapeFault


@dataclass(frozen=True, slots=True)
class Original:
    """A block that others copy: its region, the value that it reads, its nodes, and the scopes opened inside it.

    ``weights`` are the elements of its weights. ``values`` are those of the names in it, for the template that names
    the copies.
    """

    region: Region
    source: Node
    nodes: tuple[Node, ...]
    scopes: tuple[NameScope, ...]
    weights: int
    values: Mapping[str, Value]

    def copy(self, sequences: Sequences, scope: NameScope, value: Node) -> tuple[Node, Region]:
        """The copy in ``scope``, which reads ``value``: its result, and where its nodes lie."""
        builder, names = sequences.builder, sequences.names
        start, old, new = len(builder.nodes), len(self.region.scope), scope.path
        if start + len(self.nodes) > builder.limits.nodes:
            raise too_many_nodes(builder.limits.nodes, self.region.span)
        try:
            builder.grow(self.weights)
        except ShapeFault as fault:
            raise SpecError(
                [Diagnostic(fault.code, fault.message, self.region.span, help=fault.help, mentions=fault.mentions)]
            ) from None
        made = {self.source.name: value.name}
        for node in self.nodes:
            name = made[node.name] = new + node.name[old:]
            read = node.inputs
            inputs = (made[read[0]],) if len(read) == 1 else tuple([made[source] for source in read])
            builder.nodes.append(Node(name, node.operation, inputs, node.shape, node.provenance))
            names.take(name, node.span)
        for inner in self.scopes:
            names.reopen(inner, new + inner.path[old:])
        channels = sequences.shape_faults.channels
        channels.update({made[node.name]: channels[node.name] for node in self.nodes if node.name in channels})
        end, result = len(builder.nodes), builder.nodes[-1]
        region = replace(
            self.region, scope=new, first=start, last=end, source=value.name, result=made[self.region.result]
        )
        return result, region


class Mark(NamedTuple):
    """How far lowering has come: so many nodes, scopes, elements of weights and faults."""

    nodes: int
    scopes: int
    weights: int
    faults: int


def mark(sequences: Sequences) -> Mark:
    """How far lowering has come."""
    builder = sequences.builder
    return Mark(len(builder.nodes), len(sequences.names.opened), builder.weights, len(sequences.faults.found))


def original_since(
    before: Mark, sequences: Sequences, region: Region, source: Node, values: Mapping[str, Value]
) -> Original | None:
    """The block that was lowered since ``before``; None where it has faults, which every block should tell."""
    now = mark(sequences)
    if now.faults != before.faults:
        return None
    nodes, scopes = tuple(sequences.builder.nodes[before.nodes :]), tuple(sequences.names.opened[before.scopes :])
    return Original(region, source, nodes, scopes, now.weights - before.weights, values)


def names_repeat(spec: Spec) -> bool:
    """Whether the names inside a block are the same in every block of a stage, and its scope is its own."""
    inside = (template for key, template in spec.naming.items() if key not in ("stage", "block"))
    return "block" in spec.naming and all(_template_names(template).isdisjoint(PER_BLOCK) for template in inside)


def block_repeats(stage: Stage, spec: Spec) -> bool:
    """Whether the blocks of a stage, from the second on, can differ only by the value that reaches them."""
    if stage.blocks.by_block or len(stage.blocks.entries) != 1:
        return False
    block: Block = stage.blocks.entries[0]
    if not block.reads.isdisjoint(PER_BLOCK):
        return False
    cells = [cell for key, cell in stage.cells.items() if key not in ("before", "after", "name", "count")]
    if any(cell.by_block for cell in cells):
        return False
    settings = {key: setting_in_force(spec, key, stage, block, 0) for key in SETTINGS}
    setting = settings["shortcut"]
    shortcut = setting.scope.shortcut(str(setting.term.constant))
    if shortcut is None:
        return False
    written = [*(entry for cell in cells for entry in cell.entries), *settings.values(), *block.params.values()]
    return all(_names(entry).isdisjoint(PER_BLOCK) for entry in written) and PER_BLOCK.isdisjoint(
        _step_names(_steps_of(shortcut))
    )


def _names(written: object) -> frozenset[str]:
    """The names that a term or a setting may read; a bare word may be one."""
    if isinstance(written, Setting):
        return frozenset().union(*map(_names, (written.term, *written.arguments.values())))
    return written.reads if isinstance(written, Term) else frozenset()


def _step_names(steps: Iterable[Step]) -> Iterator[str]:
    """The names that steps read, at any depth; inside a fragment nothing of the block is seen."""
    for step in steps:
        for written in (*step.arguments.values(), *(step.settings or {}).values(), step.when):
            yield from _names(written)
        yield from _step_names(step.steps or ())
        for branch in step.branches:
            yield from _step_names(branch.steps)


def _steps_of(shortcut: Shortcut) -> Iterator[Step]:
    for side in (shortcut.same, shortcut.change):
        if side and not isinstance(side, str):
            yield from side


def _template_names(template: Template) -> frozenset[str]:
    return frozenset().union(*(part.names for part in template.parts if isinstance(part, Expression)))
