"""What ``archspec build`` shows: the stages with their costs, and what became of weights, as text and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.analysis.report import Report
from archspec.diagnostics import Diagnostic
from archspec.display import counted, plain
from archspec.graph.graph import Graph
from archspec.operations.shapes import show_shape

from .analysis_text import part_table
from .render import Terminal, put, short
from .spelling import as_json
from .tables import put_keys, put_table, size_of

if TYPE_CHECKING:
    from archspec.weights import Loaded


def put_report(costs: Report, loaded: Loaded | None) -> None:
    """Print the stages, the totals of the network, and what became of weights."""
    totals = costs.totals
    put(f"{costs.name}: {show_shape(costs.input)} to {show_shape(costs.output)}\n")
    rows = [row[:7] for row in part_table(costs, costs.rows, "stage")]
    put_table([("stage", *rows[0][1:]), *rows[1:]], right=(2, 3, 4, 5, 6), header=True, total=True)
    counts = f"{totals.costs.params:,} parameters, {short(totals.costs.macs)} MACs, {counted(totals.layers, 'layer')}"
    put(f"\n{counts}\n{counted(totals.nodes, 'node')}, every shape confirmed by torch\n")
    if loaded:
        _put_loaded(loaded)


def _put_loaded(loaded: Loaded) -> None:
    """Print how many keys were loaded, and which were initialized or not used."""
    put(f"weights of {Terminal.of(sys.stdout).safe(str(loaded.file))}")
    put(f"  {counted(len(loaded.loaded), 'key')} loaded")
    shapes = {key: f"{size_of(ours)}, in the file {size_of(theirs)}" for key, (theirs, ours) in loaded.reshaped.items()}
    _put_keys("initialized", [(key, shapes.get(key, "")) for key in loaded.initialized])
    _put_keys("of the file not used", [(key, "") for key in loaded.unused])
    put("")


def _put_keys(what: str, rows: Sequence[tuple[str, str]]) -> None:
    if not rows:
        return
    put(f"  {counted(len(rows), 'key')} {what}")
    put_keys(rows, indent="    ")


def put_saved(output: Path, kind: str) -> None:
    size = short(output.stat().st_size)
    put(Terminal.of(sys.stdout).safe(f"Saved {output}: {size}B of {kind}weights, with the spec in their metadata."))


# -- JSON --------------------------------------------------------------------------------------------------------------


def build_json(
    graph: Graph,
    costs: Report,
    spec: str,
    output: Path | None,
    loaded: Loaded | None,
    diagnostics: Iterable[Diagnostic],
) -> dict[str, Any]:
    totals = costs.totals
    stages = [(row.name, row.as_data()) for row in costs.rows]
    return {
        "spec": spec,
        "valid": True,
        "name": graph.name,
        "hash": graph.fingerprint,
        **plain(graph, "input", "output"),
        **plain(totals.costs, "params", "macs"),
        **plain(totals, "layers", "nodes"),
        "stages": [
            {"scope": scope, **{name: data[name] for name in ("block", "count", "output", "params", "macs")}}
            for scope, data in stages
        ],
        "weights": loaded.as_data() if loaded else None,
        "saved": str(output) if output else None,
        "diagnostics": as_json(diagnostics),
    }
