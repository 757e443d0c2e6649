"""A page for each diagnostic code: what the code means, its usual causes, an example, and the example corrected."""

from __future__ import annotations

import importlib.resources


def read_page(code: str) -> str:
    """The page of a code in ``archspec.codes.CODES``, as Markdown.

    The first paragraph says what the code means. The blocks after ``Example:`` give the code, and those after
    ``Corrected:`` do not.

    >>> print(read_page("E403").partition("Usual causes:")[0].strip())
    The expression gives a fraction where a whole number is required: for channels,
    sizes, and counts. archspec does not round by itself.
    """
    return (importlib.resources.files(__name__) / f"{code}.md").read_text(encoding="utf-8")
