"""What the model returns: the head's result, or the scopes under ``outputs``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archspec.diagnostics import Faults, Span, cut
from archspec.graph.graph import Node, Region
from archspec.graph.kept import Kept
from archspec.graph.scopes import HEAD, ambiguous, by_name, last_of_scopes
from archspec.graph.scopes import parts as extents
from archspec.language.spec import Spec
from archspec.wording import first_of
from archspec.work import OUTPUTS, Work


def find_outputs(
    spec: Spec, nodes: Sequence[Node], regions: Sequence[Region], ends: Mapping[str, Node], kept: Kept, work: Work
) -> dict[str, str]:
    """The names of the nodes that the model returns, by label.

    Args:
        ends: the results of the stem and the head.
        kept: the values that steps of the network's own scope keep by name.

    Raises:
        SpecError: E310, for every name under ``outputs`` that the network does not have, and E316, for one that may
            mean two of its values.
    """
    if not spec.outputs:
        return {"output": ends[HEAD].name}
    work.spend(OUTPUTS, len(spec.outputs) + len(nodes), spec.document.span(("outputs",)))
    known = {region.scope: region.result for region in regions if region.scope} | last_of_scopes(nodes)
    made = {node.name for node in nodes}
    parts = {name: end.name for name, end in ends.items() if end.name in made}
    stages = [region for region in regions if region.kind == "stage"]
    shared = by_name(extents(len(nodes), stages, None))
    parts |= {name: part.stage.result for name, part in shared.items() if part.stage and name not in known}
    parts |= {name: value.node.name for name, value in kept.values.items() if value.node and value.node.name in made}
    faults = Faults(work)
    told = first_of(dict.fromkeys(region.scope for region in stages))
    help = f"the stages are {told}; " if stages else ""
    help += "`outputs` also takes `stem`, `head`, the names of kept values, and the names that "
    help += "`archspec show --graph` prints or their beginnings"
    for number, label in enumerate(spec.outputs):
        if label not in known and label not in parts:
            message = f"the network has no scope `{cut(label)}` that can be returned"
            close = faults.hint(label, [*parts, *known])
            faults.record("E310", message, _written_at(spec, number), close, help=help)
        elif label in parts and known.get(label, parts[label]) != parts[label]:
            faults.add(ambiguous(label, label, _written_at(spec, number)))
    known = parts | known
    faults.raise_errors()
    return {label: known[label] for label in spec.outputs}


def _written_at(spec: Spec, number: int) -> Span:
    one = isinstance(spec.document.value["outputs"], str)
    return spec.document.span(("outputs",) if one else ("outputs", number))
