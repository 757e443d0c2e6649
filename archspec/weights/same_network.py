"""Whether a model is the network of a spec, so that its weights may be saved with the spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.diagnostics import Mention
from archspec.graph.graph import Graph
from archspec.graph.state import state
from archspec.operations.shapes import Shape
from archspec.weights.adapting import AXIS, adaptable
from archspec.weights.misfits import WRONG, Match, misfits, refused, reshaped
from archspec.weights.selection import Selection, select


def check_model(graph: Graph, given: Mapping[str, Any]) -> None:
    """Refuse the state dict of a model that is not the network of a graph.

    Raises:
        SpecError: E807, one diagnostic each for keys that are missing, extra, or of another shape.
    """
    wanted = state(graph)
    own = select(given, wanted, Selection()).state
    values = {key: own[key] for key in wanted if key in own}
    match = Match(graph.name, wanted, {key: key for key in wanted}, own, values)
    found = misfits(match)
    if not found:
        return
    help = "the model is not the network of the spec"
    changes = _changes(graph, reshaped(match)) if found.keys() == {WRONG} else {}
    if not changes:
        help += ": save it with the spec that it was built from; if its layers were changed since, change the spec too"
        raise refused("the model's weights", match, found, help)
    asked = Mention("overrides", f"`overrides={changes}`", " ".join(f"{key}={value}" for key, value in changes.items()))
    help += f": save it with the spec compiled with {asked.text}, which has these shapes"
    raise refused("the model's weights", match, found, help, (asked,))


def _changes(graph: Graph, others: Mapping[str, tuple[Shape, Shape]]) -> dict[str, Any]:
    """The overrides of the spec that give these other shapes; empty if there are none."""
    if not graph.origin:
        return {}
    firsts, changes = adaptable(graph, others), dict[str, Any]()
    value: Any
    for key, (theirs, ours) in others.items():
        if key in firsts and ours[AXIS] == graph.input[0]:
            name, value = "input", [theirs[AXIS], *graph.input[1:]]
        elif theirs[1:] == ours[1:] and theirs[:1] != ours[:1] == (graph.origin.classes,):
            name, value = "classes", theirs[0]
        else:
            return {}
        if changes.setdefault(name, value) != value:
            return {}
    return changes
