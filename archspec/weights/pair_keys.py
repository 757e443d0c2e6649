"""Writing a key map for weights whose tensors agree with a network's in order and shape."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from typing import Any

from archspec.diagnostics import Diagnostic, SpecError, cut
from archspec.graph.graph import Graph
from archspec.graph.state import state
from archspec.import_path import only_installed
from archspec.language.published import NOTHING
from archspec.operations.shapes import show_shape
from archspec.weights.checkpoints import COUNTER
from archspec.weights.fitting import content
from archspec.weights.pairing import pair
from archspec.weights.selection import Selection, select
from archspec.weights.tensors import has_shape, is_tensor


def pair_keys(
    graph: Graph,
    weights: str | os.PathLike[str] | Mapping[str, Any],
    *,
    entry: str | None = None,
    prefix: str | None = None,
    rename: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The key map that pairs weights with a network; see :func:`archspec.pair_keys`."""
    selection = Selection(entry, prefix, rename)
    with only_installed(graph.files):  # a `.pth` is read with torch
        file, found = content(weights, stored=True)
    wanted = state(graph)
    given = select(found, wanted, selection, graph.origin.published if graph.origin else NOTHING).state
    pairs = pair(wanted, given)
    if not pairs:
        raise SpecError([_unpaired(graph, wanted, given)])
    return {"spec": graph.name, "hash": graph.fingerprint, "weights": file, "by": pairs.by, "keys": pairs.keys}


def _unpaired(graph: Graph, wanted: Mapping[str, Any], given: Mapping[Any, Any]) -> Diagnostic:
    ours = [f"`{key}` ({_shape(each)})" for key, each in wanted.items() if not key.endswith(COUNTER)]
    theirs = [f"`{cut(key)}` ({_shape(value)})" for key, value in given.items() if not str(key).endswith(COUNTER)]
    shapes = [[text.rpartition(" ")[2] for text in side] for side in (ours, theirs)]
    places = enumerate(itertools.zip_longest(*shapes))
    place = next((place for place, (left, right) in places if left != right), None)
    if place is None:
        reason = "they agree in order and shape, but the last parts of their names are not consistent"
    else:
        first = [side[place] if place < len(side) else "nothing more" for side in (ours, theirs)]
        reason = f"tensor {place + 1} of {len(ours)} is {first[0]}, but in the file, of {len(theirs)}, it is {first[1]}"
    message = f"the weights cannot be paired with `{graph.name}` by order and shape: {reason}"
    help = "load only the network's part of the file, or write a map by hand; `archspec verify --map` writes one "
    return Diagnostic("E828", message, help=help + "if you have the code of the reference")


def _shape(value: Any) -> str:
    if is_tensor(value) and not has_shape(value):
        return "nested"
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else show_shape(tuple(shape)) if len(shape) else "number"
