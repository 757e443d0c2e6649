"""Names for the parts of sequences that have no tensors, which no key of the state dict has: a person chooses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from archspec.emit.source.registration import is_numbered, unused
from archspec.graph.graph import Graph
from archspec.graph.patterns import DefinedPart, Definition, Leaf, Use, definitions
from archspec.graph.state import tensors_of


def with_chosen_names(graph: Graph, model: Definition) -> Definition:
    """The model, with sequences whose parts all have numbers, or all have names.

    ``conv, bn, 2`` becomes ``conv, bn, relu``, and ``0, 1, relu`` becomes ``0, 1, 2``.
    """
    made: dict[int, Definition] = {}
    for definition in definitions(model):
        names = _chosen(graph, definition) if definition.kind == "sequential" else {}
        parts = tuple([_renamed(part, names, made) for part in definition.parts])
        made[id(definition)] = replace(definition, parts=parts, result=names.get(definition.result, definition.result))
    return made[id(model)]


def has_tensors(graph: Graph, part: DefinedPart) -> bool:
    """Whether the state dict has a key of a part."""
    if isinstance(part.what, Use):
        return any(has_tensors(graph, inner) for inner in part.what.definition.parts)
    return bool(tensors_of(graph, [node for node in part.what.nodes if node is not None]))


def _chosen(graph: Graph, definition: Definition) -> dict[str, str]:
    """Other names for parts of a sequence without tensors, by their paths."""
    if is_numbered(definition):
        return {}
    fixed = [isinstance(part.what, Use) or has_tensors(graph, part) for part in definition.parts]
    paths = [part.path for part in definition.parts]
    if any(fixed) and all(path == str(place) for place, path in enumerate(paths) if fixed[place]):
        return {path: str(place) for place, path in enumerate(paths)}
    taken, found = set(paths), {}
    for part, is_fixed in zip(definition.parts, fixed, strict=True):
        if not is_fixed and not part.path.isidentifier():
            found[part.path] = unused(_word(part), taken)
            taken.add(found[part.path])
    return found


def _word(part: DefinedPart) -> str:
    """What an operation is, as a name; ``act`` if its class is a parameter."""
    assert isinstance(part.what, Leaf)
    node = next(node for node in part.what.nodes if node is not None)
    return "act" if part.what.target else node.operation.kind


def _renamed(part: DefinedPart, names: Mapping[str, str], made: Mapping[int, Definition]) -> DefinedPart:
    what = part.what
    if isinstance(what, Use):
        what = replace(what, definition=made[id(what.definition)])
    inputs: Sequence[str] = [names.get(path, path) for path in part.inputs]
    path, instead = (names.get(each, each) for each in (part.path, part.instead))
    return replace(part, path=path, inputs=tuple(inputs), what=what, instead=instead)
