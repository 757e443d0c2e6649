"""Where a diagnostic is as a code host sees it: the file by its address in the checkout, and the place in that."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from archspec.diagnostics import Diagnostic, Span


class Finding(NamedTuple):
    """A diagnostic, and the file of the spec, None for standard input, in which it was found."""

    diagnostic: Diagnostic
    file: str | None

    def place(self, span: Span | None) -> tuple[str | None, Span | None]:
        """The file that a code host shows ``span`` in, and ``span`` if it is in that file.

        What points into an option, or into the language's library, is shown at the spec without a line.
        """
        if span is None or span.source.kind not in ("file", "standard input"):
            return self.file and address(self.file), None
        if span.source.path is None and self.file is None:
            return None, span
        return address(span.source.path or span.source.name), span

    def elsewhere(self, span: Span | None) -> str:
        """Where ``span`` is, if a code host cannot show it."""
        return f"{span}: " if span and self.place(span)[1] is None else ""


def put_findings(form: str, findings: Iterable[Finding]) -> None:
    """Print what was found as code hosts read it: as ``sarif``, or as annotations for ``github``."""
    module = importlib.import_module(f".{form}", __package__)  # few calls ask for either
    module.put(findings)


def address(path: str) -> str:
    """A file as a code host calls it: from the root of the checkout, which ``GITHUB_WORKSPACE`` names where a workflow
    runs, or else from the working directory. Absolute for a file that lies in neither.
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
