"""A warning for heads of several whose results are neither returned nor read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from archspec.diagnostics import Faults, Label, cut
from archspec.graph.graph import Node
from archspec.language.silence import unless_meant
from archspec.language.spec import Spec
from archspec.work import OUTPUTS

HELP = "name it under `outputs`, or remove it"


def warn_of_unread_heads(
    spec: Spec, nodes: Sequence[Node], begun: Mapping[str, int], outputs: Collection[str], faults: Faults
) -> None:
    """Warn of each head under ``heads`` without a node that an output needs.

    The heads of a spec that this one extends get no warning. Nor do the spec's own heads if an override sets
    ``outputs``: both choose from what there is.

    Args:
        begun: the position at which each head begins, by name and in order.
        outputs: the nodes that the model returns.
    """
    chosen = any(each.span.source.kind == "override" for each in spec.outputs)
    own = [name for name in spec.heads if _is_own(spec, name, chosen)]
    if not own or not spec.outputs:
        return
    faults.work.spend(OUTPUTS, len(nodes), spec.document.span(("outputs",)))
    needed = set(outputs)
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(node.inputs)
    ends = dict(zip(begun, [*begun.values(), len(nodes)][1:], strict=True))
    for name in own:
        inside = nodes[begun[name] : ends[name]]
        if inside and not any(node.name in needed for node in inside):
            message = f"nothing returns or reads the head `{cut(name)}`, so it is left out"
            span, labels = spec.document.key_span(("heads", name)), (Label(spec.document.span(("outputs",)), ""),)
            faults.record("W310", message, span, labels=labels, help=unless_meant("W310", HELP))


def _is_own(spec: Spec, name: str, chosen: bool) -> bool:
    """Whether a head is written where ``outputs`` could name it; ``chosen``: an override sets ``outputs``."""
    source = spec.document.key_span(("heads", name)).source
    return source.kind == "override" or (spec.authors.own(source) and not chosen)
