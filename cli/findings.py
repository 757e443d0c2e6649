"""The place of a diagnostic for a code host: the file in the checkout, and the place in the file."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archspec.diagnostics import WAYS

if TYPE_CHECKING:
    from archspec.diagnostics import Diagnostic, Span


class Finding(NamedTuple):
    """A diagnostic, and the file of its spec, or None for standard input."""

    diagnostic: Diagnostic
    file: str | None

    @property
    def shared(self) -> str:
        """What is the same in the findings of two specs that read one file with a fault, and in no others."""
        places = [self.diagnostic.span]
        places += [label.span for label in self.diagnostic.labels if label.text not in WAYS]
        shown = [(file, span and span[1:]) for file, span in map(self.place, places)]
        texts = [label.text for label in self.diagnostic.labels if label.text not in WAYS]
        return json.dumps([self.diagnostic.code, self.sentence, *shown, *texts, *self.remarks])

    def place(self, span: Span | None) -> tuple[str | None, Span | None]:
        """The file in which a code host shows ``span``, and ``span`` if it is in that file.

        A span in an option or in the language's library is shown at the spec, without a line.
        """
        if span is None or span.source.kind not in ("file", "standard input"):
            return self.file and address(self.file), None
        if span.source.path is None and self.file is None:
            return None, span
        return address(span.source.path or span.source.name), span

    def elsewhere(self, span: Span | None) -> str:
        """The place of ``span`` as text, if a code host cannot show it."""
        return f"{span}: " if span and self.place(span)[1] is None else ""

    @property
    def sentence(self) -> str:
        """The message, with the hint, and with the place if a code host cannot show it."""
        hint = f" ({self.diagnostic.hint})" if self.diagnostic.hint else ""
        return f"{self.elsewhere(self.diagnostic.span)}{self.diagnostic.message}{hint}"

    @property
    def remarks(self) -> list[str]:
        """The notes and the help."""
        help = self.diagnostic.help
        return [*self.diagnostic.notes, *([f"help: {help}"] if help else [])]


class Told:
    """What was shown of specs that share files: a fault in a file that several of them read is shown once."""

    def __init__(self) -> None:
        self._shared: set[str] = set()

    def new(self, diagnostics: Iterable[Diagnostic], file: str | None) -> list[Diagnostic]:
        """The diagnostics of a spec that no earlier spec had."""
        found = {Finding(diagnostic, file).shared: diagnostic for diagnostic in diagnostics}
        new = [diagnostic for shared, diagnostic in found.items() if shared not in self._shared]
        self._shared.update(found)
        return new


def put_findings(form: str, findings: Iterable[Finding]) -> None:
    """Print findings for code hosts: as ``sarif``, or as annotations for ``github``.

    A fault that specs share, as one in a file that they all extend, comes once, with the lines that lead there.
    """
    module = importlib.import_module(f".{form}", __package__)  # most calls need neither
    shared: dict[str, Finding] = {}
    for finding in findings:
        before = shared.setdefault(finding.shared, finding)
        known = {str(label.span) for label in before.diagnostic.labels}
        more = [label for label in finding.diagnostic.labels if str(label.span) not in known]
        if more:
            merged = replace(before.diagnostic, labels=(*before.diagnostic.labels, *more))
            shared[finding.shared] = before._replace(diagnostic=merged)
    module.put(shared.values())


def address(path: str) -> str:
    """The path of a file for a code host, relative to the root of the checkout.

    In a workflow, ``GITHUB_WORKSPACE`` is the root, otherwise the working directory. A file outside has its full path.
    """
    try:
        here = Path.cwd()
    except OSError:
        return path
    absolute = Path(os.path.normpath(here / path))
    for root in (Path(os.environ.get("GITHUB_WORKSPACE") or here), here):
        if absolute.is_relative_to(root):
            return absolute.relative_to(root).as_posix()
    return absolute.as_posix()
