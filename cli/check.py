"""``archspec check``: compile specs, and compare the networks with what the specs expect. It does not import torch."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import click

from archspec import Diagnostic, Outcome, Source
from archspec.display import counted

from . import options
from .attempt import status_of
from .findings import Finding, Told, put_findings
from .render import DiagnosticPrinter, Terminal
from .spelling import as_json
from .streams import put, put_json, say


@click.command("check", cls=options.SpecCommand)
@options.specs
@options.reading
@click.option(
    "--expect",
    "budgets",
    multiple=True,
    metavar="BUDGET",
    help="A budget for every spec, such as 'params<=26M' or 'layer1.macs<1G'. You can repeat this option.",
)
@options.form("text", "json", "sarif", "github")
def command(specs: tuple[str, ...], reading: options.Reading, budgets: tuple[str, ...], form: str) -> int:
    """Check that specs are valid and meet what they expect. Does not need torch.

    A SPEC is a path, the name of a spec that ships with archspec, `-` for standard input, or a folder. A folder gives
    all specs in it and in the folders below. The command reads each spec, infers every shape, and compares the network
    with `expect` in the spec. The exit status is 1 if a spec is at fault; the other specs are still checked.
    --set makes another network, so `expect` in the spec no longer applies; use --expect instead. `--format sarif` is
    for code scanners and editors. `--format github` annotates the files of a pull request.

    \b
    Examples:
      archspec check resnet50
      archspec check specs --format json
      archspec check specs --format sarif > archspec.sarif
      archspec check wide.yaml --set classes=10
      archspec check wide.yaml --expect 'params<=26M' --expect 'macs<=4.1G'
    """
    references = list(options.references(specs))
    expected = [Source("--expect", text, "budget") for text in budgets]
    outcomes = (reading.check(reference, budgets=expected) for reference in references)
    if form == "text":
        return _put_text(outcomes, len(references), bool(reading.overrides))
    found = list(outcomes)
    if form == "json":
        put_json([{**outcome.as_data(), "diagnostics": as_json(outcome.diagnostics)} for outcome in found])
    else:
        put_findings(form, [Finding(fault, outcome.path) for outcome, faults in _once(found) for fault in faults])
    return max(status_of(outcome.diagnostics) for outcome in found)


def _once(outcomes: Iterable[Outcome]) -> Iterator[tuple[Outcome, list[Diagnostic]]]:
    """Each outcome with its diagnostics. A fault in a budget is the same for every spec, so it comes only once."""
    told: set[str] = set()
    for outcome in outcomes:
        yield outcome, [each for each in outcome.diagnostics if str(each) not in told]
        of_budgets = [each for each in outcome.diagnostics if each.span and each.span.source.kind == "budget"]
        told.update(str(each) for each in of_budgets if each.code == "E703")


def _put_text(outcomes: Iterable[Outcome], total: int, changed: bool) -> int:
    """Print each outcome as it comes. Returns the exit status."""
    aside = "; `expect` is ignored with --set" if changed else ""
    report, told, safe, valid, status = DiagnosticPrinter(), Told(), Terminal.of(sys.stdout).safe, 0, 0
    for outcome, diagnostics in _once(outcomes):
        if outcome.valid and outcome.totals:
            valid += 1
            put(f"{safe(outcome.file)}: ok, {outcome.totals}{aside}")
        new = told.new(diagnostics, outcome.path)
        report.add(new)
        if len(new) < len(diagnostics):
            again = counted(len(diagnostics) - len(new), "diagnostic")
            say(report.terminal.safe(f"{outcome.file}: {again} of a file that it reads, shown above"))
        status = max(status, status_of(outcome.diagnostics))
    report.finish(f"{valid} of {total} specs {'is' if valid == 1 else 'are'} valid" if total > 1 else "")
    return status
