"""What the model returns: the head's result, or the scopes under ``outputs``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archspec.diagnostics import Diagnostic, SpecError, cut, did_you_mean
from archspec.graph.graph import Node, Region
from archspec.language.spec import Spec


def find_outputs(spec: Spec, nodes: Sequence[Node], regions: Sequence[Region], last: Node) -> dict[str, str]:
    """The names of the nodes that the model returns, by label.

    Raises:
        SpecError: E310, for every scope under ``outputs`` that the network does not have.
    """
    if not spec.outputs:
        return {"output": last.name}
    inside = {node.name for r in regions if r.kind == "block" for node in nodes[r.first : r.last]}
    known = {node.name: node.name for node in nodes if node.name not in inside}
    known.update({region.scope: region.result for region in regions if region.scope})
    missing = [number for number, label in enumerate(spec.outputs) if label not in known]
    if missing:
        stages = ", ".join(region.scope for region in regions if region.kind == "stage")
        raise SpecError([_unknown(spec, number, known, stages) for number in missing])
    return {label: known[label] for label in spec.outputs}


def _unknown(spec: Spec, number: int, known: Iterable[str], stages: str) -> Diagnostic:
    label = spec.outputs[number]
    one = isinstance(spec.document.value["outputs"], str)
    span = spec.document.span(("outputs",) if one else ("outputs", number))
    message = f"the network has no scope `{cut(label)}` that can be returned"
    help = f"the stages are {stages}; a block is `layer1.0`; steps of stem and head have their own names"
    return Diagnostic("E310", message, span, did_you_mean(label, known), help=help)
