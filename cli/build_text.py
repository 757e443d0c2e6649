"""What ``archspec build`` shows: the stages with their costs, and what became of weights, as text and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.analysis.parts import Part
from archspec.analysis.report import Report
from archspec.diagnostics import Diagnostic
from archspec.graph.graph import Graph
from archspec.operations.shapes import show_shape

from .render import Terminal, as_json, counted, put, short
from .tables import put_keys, put_table

if TYPE_CHECKING:
    from archspec.weights import Loaded


def put_report(costs: Report) -> None:
    """Print the stages, and the totals of the network."""
    totals = costs.totals
    put(f"{costs.name}: {show_shape(costs.input)} to {show_shape(costs.output)}\n")
    put_table(_stage_table(costs), right=(2, 3, 4, 5, 6), header=True, total=True)
    counts = f"{totals.costs.params:,} parameters, {short(totals.costs.macs)} MACs, {counted(totals.layers, 'layer')}"
    put(f"\n{counts}\n{counted(totals.nodes, 'node')}, every shape confirmed by torch\n")


def _stage_table(costs: Report) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = [("stage", "block", "count", "output", "params", "share", "MACs")]
    whole = costs.totals.costs
    for row in costs.rows:
        share = f"{100 * row.costs.params / whole.params:.1f}%" if whole.params else "-"
        count = str(row.count) if row.count else ""
        figures = (f"{row.costs.params:,}", share, short(row.costs.macs))
        lines.append((row.label, row.block, count, show_shape(row.output), *figures))
    lines.append(("total", "", "", show_shape(costs.output), f"{whole.params:,}", "100.0%", short(whole.macs)))
    return lines


def put_loaded(loaded: Loaded) -> None:
    """Print how many keys were loaded, and which were initialised or not used."""
    put(f"weights of {Terminal.of(sys.stdout).safe(str(loaded.file))}")
    put(f"  {counted(len(loaded.loaded), 'key')} loaded")
    shapes = {key: f"{_shape(ours)}, in the file {_shape(theirs)}" for key, (theirs, ours) in loaded.reshaped.items()}
    _put_keys("initialised", [(key, shapes.get(key, "")) for key in loaded.initialised])
    _put_keys("of the file not used", [(key, "") for key in loaded.unused])
    put("")


def _put_keys(what: str, rows: Sequence[tuple[str, str]]) -> None:
    if not rows:
        return
    put(f"  {counted(len(rows), 'key')} {what}")
    put_keys(rows, indent="    ")


def _shape(shape: tuple[int, ...]) -> str:
    return show_shape(shape) if shape else "a number"


# -- JSON --------------------------------------------------------------------------------------------------------------


def build_json(
    graph: Graph,
    costs: Report,
    spec: str,
    output: Path | None,
    loaded: Loaded | None,
    diagnostics: Iterable[Diagnostic],
) -> dict[str, Any]:
    return {
        "spec": spec,
        "valid": True,
        "name": graph.name,
        "hash": graph.fingerprint,
        "input": list(graph.input),
        "output": list(graph.output),
        "params": costs.totals.costs.params,
        "macs": costs.totals.costs.macs,
        "layers": costs.totals.layers,
        "nodes": costs.totals.nodes,
        "stages": [_part(row) for row in costs.rows],
        "weights": _loaded(loaded) if loaded else None,
        "saved": str(output) if output else None,
        "diagnostics": [as_json(diagnostic) for diagnostic in diagnostics],
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "scope": part.name,
        "block": part.block,
        "count": part.count,
        "output": list(part.output),
        "params": part.costs.params,
        "macs": part.costs.macs,
    }


def _loaded(loaded: Loaded) -> dict[str, Any]:
    """The record as JSON, without the remarks, which are diagnostics of the whole."""
    return {
        "file": loaded.file,
        "map": loaded.map,
        "transfer": loaded.transfer,
        "unwrapped": list(loaded.unwrapped),
        "loaded": list(loaded.loaded),
        "initialised": list(loaded.initialised),
        "reshaped": {
            key: {"before": list(theirs), "after": list(ours)} for key, (theirs, ours) in loaded.reshaped.items()
        },
        "unused": list(loaded.unused),
    }
