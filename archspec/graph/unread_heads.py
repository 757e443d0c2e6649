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

    A head of a spec that this one extends is not meant, and neither is one that an override of ``outputs`` leaves out:
    they choose from what there is.

    Args:
        begun: the position at which each head begins, by name and in order.
        outputs: the nodes that the model returns.
    """
    own = [name for name in spec.heads if _is_own(spec, name)]
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


def _is_own(spec: Spec, name: str) -> bool:
    source = spec.document.key_span(("heads", name)).source
    if source.kind == "override" or not spec.authors.own(source):
        return source.kind == "override"
    return not any(given.source.text.lstrip().startswith("outputs") for given in spec.authors.given)
