"""What the model returns: the head's result, or the scopes under ``outputs``."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.diagnostics import Faults, Span, cut
from archspec.graph.graph import Node, Region
from archspec.language.spec import Spec
from archspec.wording import first_of
from archspec.work import ENTRIES, OUTPUTS, Work


def find_outputs(
    spec: Spec, nodes: Sequence[Node], regions: Sequence[Region], last: Node, work: Work
) -> dict[str, str]:
    """The names of the nodes that the model returns, by label.

    Raises:
        SpecError: E310, for every scope under ``outputs`` that the network does not have.
    """
    if not spec.outputs:
        return {"output": last.name}
    work.spend(OUTPUTS, len(spec.outputs) + len(nodes) // ENTRIES, spec.document.span(("outputs",)))
    inside = {node.name for r in regions if r.kind == "block" for node in nodes[r.first : r.last]}
    known = {node.name: node.name for node in nodes if node.name not in inside}
    known.update({region.scope: region.result for region in regions if region.scope})
    faults = Faults(work)
    stages = first_of(region.scope for region in regions if region.kind == "stage")
    help = f"the stages are {stages}; a block is `layer1.0`; steps of stem and head have their own names"
    for number, label in enumerate(spec.outputs):
        if label not in known:
            message = f"the network has no scope `{cut(label)}` that can be returned"
            faults.record("E310", message, _written_at(spec, number), faults.hint(label, known), help=help)
    faults.raise_errors()
    return {label: known[label] for label in spec.outputs}


def _written_at(spec: Spec, number: int) -> Span:
    one = isinstance(spec.document.value["outputs"], str)
    return spec.document.span(("outputs",) if one else ("outputs", number))
