"""Text that is safe to print: nothing in it controls a terminal or the runner of a workflow."""

from __future__ import annotations

import re

_COMMAND = re.compile(r"^((?:[^\S\n]|\x1b\[[0-9;]*m)*):(?=:)|#(?=#\[|#vso\[)", re.MULTILINE)
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
    r"|\x1b(?!\[[0-9;]*m)"
)


def inert(text: str) -> str:
    """Text that controls neither a terminal nor a runner of workflows, whatever the names and specs in it.

    GitHub takes a line that begins with ``::`` for a command, and ``##[`` and Azure's ``##vso[`` anywhere in a line.
    Control and direction characters, other than line breaks and archspec's own colors, are shown as escapes.

    >>> inert("::stop-commands::x.yaml: ok, ##[group]\\x1b]0;title")
    '\\\\u003a:stop-commands::x.yaml: ok, \\\\u0023#[group]\\\\u001b]0;title'
    """
    text = _COMMAND.sub(lambda found: f"{found[1] or ''}{escaped(found[0][-1])}", text)
    return text if text.isascii() and text.isprintable() else _CONTROL.sub(lambda found: escaped(found[0]), text)


def escaped(character: str) -> str:
    return f"\\u{ord(character):04x}"
