"""The command line's spelling of the arguments of Python functions that a diagnostic mentions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.diagnostics import Diagnostic

OPTIONS = {
    "against": "`--against`",
    "allow_outside": "--allow-outside",
    "auxiliary": "`--auxiliary {}`",
    "entry": "`--entry {}`",
    "force": "--force",
    "key_map": "`--map FILE` writes",
    "levels": "`--level {}`",
    "limits.elements": "`--limit elements=N`",
    "limits.nodes": "`--limit nodes=N`",
    "limits.work": "`--limit work=N`",
    "map": "`archspec build --map`",
    "map_of_build": "`--map FILE.json`",
    "option": "`--{}`",
    "over": "`--over {}`",
    "overrides": "`--set {}`",
    "prefix": "`--prefix {}`",
    "size": "`--size {}`",
    "tolerance": "`--tolerance X`",
    "trainer": "`--trainer {}`",
    "transfer": "`--transfer`, in Python `transfer=True`,",
    "graph": "`archspec show SPEC --graph`",
    "text": "save the text to a file, or pass `-` to read it from standard input",
    "zoo": "`archspec list zoo`",
    "write_map": "`--write-map keys.json` writes a map with these pairs, and loads the weights with it",
}
"""The option for each argument that a help mentions, with `{}` for its value."""

ARGUMENTS = {"path": "output"}
"""The option for each argument that a diagnostic points into, if its name is not the argument's."""


def as_json(diagnostics: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    """Diagnostics as plain data, for JSON."""
    return [with_options(diagnostic).as_data() for diagnostic in diagnostics]


def with_options(diagnostic: Diagnostic) -> Diagnostic:
    """The diagnostic, with options of the command line instead of arguments of Python functions."""
    help = diagnostic.help
    for name, text, value in diagnostic.mentions:
        help = help.replace(text, OPTIONS[name].format(value))
    span = diagnostic.span
    if span and span.source.kind == "argument":
        name = ARGUMENTS.get(span.source.name, span.source.name).replace("_", "-")
        span = span._replace(source=replace(span.source, name=f"--{name}"))
    return replace(diagnostic, help=help, span=span)
