"""How the command line spells the arguments of the Python functions, in what it shows of a diagnostic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.diagnostics import Diagnostic, Span

OPTIONS = {
    "against": "`--against`",
    "allow_outside": "--allow-outside",
    "force": "--force",
    "key_map": "`--map FILE` writes",
    "levels": "`--level {}`",
    "limits.elements": "`--limit elements=N`",
    "limits.nodes": "`--limit nodes=N`",
    "map": "`archspec build --map`",
    "overrides": "`--set {}`",
    "tolerance": "`--tolerance X`",
    "transfer": "`--transfer`, in Python `transfer=True`,",
}
"""For each argument that a help mentions, the option, with `{}` for its value."""


def as_json(diagnostics: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    """Diagnostics as JSON has them."""
    return [with_options(diagnostic).as_data() for diagnostic in diagnostics]


def with_options(diagnostic: Diagnostic) -> Diagnostic:
    """The diagnostic with options of the command line in place of arguments of the Python functions."""
    help = diagnostic.help
    for name, text, value in diagnostic.mentions:
        help = help.replace(text, OPTIONS[name].format(value))
    return replace(diagnostic, help=help, span=diagnostic.span and _in_option(diagnostic.span))


def _in_option(span: Span) -> Span:
    if span.source.kind != "argument":
        return span
    return span._replace(source=replace(span.source, name=f"--{span.source.name}"))
