"""The steps of the stage table to nodes: those before and after a stage, and those around its blocks."""

from __future__ import annotations

from typing import Literal

from archspec.graph.block_settings import OF_STEPS, StagePlan, block_environment, ends, setting_in_force, starts
from archspec.graph.blocks import Blocks
from archspec.graph.graph import Node, Region
from archspec.graph.group_widths import warn_of_setting
from archspec.graph.kept import Kept
from archspec.graph.named_steps import open_edge, open_scope
from archspec.graph.names import NameScope
from archspec.graph.orders import OUTSIDE, Flow, LowerBlocks
from archspec.graph.parameters import read_setting
from archspec.graph.provenance import Site
from archspec.graph.sequences import Sequences
from archspec.language.spec import Sequence, Spec
from archspec.language.wrappers import place_of_blocks


def side(
    spec: Spec,
    sequences: Sequences,
    kept: Kept,
    key: Literal["before", "after"],
    plan: StagePlan,
    index: int,
    value: Node,
) -> Node:
    """The sequence before a stage's first block, or after its last, which is block ``index``."""
    cell = plan.stage.cells.get(key)
    sequence: Sequence | None = cell.at(0) if cell else None
    return value if sequence is None else _lowered(spec, sequences, key, plan, index, value, kept=kept)


def blocks_of_stage(
    spec: Spec, sequences: Sequences, blocks: Blocks, plan: StagePlan, scope: NameScope, value: Node
) -> tuple[Node, list[Region]]:
    """The blocks of a stage with the steps around them: the result, and where the nodes of each block lie."""
    found: list[Region] = []

    def inside(scope: NameScope, value: Node) -> list[Node]:
        with spec.authors.inside(plan.stage.blocks.span):
            results, regions = blocks.stage(plan, scope, value)
        found.extend(regions)
        return results

    around = plan.around
    if around is None:
        return inside(scope, value)[-1], found
    if starts(around):
        blocks.last_order = OF_STEPS
    result = _lowered(spec, sequences, "around", plan, 0, value, inside=inside, scope=scope)
    if not found:
        help = "give the steps beside `blocks` this condition, and not the step itself"
        raise sequences.emptied("the blocks of this stage", place_of_blocks(around), plan.root, help)
    if ends(around):
        blocks.last_order = OF_STEPS
    return result, found


def _lowered(
    spec: Spec,
    sequences: Sequences,
    key: Literal["before", "after", "around"],
    plan: StagePlan,
    index: int,
    value: Node,
    *,
    kept: Kept | None = None,
    inside: LowerBlocks | None = None,
    scope: NameScope | None = None,
) -> Node:
    """A sequence of the table, in a scope of its own or in that of the stage.

    Args:
        index: the block whose place its expressions see.
        kept: the values of the network, for steps that see them.
        inside: what lowers the blocks of the stage.
    """
    sequence: Sequence = plan.stage.cells[key].at(0)
    env = block_environment(spec, plan, index, value, beside=True)
    env.place = Site(env.place.cell, (key,))
    scope = scope or sequences.names.open(sequences.names.backbone, key, env.values, sequence.span)
    settings = {name: setting_in_force(spec, name, plan.stage, None, index) for name in ("norm", "act")}
    norm, act = (read_setting(setting, name, env) for name, setting in settings.items())
    env.values.update(norm=norm["type"], act=act["type"])  # as its steps take them, not as the block does
    start, flow = len(sequences.builder.nodes), Flow(OUTSIDE, norm, act, blocks=inside)
    if kept:
        open_edge(sequences, sequence, env, flow, kept)
    else:
        open_scope(sequences, sequence.steps, env, flow, False)
    value = sequences.sequence(sequence, env, scope, flow, value, "fragment" if key == "around" else key)
    warn_of_setting(sequences.faults, settings["norm"], env, sequences.builder.nodes[start:])
    return value
