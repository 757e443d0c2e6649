"""``archspec signal``: activations and gradients at initialization, predicted. It does not import torch."""

from __future__ import annotations

import csv
import io
from typing import Any

import click

import archspec
from archspec.analysis.signal import SignalReport
from archspec.analysis.signal_text import COLUMNS, signal_rows, signal_text
from archspec.diagnostics import Diagnostic

from . import options
from .attempt import attempt, refusal, status_of
from .render import show
from .streams import put, put_json
from .tables import put_blocks


@click.command("signal", cls=options.SpecCommand)
@options.specs
@options.input
@options.reading
@options.form("text", "json", "csv")
def command(specs: tuple[str, ...], reading: options.Reading, form: str, input: tuple[int, ...] | None) -> int:
    """Predict activations and gradients at initialization. Does not need torch.

    The prediction has the variance of the activations and the norm of the gradient at every block, the decades that the
    gradient spans, the effective receptive field, and the lengths of the paths that the gradient takes.

    \b
    Examples:
      archspec signal resnet56_cifar plain56_cifar
      archspec signal resnet110_cifar --set activation_order=pre
      archspec signal resnet50 --format json
    """
    faults: list[Diagnostic] = []
    reports: list[SignalReport] = []
    data: list[dict[str, Any]] = []
    for reference in options.references(specs):

        def work(reference: str = reference) -> SignalReport:
            return archspec.signal(reading.load(reference), input=input, limits=reading.limits)

        report, found = attempt(reference, work)
        faults += found
        reports += [report] if report else []
        data.append({"spec": reference, **report.as_data()} if report else refusal(found, reference))
    if form == "json":
        put_json(data[0] if len(data) == 1 else data)
        return status_of(faults)
    show(faults)
    if form == "csv":
        stream = io.StringIO()
        rows = [row for report in reports for row in signal_rows(report)]
        csv.writer(stream, lineterminator="\n").writerows([COLUMNS, *rows])
        put(stream.getvalue(), end="")
        return status_of(faults)
    for number, report in enumerate(reports):
        put("\n" if number else "", end="")
        put_blocks(signal_text(report))
    return status_of(faults)
