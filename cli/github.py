"""GitHub's annotations: a line for each diagnostic. A workflow shows it beside the line of the file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from archspec.codes import CODES
from archspec.excerpts import MAX_SHOWN

from .findings import Finding
from .render import Terminal
from .spelling import with_options
from .streams import say, write


def put(findings: Iterable[Finding]) -> None:
    """Print an annotation for each diagnostic, as many as GitHub shows. A diagnostic that specs share comes once."""
    safe = Terminal.of(sys.stdout).safe
    lines = list(dict.fromkeys(as_annotation(finding, safe) for finding in findings))
    for line in lines[:MAX_SHOWN]:
        write(f"{line}\n", sys.stdout, commands=True)
    if len(lines) > MAX_SHOWN:
        say(f"{len(lines):,} diagnostics; the first {MAX_SHOWN} are shown")


def as_annotation(finding: Finding, safe: Callable[[str], str]) -> str:
    """The workflow command ``::error file=...,line=...,col=...,title=...::message`` of a diagnostic.

    Args:
        finding: the diagnostic, and its spec.
        safe: escapes what could break a line, and so start another command.
    """
    diagnostic = with_options(finding.diagnostic)
    finding = finding._replace(diagnostic=diagnostic)
    file, span = finding.place(diagnostic.span)
    lines = [finding.sentence]
    for label in diagnostic.labels:
        other, shown = finding.place(label.span)
        place = f"{other or label.span.source.name}:{shown.line}:{shown.column}" if shown else str(label.span)
        lines.append(f"{place}: {label.text}")
    lines += finding.remarks
    properties = {
        "file": file,
        "line": span and str(span.line),
        "col": span and str(span.column),
        "title": f"{diagnostic.code} {CODES[diagnostic.code]}",
    }
    written = ",".join(f"{name}={_property(safe(value))}" for name, value in properties.items() if value)
    return f"::{diagnostic.severity} {written}::{_data(chr(10).join(map(safe, lines)))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
