"""What ``archspec build`` shows: the stages with their costs, and which weights were loaded, as text and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.analysis.report import Report
from archspec.analysis.text import ends_of, kinds_of_parameters, part_table
from archspec.diagnostics import Diagnostic
from archspec.display import counted, plain, short
from archspec.graph.graph import Graph

from .render import Terminal
from .spelling import as_json
from .streams import put
from .tables import put_blocks, put_table

if TYPE_CHECKING:
    from archspec.emit.target import Target
    from archspec.weights import Loaded
    from archspec.writing import WrittenFiles


class Product(NamedTuple):
    """What the command made: what was written to a file, or the text for standard output; and the weights loaded."""

    written: WrittenFiles | None = None
    text: str | None = None
    loaded: Loaded | None = None


def put_report(report: Report, loaded: Loaded | None, confirmed: bool) -> None:
    """Print the stages, the totals of the network, whether torch confirmed them, and which weights were loaded."""
    put(f"{ends_of(report)}\n")
    rows = [row[:7] for row in part_table(report, "stage")]
    put_table([("stage", *rows[0][1:]), *rows[1:]], right=(2, 3, 4, 5, 6), header=True, total=True)
    shapes = "every shape confirmed by torch" if confirmed else "shapes not compared with torch's"
    kinds = " and ".join(f"{number:,} {what}" for what, number in kinds_of_parameters(report).items())
    put(f"\n{report.totals}")
    if kinds:
        put(f"of the parameters, {kinds}")
    put(f"{counted(report.totals.nodes, 'node')}, {shapes}\n")
    if loaded:
        put_blocks(loaded.text())
        put("")


def put_saved(written: WrittenFiles | None, target: Target | None, key_map: Path | None) -> None:
    """Print which files were written."""
    safe = Terminal.of(sys.stdout).safe
    if key_map:
        put(safe(f"Saved {key_map}: a map of the keys. Check it before you rely on it."))
    if written and target:
        contents = target.contents.format(kind="" if written.weights else "initialized ")
        put(safe(f"Saved {' and '.join(written.files)}: {short(written.size)}B of {contents}."))


def build_json(
    graph: Graph, report: Report, spec: str, confirmed: bool, made: Product, found: Iterable[Diagnostic]
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
        "weights": made.loaded.as_data() if made.loaded else None,
        "confirmed": confirmed,
        "saved": made.written.files[0] if made.written else None,
        "written": made.written and plain(made.written, "target", "files", "size"),
        "diagnostics": as_json(found),
    }
