"""``archspec analyze``: what a network costs, and the paths through it. It does not import torch."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

import archspec
from archspec.analysis.memory import ITEM_BYTES
from archspec.analysis.report import Report
from archspec.diagnostics import Diagnostic, SpecError
from archspec.operations.shapes import show_shape

from . import options
from .analysis_text import PER, exact_comparison, put_comparison, put_report
from .render import Terminal, put, put_json
from .spelling import as_json


@click.command("analyze", cls=options.SpecCommand)
@options.specs
@options.input
@click.option(
    "--batch", type=click.IntRange(1, 2**20), default=1, metavar="N", help="The batch size. It only changes the memory."
)
@click.option(
    "--dtype",
    type=options.Word("dtype", ITEM_BYTES),
    default="float32",
    help="The type of weights and activations. It only changes the memory.",
)
@click.option(
    "--frozen",
    multiple=True,
    metavar="SCOPE",
    help="A scope that is not trained, such as `layer1`. You can repeat this option.",
)
@click.option("--per", type=options.Word("part", PER), help="Show a row for each stage, block or layer.")
@click.option(
    "--lengths",
    is_flag=True,
    help="Count the paths of each length even with more than 2,000 blocks. This can take a while.",
)
@click.option("--gates", is_flag=True, help="Also count the paths through squeeze-and-excitation gates.")
@options.reading
@options.form("text", "json", "csv", "markdown")
def command(specs: tuple[str, ...], per: str | None, reading: options.Reading, form: str, **how: Any) -> int:
    """Show what a network costs, and count the paths through it. Does not need torch.

    The report has parameters, MACs, activations, memory, the receptive field, and the skip paths with their lengths.
    Several specs, or a folder of specs, give one table to compare them. With --per, each spec has a table of its own.

    \b
    Examples:
      archspec analyze resnet50
      archspec analyze resnet50 --input 3x320x320
      archspec analyze resnet50 --batch 64 --dtype bfloat16 --frozen layer1
      archspec analyze resnet50 --per layer --format csv > resnet50.csv
      archspec analyze resnet18 resnet34 resnet50
    """
    how["lengths"] = how["lengths"] or None  # None: up to 2,000 blocks
    reports: list[Report] = []
    faults: list[Diagnostic] = []
    for reference in options.references(specs):
        try:
            reports.append(archspec.analyze(reading.load(reference), limits=reading.limits, **how))
            faults += reports[-1].warnings
        except SpecError as error:
            faults += error.diagnostics
    if any(fault.severity == "error" for fault in faults):
        raise SpecError(faults)
    if form != "json":
        options.show(faults)
    _FORMS[form](reports, per)
    return 0


# -- forms -------------------------------------------------------------------------------------------------------------


def _put_text(reports: Sequence[Report], per: str | None) -> None:
    if len(reports) > 1 and per is None:
        put_comparison(reports)
        return
    for number, report in enumerate(reports):
        put("\n" if number else "", end="")
        put_report(report, per or "stage")


def _put_json(reports: Sequence[Report], per: str | None) -> None:
    data = []
    for report in reports:
        parts = {f"{per}s": [part.as_data() for part in PER[per](report)]} if per in ("block", "layer") else {}
        data.append({**report.as_data(), **parts, "diagnostics": as_json(report.warnings)})
    put_json(data[0] if len(data) == 1 else data)


def _put_csv(reports: Sequence[Report], per: str | None) -> None:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(_figures(reports, per))
    put(stream.getvalue(), end="")


def _put_markdown(reports: Sequence[Report], per: str | None) -> None:
    safe = Terminal.of(sys.stdout).safe
    header, *rows = _figures(reports, per)
    numbers = [all(not isinstance(cell, str) for cell in column) for column in zip(*rows, strict=True)]
    lines = [header, ["---:" if number else "---" for number in numbers], *rows]
    put("\n".join("| " + " | ".join(safe(str(cell)).replace("|", "\\|") for cell in line) + " |" for line in lines))


_FORMS: dict[str, Callable[[Sequence[Report], str | None], None]] = {
    "text": _put_text,
    "json": _put_json,
    "csv": _put_csv,
    "markdown": _put_markdown,
}


def _figures(reports: Sequence[Report], per: str | None) -> list[list[Any]]:
    """A header, and a row for each part of one spec or for each of several specs. What is unavailable is empty."""
    several = len(reports) > 1
    if several and per is None:
        return exact_comparison(reports)
    rows: list[dict[str, Any]] = [
        {**({"spec": report.name} if several else {}), **part.as_data(), "output": show_shape(part.output)}
        for report in reports
        for part in PER[per or "stage"](report)
    ]
    return [list(rows[0]) if rows else [], *(["" if cell is None else cell for cell in row.values()] for row in rows)]
