"""``archspec analyze``: what a network costs, and the paths through it. torch is not imported."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

import archspec
from archspec.analysis.memory import ITEM_BYTES
from archspec.analysis.parts import Part
from archspec.analysis.report import Report
from archspec.diagnostics import Diagnostic, SpecError
from archspec.operations.shapes import show_shape

from . import options
from .analysis_text import exact_comparison, put_comparison, put_report
from .render import Terminal, put, put_json
from .spelling import as_json

PER = ("stage", "block", "layer")


@click.command("analyze", cls=options.SpecCommand)
@options.specs
@options.shape
@click.option("--batch", type=click.IntRange(1, 2**20), default=1, metavar="N", help="Examples in a batch, for memory.")
@click.option(
    "--dtype",
    type=options.Word("dtype", ITEM_BYTES),
    default="float32",
    metavar="|".join(ITEM_BYTES),
    help="Type of weights and values, for memory.",
)
@click.option(
    "--frozen", multiple=True, metavar="SCOPE", help="A scope that is not trained, such as `layer1`; may be repeated."
)
@click.option("--per", type=options.Word("part", PER), metavar="|".join(PER), help="What has a row of its own.")
@click.option(
    "--lengths", is_flag=True, help="Count the paths of each length also above 2,000 blocks, where that takes a while."
)
@click.option("--gates", is_flag=True, help="Count paths through the gates of squeeze-and-excitation too.")
@options.reading
@options.form("text", "json", "csv", "markdown")
def command(
    specs: tuple[str, ...],
    shape: tuple[int, ...] | None,
    batch: int,
    dtype: str,
    frozen: tuple[str, ...],
    per: str | None,
    lengths: bool,
    gates: bool,
    reading: options.Reading,
    form: str,
) -> int:
    """Say what a network costs, and count the paths through it; needs no torch.

    Parameters, MACs, activations, memory, receptive field, and the skip paths with their lengths. Several specs, or a
    folder of them, give one table that compares them; with --per, each gives its own.

    \b
    Examples:
      archspec analyze resnet50
      archspec analyze resnet50 --input 3x320x320
      archspec analyze resnet50 --batch 64 --dtype bfloat16 --frozen layer1
      archspec analyze resnet50 --per layer --format csv > resnet50.csv
      archspec analyze resnet18 resnet34 resnet50
    """
    reports: list[Report] = []
    faults: list[Diagnostic] = []
    for reference in options.references(specs):
        try:
            found = archspec.analyze(
                reading.load(reference),
                input=shape,
                batch=batch,
                dtype=dtype,
                frozen=frozen,
                lengths=lengths or None,
                gates=gates,
                limits=reading.limits,
            )
        except SpecError as error:
            faults += error.diagnostics
        else:
            reports.append(found)
            faults += found.warnings
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
    for number, found in enumerate(reports):
        put("\n" if number else "", end="")
        put_report(found, _rows(found, per or "stage"), per or "stage")


def _put_json(reports: Sequence[Report], per: str | None) -> None:
    data = []
    for found in reports:
        entry: dict[str, Any] = found.as_data()
        if per in ("block", "layer"):
            entry[f"{per}s"] = [part.as_data() for part in _rows(found, per)]
        data.append({**entry, "diagnostics": as_json(found.warnings)})
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


def _rows(found: Report, per: str) -> tuple[Part, ...]:
    return {"stage": lambda: found.rows, "block": lambda: found.blocks, "layer": lambda: found.nodes}[per]()


def _figures(reports: Sequence[Report], per: str | None) -> list[list[Any]]:
    """The header and the rows of a table of figures: of the parts of one spec, or a row for each of several.

    What is unavailable is an empty text.
    """
    if len(reports) > 1 and per is None:
        return exact_comparison(reports)
    several = len(reports) > 1
    rows: list[dict[str, Any]] = []
    for found in reports:
        for part in _rows(found, per or "stage"):
            data = {**part.as_data(), "output": show_shape(part.output)}
            rows.append({**({"spec": found.name} if several else {}), **data})
    columns = list(rows[0]) if rows else []
    return [columns, *(["" if cell is None else cell for cell in row.values()] for row in rows)]
