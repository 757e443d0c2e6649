"""What the model returns: the results of the heads, or the scopes under ``outputs``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archspec.diagnostics import Diagnostic, Faults, Label, cut
from archspec.graph.graph import Node, Region
from archspec.graph.kept import INSIDE, Kept
from archspec.graph.scopes import HEAD, NO_HEAD, STEM, ambiguous, by_name, last_of_scopes
from archspec.graph.scopes import parts as extents
from archspec.language.returned import Returned
from archspec.language.spec import Spec
from archspec.wording import in_code
from archspec.work import OUTPUTS, Work

PRINTED = "the names that `archspec show --graph` prints or their beginnings"


def find_outputs(
    spec: Spec, nodes: Sequence[Node], regions: Sequence[Region], ends: Mapping[str, Node], kept: Kept, work: Work
) -> dict[str, str]:
    """The names of the nodes that the model returns, by label.

    Args:
        ends: the results of the stem and the heads.
        kept: the values that steps of the network's own scope keep by name.

    Raises:
        SpecError: E310, for every name under ``outputs`` that the network does not have, and E316, for one that may
            mean two of its values.
    """
    if not spec.outputs:
        heads = {name: end.name for name, end in ends.items() if name != STEM}
        return heads if spec.heads else {"output": heads[HEAD]}
    work.spend(OUTPUTS, len(spec.outputs) + len(nodes), spec.document.span(("outputs",)))
    known = {region.scope: region.result for region in regions if region.scope} | last_of_scopes(nodes)
    made = {node.name for node in nodes}
    parts = {name: end.name for name, end in ends.items() if end.name in made}
    stages = [region for region in regions if region.kind == "stage"]
    shared = by_name(extents(len(nodes), stages, {}))
    parts |= {
        name: part.stage.result for name, part in shared.items() if part.stage and name not in {*known, *spec.heads}
    }
    single = {name: value.node.name for name, value in kept.values.items() if value.node and value.node.name in made}
    parts |= single
    faults = Faults(work)
    named = {"stages": [region.scope for region in stages], "heads": spec.heads, "kept values": single}
    help = "".join([f"the {what} are {in_code(dict.fromkeys(names))}; " for what, names in named.items() if names])
    ends_here = "".join([f"`{part}`, " for part in (STEM, HEAD) if part in parts])
    help += f"`outputs` also takes {ends_here}{'and ' if ends_here else ''}{PRINTED}"
    asked = [each for each in spec.outputs if not (each.training and each.name in kept.left_out)]
    for each in asked:
        name = each.name
        if name not in known and name not in parts:
            missing = NO_HEAD if name == HEAD and spec.heads else help
            faults.add(_unknown(each, kept, faults.hint(name, [*parts, *known]), missing))
        elif name in parts and known.get(name, parts[name]) != parts[name]:
            faults.add(ambiguous(name, "head" if name in spec.heads else name, each.span))
    known = parts | known
    faults.raise_errors()
    return {each.label: known[each.name] for each in asked}


def _unknown(output: Returned, kept: Kept, hint: str, help: str) -> Diagnostic:
    if found := kept.inside(output.name):
        span, place = found
        told, help = INSIDE[place]
        message = f"`{cut(output.name)}` is kept inside a {place}, so the model cannot return it"
        return Diagnostic("E310", message, output.span, labels=(Label(span, told),), help=help)
    return Diagnostic(
        "E310", f"the network has no scope `{cut(output.name)}` that can be returned", output.span, hint, help=help
    )
