"""SARIF 2.1.0: the format of diagnostics for code scanners and editors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import archspec
from archspec.codes import CODES
from archspec.explanations import read_page

from .findings import Finding
from .spelling import with_options
from .streams import put_json

if TYPE_CHECKING:
    from archspec.diagnostics import Span

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"
"""SARIF's name for the folder that paths are relative to. For a code host it is the root of the checkout."""

_INDEX = {code: number for number, code in enumerate(CODES)}


def put(findings: Iterable[Finding]) -> None:
    """Print the log."""
    put_json(as_sarif(findings))


def as_sarif(findings: Iterable[Finding]) -> dict[str, Any]:
    """A log of one run. A fault that specs share, such as one in a file that they all extend, is in it once.

    Lines and columns count characters from 1, and ends are exclusive, as in a diagnostic.
    """
    results = {json.dumps(result): result for result in map(_result, findings)}
    driver = {"name": "archspec", "version": archspec.__version__, "rules": [_rule(code) for code in CODES]}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": list(results.values())}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    page = read_page(code)
    meaning = page.partition("\n\nExample:")[0]
    level = "warning" if code.startswith("W") else "error"
    return {
        "id": code,
        "shortDescription": {"text": _literal(CODES[code])},
        "fullDescription": {"text": _literal(meaning)},
        "help": {"text": _literal(meaning), "markdown": _literal(page)},
        "defaultConfiguration": {"level": level},
    }


def _result(finding: Finding) -> dict[str, Any]:
    """A result always has a location: a code host refuses a log with a result without one."""
    diagnostic = with_options(finding.diagnostic)
    finding = finding._replace(diagnostic=diagnostic)
    related = [label for label in diagnostic.labels if finding.place(label.span)[1]]
    lines = [_literal(finding.sentence)]
    for label in diagnostic.labels:
        link = f"]({related.index(label)})" if label in related else ""
        lines.append(f"{'[' if link else ''}{_literal(finding.elsewhere(label.span) + label.text, bool(link))}{link}")
    lines += map(_literal, finding.remarks)
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": _INDEX[diagnostic.code],
        "level": diagnostic.severity,
        "message": {"text": "\n".join(lines)},
        "locations": [_location(finding, diagnostic.span)],
    }
    if related:
        result["relatedLocations"] = [
            {"id": number, **_location(finding, label.span), "message": {"text": _literal(label.text)}}
            for number, label in enumerate(related)
        ]
    return result


def _location(finding: Finding, span: Span | None) -> dict[str, Any]:
    file, shown = finding.place(span)
    names = ("startLine", "startColumn", "endLine", "endColumn")
    region = dict(zip(names, shown[1:], strict=True)) if shown else {"startLine": 1}
    return {"physicalLocation": {"artifactLocation": _artifact(file or "<stdin>"), "region": region}}


def _artifact(file: str) -> dict[str, str]:
    uri = quote(file, errors="surrogatepass")  # a name that is not UTF-8 has surrogates
    return {"uri": f"file://{uri}"} if uri.startswith("/") else {"uri": uri, "uriBaseId": ROOT}


def _literal(text: str, inside: bool = False) -> str:
    """``text`` for a message, with escapes where SARIF would see a placeholder or a link; or for ``inside`` a link.

    Nothing else is escaped, because many readers show the escapes.
    """
    text = re.sub(r"\{([0-9]+)\}", r"{{\1}}", text)
    return re.sub(r"[\\\[\]]", r"\\\g<0>", text) if inside else text.replace("](", "\\](")
