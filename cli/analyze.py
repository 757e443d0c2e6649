"""``archspec analyze``: what a network costs, and the paths through it. It does not import torch."""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import click

import archspec
from archspec.analysis.memory import ITEM_BYTES
from archspec.analysis.report import Report
from archspec.analysis.text import PER, comparison_text, exact_comparison, report_text
from archspec.diagnostics import Diagnostic
from archspec.operations.shapes import show_shape

from . import options
from .attempt import attempt, refusal, status_of
from .render import Terminal, show
from .spelling import as_json
from .streams import put, put_json
from .tables import put_blocks


@click.command("analyze", cls=options.SpecCommand)
@options.specs
@options.input
@click.option(
    "--batch",
    type=click.IntRange(1, 2**20),
    default=1,
    metavar="N",
    help="The batch size. It only changes the memory and the FLOPs per byte.",
)
@click.option(
    "--dtype",
    type=options.Word("dtype", ITEM_BYTES),
    default="float32",
    help="The type of weights and activations. It only changes the memory and the FLOPs per byte.",
)
@click.option(
    "--frozen",
    multiple=True,
    metavar="SCOPE",
    help="A scope or part that does not train, such as `layer1` or `stem`. You can repeat this option.",
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
    found = [_analyzed(reference, reading, per, form, how) for reference in options.references(specs)]
    faults = [fault for each in found for fault in each.faults]
    if form == "json":
        data = [each.data for each in found]
        put_json(data[0] if len(data) == 1 else data)
    else:
        show(faults)
        reports = _told_apart([(each.spec, each.report) for each in found if each.report])
        if reports:
            _FORMS[form](reports, per, len(found) > 1)
    return status_of(faults)


class _Analyzed(NamedTuple):
    """What the analysis of one spec gave: a report, or the reason why it failed, and the data for JSON."""

    spec: str
    report: Report | None
    faults: tuple[Diagnostic, ...]
    data: dict[str, Any]


def _analyzed(
    reference: str, reading: options.Reading, per: str | None, form: str, how: Mapping[str, Any]
) -> _Analyzed:
    def work() -> _Analyzed:
        report = archspec.analyze(reading.load(reference), limits=reading.limits, **how)
        data = {"spec": reference, **_data(report, per)} if form == "json" else {}
        return _Analyzed(reference, report, report.warnings, data)

    found, faults = attempt(reference, work)
    return found or _Analyzed(reference, None, faults, refusal(faults, reference))


def _told_apart(reports: Sequence[tuple[str, Report]]) -> list[Report]:
    """The reports under the names of their networks, or as the specs were named where several networks share a name."""
    times = Counter(report.name for _, report in reports)
    return [replace(report, name=spec) if times[report.name] > 1 else report for spec, report in reports]


# -- forms -------------------------------------------------------------------------------------------------------------


def _put_text(reports: Sequence[Report], per: str | None, several: bool) -> None:
    if several and per is None:
        put_blocks(comparison_text(reports))
        return
    for number, report in enumerate(reports):
        put("\n" if number else "", end="")
        put_blocks(report_text(report, per or "stage"))


def _data(report: Report, per: str | None) -> dict[str, Any]:
    """For JSON."""
    parts = {f"{per}s": [part.as_data() for part in PER[per](report)]} if per in ("block", "layer") else {}
    return {**report.as_data(), **parts, "diagnostics": as_json(report.warnings)}


def _put_csv(reports: Sequence[Report], per: str | None, several: bool) -> None:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(_figures(reports, per, several))
    put(stream.getvalue(), end="")


def _put_markdown(reports: Sequence[Report], per: str | None, several: bool) -> None:
    safe = Terminal.of(sys.stdout).safe
    header, *rows = _figures(reports, per, several)
    numbers = [all(not isinstance(cell, str) for cell in column) for column in zip(*rows, strict=True)]
    lines = [header, ["---:" if number else "---" for number in numbers], *rows]
    put("\n".join("| " + " | ".join(safe(str(cell)).replace("|", "\\|") for cell in line) + " |" for line in lines))


_FORMS: dict[str, Callable[[Sequence[Report], str | None, bool], None]] = {
    "text": _put_text,
    "csv": _put_csv,
    "markdown": _put_markdown,
}
"""How to print reports, given the part that each row shows, and whether the command names several specs."""


def _figures(reports: Sequence[Report], per: str | None, several: bool) -> list[list[Any]]:
    """A header, and a row for each part of one spec or for each of several specs. What is unavailable is empty."""
    if several and per is None:
        return exact_comparison(reports)
    rows: list[dict[str, Any]] = [
        {**({"spec": report.name} if several else {}), **part.as_data(), "output": show_shape(part.output)}
        for report in reports
        for part in PER[per or "stage"](report)
    ]
    return [list(rows[0]) if rows else [], *(["" if cell is None else cell for cell in row.values()] for row in rows)]
