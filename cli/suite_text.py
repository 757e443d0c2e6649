"""What ``archspec test`` shows: a line for each spec with its faults, and the same as JSON and JUnit XML."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

from archspec.diagnostics import Diagnostic
from archspec.display import counted, plain
from archspec.testing.harness import CASES, NO_TORCH, Case, Outcome, has_torch
from archspec.testing.update import Update

from .findings import Finding, Told
from .render import DiagnosticPrinter, Terminal, render
from .spelling import as_json
from .streams import put, put_json, say
from .suite_run import Tested

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Text:
    """Prints each spec on standard output as it comes, its faults on standard error, and the count at the end."""

    def __init__(self) -> None:
        self.report = DiagnosticPrinter()
        self.tested: list[Outcome] = []
        self.told = Told()

    def put(self, tested: Tested) -> None:
        outcome = tested.outcome
        self.tested.append(outcome)
        put(Terminal.of(sys.stdout).safe(f"{outcome.file}: {_verdict(outcome)}"))
        if tested.update and tested.update.changed:
            _put_diff(tested.update.diff())
        for case, diagnostics in _told_once(outcome):
            new = self.told.new(diagnostics, outcome.path)
            change = case.change if new and not self.report.full else None
            self.report.add(new)
            if change:
                lines = [f"  - {line.strip()}" for line in change.before]
                lines += [f"  + {line.strip()}" for line in change.after]
                say("\n".join(map(self.report.terminal.safe, lines)))
        for name, reason in (tested.update.left if tested.update else {}).items():
            say(self.report.terminal.safe(f"{outcome.file}: {name} is unchanged: {reason}"))

    def finish(self, seconds: float) -> None:
        passed = sum(outcome.passed for outcome in self.tested)
        self.report.finish(f"{passed} of {counted(len(self.tested), 'spec')} passed in {seconds:.1f} s")
        if any(case.left_out == NO_TORCH for outcome in self.tested for case in outcome.left_out):
            say("torch is not installed, so nothing was built or run; pip install 'archspec-compiler[torch]'")


def _told_once(outcome: Outcome) -> Iterator[tuple[Case, list[Diagnostic]]]:
    """Each case of a spec, with the diagnostics that no earlier case has."""
    told: set[Diagnostic] = set()
    for case in outcome.cases:
        yield case, [diagnostic for diagnostic in case.diagnostics if diagnostic not in told]
        told.update(case.diagnostics)


def _put_diff(diff: str) -> None:
    terminal = Terminal.of(sys.stdout)
    for line in diff.splitlines():
        style = {"+": "32", "-": "31"}.get(line[:1], "")
        put(terminal.paint(terminal.safe(line), style) if style else terminal.safe(line))


def _verdict(outcome: Outcome) -> str:
    """The result in one line."""
    failed = ["the spec is not valid" if case.name == "valid" else case.name for case in outcome.cases if case.failed]
    if failed:
        return f"failed: {', '.join(failed)}"
    expected = sum(case.name.startswith("expect.") for case in outcome.cases)
    words = ["ok", counted(expected, "expectation") if expected else "no expectations"]
    done = {case.name: case for case in outcome.cases if case.passed}
    if done.keys() >= {*CASES["build"]}:
        words.append("built as inferred")
    if "pass" in done:
        words.append(f"run on {done['pass'].note}")
    left = {case.left_out for case in outcome.left_out} - {NO_TORCH}
    return ", ".join([*words, *(f"not run: {reason}" for reason in left)])


# -- for programs ------------------------------------------------------------------------------------------------------


def put_as_json(found: Sequence[Tested]) -> None:
    passed = all(tested.outcome.passed for tested in found)
    put_json({"passed": passed, "torch": has_torch(), "specs": [_as_json(*tested) for tested in found]})


def _as_json(outcome: Outcome, update: Update | None) -> dict[str, Any]:
    data = {
        **plain(outcome, "spec", "file", "passed"),
        "seconds": round(outcome.seconds, 3),
        "cases": [{**case.as_data(), "diagnostics": as_json(case.diagnostics)} for case in outcome.cases],
    }
    return data | ({"update": {"diff": update.diff(), "left": dict(update.left)}} if update else {})


def findings(found: Iterable[Tested]) -> Iterator[Finding]:
    """The diagnostics, for code hosts."""
    for tested in found:
        for _, new in _told_once(tested.outcome):
            yield from (Finding(diagnostic, tested.outcome.path) for diagnostic in new)


def junit(found: Iterable[Tested]) -> None:
    """Print JUnit XML, which continuous integration reads: a test suite for each spec."""
    root = ElementTree.Element("testsuites", name="archspec")
    for tested in found:
        _suite(root, tested.outcome)
    ElementTree.indent(root)
    put(f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}')


def _suite(root: ElementTree.Element, outcome: Outcome) -> None:
    file, cases = _xml(outcome.file), outcome.cases
    suite = ElementTree.SubElement(root, "testsuite", name=file, time=f"{outcome.seconds:.3f}", tests=str(len(cases)))
    suite.set("failures", str(sum(case.failed for case in cases)))
    suite.set("errors", "0")
    suite.set("skipped", str(len(outcome.left_out)))
    for case in cases:
        attributes = {"classname": file, "name": _xml(case.name), "time": f"{case.seconds:.3f}"}
        made = ElementTree.SubElement(suite, "testcase", attributes)
        if case.span:
            made.attrib.update({"file": _xml(case.span.source.name), "line": str(case.span.line)})
        if case.left_out:
            ElementTree.SubElement(made, "skipped", {"message": _xml(case.left_out)})
        if case.failed:
            errors = [diagnostic for diagnostic in case.diagnostics if diagnostic.severity == "error"]
            failure = ElementTree.SubElement(made, "failure", {"message": _xml(errors[0].message)})
            failure.set("type", errors[0].code)
            failure.text = _xml("\n\n".join(render(each, Terminal(encoding="ascii")) for each in case.diagnostics))


def _xml(text: str) -> str:
    """Text without the characters that XML cannot contain."""
    return _NOT_XML.sub("?", text)
