"""``archspec check``: read and compile specs, and verify what they expect. torch is not imported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

import archspec
from archspec.analysis.totals import Totals, measure_totals
from archspec.diagnostics import Diagnostic, Source, SpecError
from archspec.display import counted
from archspec.graph.graph import Graph, Limits
from archspec.testing.expectations import check_expectations

from . import options
from .places import Finding
from .render import DiagnosticPrinter, Terminal, put, put_json, short
from .spelling import as_json


@click.command("check", cls=options.SpecCommand)
@options.specs
@options.overrides
@options.limits
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
    overrides: tuple[str, ...],
    allow_outside: bool,
    limits: Limits,
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
    outcomes = (examine(reference, overrides, allow_outside, limits, budgets) for reference in references)
    if form == "text":
        valid = _put_text(outcomes, len(references), bool(overrides))
    else:
        valid = {"json": _put_json, "sarif": _put_sarif, "github": _put_github}[form](outcomes)
    return 0 if valid == len(references) else 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What checking one spec gave: a graph and its costs where it compiles, and everything to be said about it."""

    spec: str
    name: str
    path: str | None
    diagnostics: tuple[Diagnostic, ...]
    graph: Graph | None = None
    totals: Totals | None = None

    @property
    def valid(self) -> bool:
        return all(diagnostic.severity == "warning" for diagnostic in self.diagnostics)

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"spec": self.spec, "file": self.name, "valid": self.valid}
        if self.graph and self.totals:
            found |= {
                "name": self.graph.name,
                "hash": self.graph.fingerprint,
                "params": self.totals.costs.params,
                "macs": self.totals.costs.macs,
                "layers": self.totals.layers,
                "nodes": self.totals.nodes,
                "output": list(self.graph.output),
            }
        return {**found, "diagnostics": as_json(self.diagnostics)}


def examine(
    reference: str, overrides: tuple[str, ...], allow_outside: bool, limits: Limits, budgets: tuple[str, ...]
) -> Outcome:
    """Load, compile and compare one spec."""
    name, path = reference, None if reference == options.STDIN else reference
    try:
        source = options.source(reference)
        name, path = source.name, source.path
        graph = archspec.compile(options.load(source, overrides, allow_outside), limits=limits)
        found = (*graph.warnings, *check_expectations(graph, [Source("--expect", text, "budget") for text in budgets]))
    except SpecError as error:
        return Outcome(reference, name, path, error.diagnostics)
    return Outcome(reference, name, path, found, graph, measure_totals(graph))


def _put_json(outcomes: Iterator[Outcome]) -> int:
    """Print the outcomes as a list. Returns how many specs are valid."""
    found = [outcome.as_json() for outcome in outcomes]
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
            put(f"{safe(outcome.name)}: ok, {counts}{aside}")
        report.add(diagnostics)
    report.finish(f"{valid} of {total} specs are valid" if total > 1 else "")
    return valid
