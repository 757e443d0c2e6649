"""A griffe extension: makes Markdown of the project's docstrings, for the page of the Python API (see mkdocs.yml).

Docstrings are written for `help()`: roles such as ``:func:`load` `` and doctests without a fence. In Markdown the first
are noise and the second are quotations.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Docstring, Extension, Object

ROLE = re.compile(r":(?:func|class|meth|mod|data|attr|exc):`~?([^`]+)`")
DOCTEST = re.compile(r"(?m)^( *)>>> .*(?:\n\1\S.*)*")


def to_markdown(text: str) -> str:
    """A docstring with its roles as code, and a fence around each doctest.

    >>> print(to_markdown("See :func:`load`.\\n\\n>>> 1 + 1\\n2"))
    See `load`.
    <BLANKLINE>
    ```pycon
    >>> 1 + 1
    2
    ```
    """

    def fenced(match: re.Match[str]) -> str:
        indent = match[1]
        return f"{indent}```pycon\n{match[0]}\n{indent}```"

    return DOCTEST.sub(fenced, ROLE.sub(r"`\1`", text))


class Markdown(Extension):
    """Rewrites each docstring as griffe loads it."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if isinstance(obj.docstring, Docstring):
            obj.docstring.value = to_markdown(obj.docstring.value)
