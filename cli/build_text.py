"""What ``archspec build`` shows: the stages with their costs, and which weights were loaded, as text and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.analysis.report import Report
from archspec.analysis.text import part_table
from archspec.diagnostics import Diagnostic
from archspec.display import counted, plain, short
from archspec.graph.graph import Graph
from archspec.operations.shapes import show_shape

from .render import Terminal
from .spelling import as_json
from .streams import put
from .tables import put_blocks, put_table

if TYPE_CHECKING:
    from archspec.weights import Loaded


def put_report(report: Report, loaded: Loaded | None) -> None:
    """Print the stages, the totals of the network, and which weights were loaded."""
    put(f"{report.name}: {show_shape(report.input)} to {show_shape(report.output)}\n")
    rows = [row[:7] for row in part_table(report, "stage")]
    put_table([("stage", *rows[0][1:]), *rows[1:]], right=(2, 3, 4, 5, 6), header=True, total=True)
    put(f"\n{report.totals}\n{counted(report.totals.nodes, 'node')}, every shape confirmed by torch\n")
    if loaded:
        put_blocks(loaded.text())
        put("")


def put_saved(output: Path | None, key_map: Path | None, kind: str) -> None:
    """Print which files were written."""
    safe = Terminal.of(sys.stdout).safe
    if key_map:
        put(safe(f"Saved {key_map}: a map of the keys. Check it before you rely on it."))
    if output:
        put(safe(f"Saved {output}: {short(output.stat().st_size)}B of {kind}weights, with the spec in the metadata."))


def build_json(
    graph: Graph, report: Report, spec: str, output: Path | None, loaded: Loaded | None, found: Iterable[Diagnostic]
) -> dict[str, Any]:
    """The same as plain data, for JSON."""
    stages = [{**plain(row, "block", "count", "output"), **plain(row.costs, "params", "macs")} for row in report.rows]
    return {
        "spec": spec,
        "valid": True,
        "name": graph.name,
        "hash": graph.fingerprint,
        **plain(graph, "input", "output"),
        **plain(report.totals.costs, "params", "macs"),
        **plain(report.totals, "layers", "nodes"),
        "stages": [{"scope": row.name, **data} for row, data in zip(report.rows, stages, strict=True)],
        "weights": loaded.as_data() if loaded else None,
        "saved": str(output) if output else None,
        "diagnostics": as_json(found),
    }
