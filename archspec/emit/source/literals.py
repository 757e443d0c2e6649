"""Values as Python text. No text from a spec can end a string early or become code."""

from __future__ import annotations

import keyword
import re


def literal(value: object) -> str:
    """A constant as ``ruff format`` leaves it.

    >>> print(literal('a "b"'), literal("it's"), literal(1e-5), literal((1, 2.0, None)))
    'a "b"' "it's" 1e-5 (1, 2.0, None)
    """
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' * (len(value) == 1)})"
    return "..." if value is ... else repr(value)


def _float(value: float) -> str:
    if abs(value) == float("inf"):
        return "1e999" if value > 0 else "-1e999"
    return re.sub(r"e([+-])0", r"e\1", repr(value)).replace("e+", "e")


def _string(text: str) -> str:
    inside = repr(text + "'\"")[1:-4]  # where both quotes occur, repr takes the single one and escapes only that
    if text.count('"') > text.count("'"):
        return f"'{inside}'"
    inside = inside.replace("\\'", "'").replace('"', '\\"')
    return f'"{inside}"'


def identifier(text: str, otherwise: str = "part") -> str:
    """An ASCII name of a variable made from any text: ``2plus1d`` becomes ``part_2plus1d``.

    >>> identifier("conv-1"), identifier("2plus1d"), identifier("class"), identifier("é")
    ('conv_1', 'part_2plus1d', 'class_', 'part')
    """
    found = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")
    if not found:
        return otherwise
    if found[0].isdigit():
        found = f"{otherwise}_{found}"
    return f"{found}_" if keyword.iskeyword(found) or keyword.issoftkeyword(found) else found
