"""``archspec check``: read and compile specs, and verify what they expect. torch is not imported."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from archspec import Diagnostic, Outcome, Source
from archspec.display import counted

from . import options
from .places import Finding
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
def command(
    specs: tuple[str, ...],
    reading: options.Reading,
    budgets: tuple[str, ...],
    form: str,
) -> int:
    """Read and compile specs, and verify what they expect; needs no torch.

    A SPEC is a path, the name of a spec that ships with archspec, `-` for standard input, or a folder, which stands for
    all specs in it and in folders below. Each one is read, every shape is inferred, and what it says under `expect` is
    compared. The exit status is 1 if one of them is at fault. --set makes another network, of which only what --expect
    and --set say is expected. `--format sarif` is for code scanners and editors, and `--format github` annotates the
    files of a pull request.

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
        valid = _put_text(outcomes, len(references), bool(reading.overrides))
    else:
        valid = {"json": _put_json, "sarif": _put_sarif, "github": _put_github}[form](outcomes)
    return 0 if valid == len(references) else 1


def _put_json(outcomes: Iterator[Outcome]) -> int:
    """Print the outcomes as a list. Returns how many specs are valid."""
    found = [{**outcome.as_data(), "diagnostics": as_json(outcome.diagnostics)} for outcome in outcomes]
    put_json(found)
    return sum(entry["valid"] for entry in found)


def _put_sarif(outcomes: Iterator[Outcome]) -> int:
    """Print the diagnostics as a log of SARIF. Returns how many specs are valid."""
    from .sarif import put_log

    valid, findings = _findings(outcomes)
    put_log(findings)
    return valid


def _put_github(outcomes: Iterator[Outcome]) -> int:
    """Print the diagnostics as annotations. Returns how many specs are valid."""
    from .github import put_annotations

    valid, findings = _findings(outcomes)
    put_annotations(findings)
    return valid


def _findings(outcomes: Iterator[Outcome]) -> tuple[int, list[Finding]]:
    """How many specs are valid, and all that was found."""
    found = list(_once(outcomes))
    findings = [Finding(diagnostic, outcome.path) for outcome, diagnostics in found for diagnostic in diagnostics]
    return sum(outcome.valid for outcome, _ in found), findings


def _in_budget(diagnostic: Diagnostic) -> bool:
    return diagnostic.span is not None and diagnostic.span.source.kind == "budget"


def _once(outcomes: Iterator[Outcome]) -> Iterator[tuple[Outcome, list[Diagnostic]]]:
    """Each outcome, and what is to be said of it: of a budget that is none, each spec says the same."""
    told: set[str] = set()
    for outcome in outcomes:
        yield outcome, [diagnostic for diagnostic in outcome.diagnostics if str(diagnostic) not in told]
        told.update(str(each) for each in outcome.diagnostics if each.code == "E703" and _in_budget(each))


def _put_text(outcomes: Iterator[Outcome], total: int, changed: bool) -> int:
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
