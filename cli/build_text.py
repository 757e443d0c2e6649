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
from archspec.operations.shapes import Shape, show_shape, size_of

from .render import Terminal
from .spelling import as_json
from .streams import put
from .tables import put_keys, put_table

if TYPE_CHECKING:
    from archspec.weights import Loaded


def put_report(report: Report, loaded: Loaded | None) -> None:
    """Print the stages, the totals of the network, and which weights were loaded."""
    put(f"{report.name}: {show_shape(report.input)} to {show_shape(report.output)}\n")
    rows = [row[:7] for row in part_table(report, "stage")]
    put_table([("stage", *rows[0][1:]), *rows[1:]], right=(2, 3, 4, 5, 6), header=True, total=True)
    put(f"\n{report.totals}\n{counted(report.totals.nodes, 'node')}, every shape confirmed by torch\n")
    if loaded:
        _put_loaded(loaded)


def _put_loaded(loaded: Loaded) -> None:
    """Print how many keys were loaded, and which keys were initialized or not used."""
    put(f"weights of {Terminal.of(sys.stdout).safe(str(loaded.file))}")
    put(f"  {counted(len(loaded.loaded), 'key')} loaded")
    if loaded.outside:
        put(Terminal.of(sys.stdout).safe(f"  {counted(len(loaded.outside), 'key')} outside `{loaded.prefix}` not read"))
    rows = [(key, _adapted(theirs, ours)) for key, (theirs, ours) in loaded.adapted.items()]
    put_keys(f"  {counted(len(rows), 'key')} adapted to the channels of the input", rows, indent="    ")
    shapes = {key: f"{size_of(ours)}, in the file {size_of(theirs)}" for key, (theirs, ours) in loaded.reshaped.items()}
    skipped = (loaded.skipped, "of the file skipped, as `weights.skip` of the spec says")
    for keys, what in ((loaded.initialized, "initialized"), (loaded.unused, "of the file not used"), skipped):
        rows = [(key, shapes.get(key, "") if keys is loaded.initialized else "") for key in keys]
        put_keys(f"  {counted(len(keys), 'key')} {what}", rows, indent="    ")
    put("")


def _adapted(theirs: Shape, ours: Shape) -> str:
    """What became of the filters of a convolution that has another number of input channels."""
    before, after = theirs[1], ours[1]
    scaled = f"filters {'repeated' if after > before else 'cut'} and scaled by {before}/{after}"
    how = f"filters summed over {before} channels" if after == 1 else scaled
    return f"{size_of(ours)}, in the file {size_of(theirs)}; {how}"


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
