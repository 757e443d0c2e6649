"""``archspec check``: read and compile specs, and verify what they expect. torch is not imported."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import click

from archspec import Diagnostic, Outcome, Source
from archspec.display import counted

from . import options
from .findings import Finding, put_findings
from .render import DiagnosticPrinter, Terminal, put, put_json, short
from .spelling import as_json


@click.command("check", cls=options.SpecCommand)
@options.specs
@options.reading
@click.option(
    "--expect",
    "budgets",
    multiple=True,
    metavar="BUDGET",
    help="A budget that every spec must keep, such as 'params<=26M' or 'layer1.macs<1G'; may be repeated.",
)
@options.form("text", "json", "sarif", "github")
def command(specs: tuple[str, ...], reading: options.Reading, budgets: tuple[str, ...], form: str) -> int:
    """Read and compile specs, and verify what they expect; needs no torch.

    A SPEC is a path, the name of a spec that ships with archspec, `-` for standard input, or a folder: then every spec
    in it and below is checked. Each spec is read, every shape is inferred, and the network is compared with what
    `expect` says. The exit status is 1 if a spec is at fault. --set makes another network, so that only --expect and
    --set say what to expect. `--format sarif` is for code scanners and editors; `--format github` annotates the files
    of a pull request.

    \b
    Examples:
      archspec check resnet50
      archspec check specs --format json
      archspec check specs --format sarif > archspec.sarif
      archspec check wide.yaml --set stages.groups=32
      archspec check wide.yaml --expect 'params<=26M' --expect 'macs<=4.1G'
    """
    references = list(options.references(specs))
    expected = [Source("--expect", text, "budget") for text in budgets]
    outcomes = (reading.check(reference, budgets=expected) for reference in references)
    if form == "text":
        return int(_put_text(outcomes, len(references), bool(reading.overrides)) < len(references))
    found = list(outcomes)
    if form == "json":
        put_json([{**outcome.as_data(), "diagnostics": as_json(outcome.diagnostics)} for outcome in found])
    else:
        put_findings(form, [Finding(fault, outcome.path) for outcome, faults in _once(found) for fault in faults])
    return int(not all(outcome.valid for outcome in found))


def _in_budget(diagnostic: Diagnostic) -> bool:
    return diagnostic.span is not None and diagnostic.span.source.kind == "budget"


def _once(outcomes: Iterable[Outcome]) -> Iterator[tuple[Outcome, list[Diagnostic]]]:
    """Each outcome with its diagnostics. A fault in a budget is the same for every spec, so it is shown once."""
    told: set[str] = set()
    for outcome in outcomes:
        yield outcome, [diagnostic for diagnostic in outcome.diagnostics if str(diagnostic) not in told]
        told.update(str(each) for each in outcome.diagnostics if each.code == "E703" and _in_budget(each))


def _put_text(outcomes: Iterable[Outcome], total: int, changed: bool) -> int:
    """Print each outcome as it comes. Returns how many specs are valid."""
    aside = "; with --set, its `expect` is left out" if changed else ""
    report, safe, valid = DiagnosticPrinter(), Terminal.of(sys.stdout).safe, 0
    for outcome, diagnostics in _once(outcomes):
        if outcome.valid and outcome.totals:
            valid += 1
            totals = outcome.totals
            figures = f"{totals.costs.params:,} parameters, {short(totals.costs.macs)} MACs"
            counts = f"{figures}, {counted(totals.layers, 'layer')}"
            put(f"{safe(outcome.file)}: ok, {counts}{aside}")
        report.add(diagnostics)
    report.finish(f"{valid} of {total} specs are valid" if total > 1 else "")
    return valid
