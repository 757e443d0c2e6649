"""Blocks that repeat: a block becomes a copy of the one before it where nothing that it reads differs.

A stage of a deep network repeats the same block many times. Whether two blocks are equal is decided from what is
written, so that a copy is exactly what lowering the block would give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from archspec.diagnostics import Diagnostic, SpecError
from archspec.graph.block_settings import PER_BLOCK, setting_in_force
from archspec.graph.builder import too_many_nodes
from archspec.graph.graph import Node, Region
from archspec.graph.named_regions import Copied
from archspec.graph.names import NameScope
from archspec.graph.sequences import Sequences
from archspec.language.expressions.values import Value
from archspec.language.spec import SETTINGS, Block, Setting, Spec, Stage, Term
from archspec.operations.shapes import ShapeFault
from archspec.work import ENTRIES, EXPANDING, STEPS_OF_A_COPY


@dataclass(frozen=True)
class Original:
    """A block that others copy: its region, those inside it, the value that it reads, its nodes, and its scopes.

    ``weights`` are the elements of its weights. ``values`` are those of the names in it, for the template that names
    the copies.
    """

    region: Region
    named: tuple[Region, ...]
    source: Node
    nodes: tuple[Node, ...]
    scopes: tuple[NameScope, ...]
    weights: int
    values: Mapping[str, Value]

    @cached_property
    def cost(self) -> int:
        """The steps of work that a copy takes."""
        names = sum([len(node.name) for node in self.nodes]) // ENTRIES
        return 10 + STEPS_OF_A_COPY * len(self.nodes) + names + 4 * len(self.scopes)

    def copy(self, sequences: Sequences, scope: NameScope, value: Node) -> tuple[Node, Region]:
        """The copy in ``scope``, which reads ``value``: its result, and where its nodes lie."""
        builder, names = sequences.builder, sequences.names
        start, old, new = len(builder.nodes), len(self.region.scope), scope.path
        builder.work.spend(EXPANDING, self.cost, self.region.span)
        if start + len(self.nodes) > builder.limits.nodes:
            raise too_many_nodes(builder.limits.nodes, self.region.span)
        try:
            builder.grow(self.weights)
        except ShapeFault as fault:
            raise SpecError(
                [Diagnostic(fault.code, fault.message, self.region.span, help=fault.help, mentions=fault.mentions)]
            ) from None
        made, channels = {self.source.name: value.name}, sequences.lineage.channels
        kept, sharing = sequences.kept_names, sequences.sharing
        for name, operation, read, shape, provenance in self.nodes:
            copied = made[name] = new + name[old:]
            inputs = (made[read[0]],) if len(read) == 1 else tuple([made[source] for source in read])
            builder.nodes.append(Node(copied, operation, inputs, shape, provenance))
            names.take(copied, provenance.span if provenance else None)
            if name in channels:
                channels[copied] = channels[name]
            if name in kept:
                kept[copied] = kept[name]
            sharing.copied(name, copied, old, new)
        for opened in self.scopes:
            names.reopen(opened, new + opened.path[old:])
        end, ends, like = len(builder.nodes), (value.name, made[self.region.result]), self.region
        if self.named:
            sequences.regions.found.append(Copied(self.named, like, new, start, value.name))
        region = Region("block", new, like.name, start, end, *ends, like.span, like.shortcut, like.values, like.given)
        return builder.nodes[-1] if self.nodes else value, region


def names_repeat(spec: Spec) -> bool:
    """Whether the names inside a block are the same in every block of a stage, and its scope is its own."""
    inside = (template for key, template in spec.naming.items() if key not in ("stage", "block"))
    return "block" in spec.naming and all(template.names.isdisjoint(PER_BLOCK) for template in inside)


def block_repeats(stage: Stage, spec: Spec) -> bool:
    """Whether the blocks of a stage, from the second on, can differ only by the value that reaches them, and by what
    their shortcut reads: which one it is follows from values that are known in the block.
    """
    if stage.blocks.by_block or len(stage.blocks.entries) != 1:
        return False
    block: Block = stage.blocks.entries[0]
    if not block.reads.isdisjoint(PER_BLOCK):
        return False
    cells = [cell for key, cell in stage.cells.items() if key not in ("before", "after", "name", "count")]
    if any(cell.by_block for cell in cells):
        return False
    settings = [setting_in_force(spec, key, stage, block, 0) for key in SETTINGS]
    entries: list[Term | Setting | None] = [entry for cell in cells for entry in cell.entries]
    written = (*entries, *settings, *block.params.values())
    return all(each.reads.isdisjoint(PER_BLOCK) for each in written if each)
