"""Warnings that a spec turns off: those whose codes it lists under ``silence``."""

from __future__ import annotations

from collections.abc import Iterable

from archspec.codes import CODES
from archspec.diagnostics import Diagnostic
from archspec.language.text.document import Document

SILENCED = tuple(code for code in CODES if code.startswith(("W3", "W5")))
"""The codes of warnings that a spec can give."""


def audible(diagnostics: Iterable[Diagnostic], document: Document) -> tuple[Diagnostic, ...]:
    """The diagnostics without the warnings that the spec silences."""
    silenced = document.value.get("silence") or ()
    return tuple(found for found in diagnostics if found.severity == "error" or found.code not in silenced)


def unless_meant(code: str, advice: str) -> str:
    """A help that also says how to silence the warning."""
    return f"{advice}; if you mean it, write `silence: [{code}]`"
