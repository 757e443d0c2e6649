"""SARIF 2.1.0: the form in which code scanners and editors take diagnostics."""

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
from .render import put_json
from .spelling import with_options

if TYPE_CHECKING:
    from archspec.diagnostics import Span

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"
"""How SARIF calls the folder that relative addresses begin at; a code host takes the root of the checkout."""

_INDEX = {code: number for number, code in enumerate(CODES)}


def put(findings: Iterable[Finding]) -> None:
    """Print the log."""
    put_json(as_sarif(findings))


def as_sarif(findings: Iterable[Finding]) -> dict[str, Any]:
    """A log of one run. What several specs share, such as a fault in a file that they all extend, is in it once.

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
    """A result has one location always: a code host refuses a log with a result that has none."""
    diagnostic = with_options(finding.diagnostic)
    related = [label for label in diagnostic.labels if finding.place(label.span)[1]]
    hint = f" ({diagnostic.hint})" if diagnostic.hint else ""
    lines = [_literal(f"{finding.elsewhere(diagnostic.span)}{diagnostic.message}{hint}")]
    for label in diagnostic.labels:
        link = f"]({related.index(label)})" if label in related else ""
        lines.append(f"{'[' if link else ''}{_literal(finding.elsewhere(label.span) + label.text, bool(link))}{link}")
    lines += map(_literal, (*diagnostic.notes, *([f"help: {diagnostic.help}"] if diagnostic.help else [])))
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
    place: dict[str, Any] = {"artifactLocation": _artifact(file or "<stdin>")}
    if shown:
        names = ("startLine", "startColumn", "endLine", "endColumn")
        place["region"] = dict(zip(names, shown[1:], strict=True))
    else:
        place["region"] = {"startLine": 1}
    return {"physicalLocation": place}


def _artifact(file: str) -> dict[str, str]:
    uri = quote(file, errors="surrogatepass")  # a name that is not UTF-8 has surrogates
    return {"uri": f"file://{uri}"} if uri.startswith("/") else {"uri": uri, "uriBaseId": ROOT}


def _literal(text: str, inside: bool = False) -> str:
    """``text`` as a message that says just that, where SARIF would see a placeholder or a link; or ``inside`` a link.

    Only what would be taken for one is escaped, since many readers show escapes as they stand.
    """
    text = re.sub(r"\{([0-9]+)\}", r"{{\1}}", text)
    return re.sub(r"[\\\[\]]", r"\\\g<0>", text) if inside else text.replace("](", "\\](")
