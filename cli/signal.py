"""``archspec signal``: activations and gradients at initialization, predicted. It does not import torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

import archspec
from archspec.analysis.signal import SignalReport
from archspec.analysis.signal_text import COLUMNS, signal_rows, signal_text
from archspec.diagnostics import Diagnostic, Source, SpecError, cut
from archspec.emit import choosing
from archspec.emit.target import Target
from archspec.files import replacing
from archspec.testing.expectations import check_budgets
from archspec.writing import installed

from . import options
from .attempt import attempt, refusal, status_of
from .render import show
from .spelling import as_json
from .streams import put, put_json, say
from .tables import put_blocks

FIGURES = ("svg", "png")


@click.command("signal", cls=options.SpecCommand)
@options.specs
@options.input
@options.reading
@options.form("text", "json", "csv")
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(readable=False),
    metavar="FILE",
    help="Also draw all networks in one figure: `.svg`, or `.png` with the extra `figure`.",
)
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@click.option(
    "--expect",
    "budgets",
    multiple=True,
    metavar="BUDGET",
    help="A budget for every spec, such as 'gradient_span<=2'. You can repeat this option.",
)
def command(
    specs: tuple[str, ...],
    reading: options.Reading,
    form: str,
    input: tuple[int, ...] | None,
    file: str | None,
    force: bool,
    budgets: tuple[str, ...],
) -> int:
    """Predict activations and gradients at initialization. Does not need torch.

    The command prints the variance of the activations and the norm of the gradient at every block, the decades that the
    gradient spans, the effective receptive field, and the lengths of the gradient's paths. A score sums this up: the
    larger it is, the harder the network is to train. The exit status is 1 if a spec is at fault or misses a budget.

    \b
    Examples:
      archspec signal resnet56_cifar plain56_cifar
      archspec signal resnet110_cifar --set activation_order=pre
      archspec signal plain56_cifar resnet56_cifar -o gradients.svg
      archspec signal resnet56_cifar --expect 'gradient_span<=2'
    """
    target = _target(file) if file else None
    expected = [Source("--expect", text, "budget") for text in budgets]
    reports, data = [], []
    faults: list[Diagnostic] = []
    for reference in options.references(specs):

        def work(reference: str = reference) -> _Predicted:
            graph = archspec.compile(reading.load(reference), input=input, limits=reading.limits)
            missed = check_budgets(graph, expected) if expected else []
            return _Predicted(archspec.signal(graph), graph.files, missed)

        made, found = attempt(reference, work)
        faults += made.missed if made else found
        reports += [made] if made else []
        data.append(made.as_data(reference, bool(expected)) if made else refusal(found, reference))
    if form != "json":
        show(list(dict.fromkeys(faults)))  # a faulty budget is the same for every spec
    found_reports = [made.report for made in reports]
    if file and target and found_reports:
        _draw(found_reports, file, target, frozenset().union(*[made.files for made in reports]), force)
    if form == "json":
        put_json(data[0] if len(data) == 1 else data)
    elif form == "csv":
        stream = io.StringIO()
        rows = [row for report in found_reports for row in signal_rows(report)]
        csv.writer(stream, lineterminator="\n").writerows([COLUMNS, *rows])
        put(stream.getvalue(), end="")
    else:
        for number, report in enumerate(found_reports):
            put("\n" if number else "", end="")
            put_blocks(signal_text(report))
    return status_of(faults)


class _Predicted(NamedTuple):
    """The prediction for a spec, the files that it was read from, and the budgets that it misses."""

    report: SignalReport
    files: frozenset[str]
    missed: list[Diagnostic]

    def as_data(self, reference: str, budgeted: bool) -> dict[str, Any]:
        """Plain data, for JSON; with the budgets that are missed, if there were any."""
        found = {"spec": reference, **self.report.as_data()}
        return {**found, "diagnostics": as_json(self.missed)} if budgeted else found


def _target(file: str) -> Target:
    """The target of a figure's file."""
    target = choosing.choose(file)
    if target.name not in FIGURES:
        message = f"`{cut(file)}` is not a figure that `archspec signal` draws"
        help = "write a file whose name ends in `.svg` or `.png`"
        raise SpecError([Diagnostic("E831", message, Source("path", cut(file, 200), "argument").part(), help=help)])
    return target


def _draw(reports: Sequence[SignalReport], file: str, target: Target, files: frozenset[str], force: bool) -> None:
    """Write the figure."""
    from archspec.emit.signal_figure import signal_png, signal_svg  # only for a figure

    with installed(target, files), replacing(Path(file), force=force, inputs=files) as staged:
        staged.write_bytes(signal_svg(reports).encode() if target.name == "svg" else signal_png(reports))
    say(f"Saved {file}")
