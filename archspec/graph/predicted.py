"""How many nodes a network must have, before any of it is built."""

from __future__ import annotations

from archspec.graph.block_settings import StagePlan
from archspec.graph.builder import too_many_nodes
from archspec.language.extent import extent, largest_repeat
from archspec.language.spec import Spec
from archspec.work import Limits


def refuse_too_many(spec: Spec, plans: list[StagePlan], limits: Limits) -> None:
    """Refuse a network that must pass the limit of nodes before any of it is built.

    Raises:
        SpecError: E601, it must.
    """
    total = 0
    for sequence in (spec.stem, *spec.heads.values(), *([spec.head] if spec.head else ())):
        steps = sequence.all_steps
        total += extent(steps).nodes
        if total > limits.nodes:
            repeat = largest_repeat(steps, limits.nodes)
            raise too_many_nodes(limits.nodes, repeat or sequence.span, "times" if repeat else "count")
    for plan in plans:
        around = plan.around.all_steps if plan.around else ()
        total += extent(around).nodes
        total += plan.count * min((max(block.extent.nodes, 1) for block in plan.stage.blocks.entries), default=1)
        if total > limits.nodes:
            inside = [step for each in plan.stage.blocks.entries for step in each.steps]
            repeat = largest_repeat([*inside, *around], limits.nodes)
            count = plan.stage.cells["count"].span
            raise too_many_nodes(limits.nodes, repeat or count, "times" if repeat else "count")
