"""The network that a file of weights records: whether the weights are those of the network that loads them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from archspec.analysis.key_changes import key_changes
from archspec.diagnostics import Diagnostic, Mention, Source, SpecError, cut
from archspec.graph.computations import computations
from archspec.graph.graph import Graph
from archspec.language.load import load
from archspec.language.spec import Spec
from archspec.passes.compiling import compile
from archspec.weights.misfits import TRANSFER

SUFFIX = ".safetensors"

NO_DIFFERENCE = frozenset({"input", "classes"})
"""Keys whose values may differ: other shapes are refused elsewhere, and equal ones come to the same."""

MOST = 3
"""How many keys a message lists."""


class RecordedNetwork(NamedTuple):
    """What a file of weights says of its network: the name, the hash, and the spec as text."""

    name: str
    hash: str
    text: str

    def spec(self, *overrides: str) -> Spec:
        """The spec.

        Raises:
            SpecError: the text is not a spec here.
        """
        return load(Source(f"the spec of {self.name}", self.text, "text"), overrides=overrides)


def recorded(file: str | None) -> RecordedNetwork | None:
    """What a file of safetensors that was read before says of its network; None if it says nothing."""
    if file is None or not file.endswith(SUFFIX):
        return None
    with Path(file).open("rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    about: Any = header.get("__metadata__") or {}
    found = [about.get(key) for key in ("name", "hash", "archspec")]
    return RecordedNetwork(*found) if all(found) else None


def of_another(graph: Graph, record: RecordedNetwork | None) -> Iterator[Diagnostic]:
    """The warning that weights whose keys and shapes fit are those of a network that computes something else.

    The spec of the file is compiled for the input and the classes of ``graph``. What counts is the computation up to
    each key that both have, in inference.
    """
    theirs = None if record is None or record.hash == graph.fingerprint else _for_ours(graph, record)
    if record is None or theirs is None:
        return
    ours, others = computations(graph), computations(theirs)
    first = next((name for name in ours if name in others and ours[name] != others[name]), None)
    if first is None:
        return
    where = _where(graph, theirs) or f"the first difference is in or before `{first}`"
    message = f"the weights are those of another network, `{cut(record.name)}`, with the same keys and shapes: {where}"
    help = f"load them into the spec that they were saved from; if you mean this one, {TRANSFER.text} says so"
    place = graph.by_name[first].span
    yield Diagnostic("W824", message, place, f"`{first}` reads something else", help=help, mentions=(TRANSFER,))


def same_but_for_shapes(graph: Graph, record: RecordedNetwork | None) -> tuple[str, tuple[Mention, ...]]:
    """A help for weights of this very network with another input or other classes; empty if they are not."""
    theirs = None if record is None or not graph.origin else _for_ours(graph, record)
    if record is None or theirs is None or computations(theirs) != computations(graph):
        return "", ()
    spec, own = record.spec(), graph.origin
    assert own is not None
    changes: dict[str, Any] = {}
    if tuple(spec.input) != tuple(graph.input):
        changes["input"] = list(spec.input)
    if spec.classes != own.classes:
        changes["classes"] = spec.classes
    if not changes:
        return "", ()
    words = " --set ".join(shlex.quote(f"{key}={value}") for key, value in changes.items())
    asked = Mention("overrides", f"`overrides={changes}`", words)
    listed = " and ".join(changes)
    return f"they are of this network with another value of {listed}: build it with {asked.text}", (asked,)


def _for_ours(graph: Graph, record: RecordedNetwork) -> Graph | None:
    """The recorded network for the input and the classes of a graph; None if there is none."""
    classes = graph.origin.classes if graph.origin else None
    try:
        spec = record.spec(f"input={list(graph.input)}", *([] if classes is None else [f"classes={classes}"]))
        return compile(spec)
    except SpecError:
        return None


def _where(graph: Graph, theirs: Graph) -> str:
    """The keys of the specs that differ, with their values where these are short."""
    found = [
        (key, before, after)
        for key, before, after in key_changes(theirs.origin, graph.origin)
        if key not in NO_DIFFERENCE and not key.startswith("init.")
    ]
    texts = [f"`{cut(key)}`{_values(before, after)}" for key, before, after in found[:MOST]]
    more = f" and {len(found) - MOST} more" if len(found) > MOST else ""
    return f"they differ in {', '.join(texts)}{more}" if texts else ""


def _values(before: object, after: object) -> str:
    if any(isinstance(value, Mapping | list) for value in (before, after)):
        return ""
    there, here = ("not written" if value is None else f"`{cut(str(value), 30)}`" for value in (before, after))
    return f" ({there} there, {here} here)"
