"""The widths of texts, from the metrics that Helvetica, Arial and Liberation Sans share."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"

_REGULAR = {
    191: "'",
    222: "ijl‘’",  # noqa: RUF001
    260: "|¦",
    278: " !,./:;I[\\]ft·ÌÍÎÏìíîï",
    333: "()-`r¡¨²³´¸¹“”",  # noqa: RUF001
    355: '{}"',
    400: "*°ªº",
    469: "^",
    500: "Jcksvxyzçýÿ",
    556: "–",  # noqa: RUF001
    584: "+<=>~¬±÷≤≥×−",  # noqa: RUF001
    611: "FTZ¿ßø",
    667: "&ABEKPSVXYÀÁÂÃÄÅÈÉÊËÝÞ",
    722: "CDHNRUwÇÐÑÙÚÛÜ",
    778: "GOQÒÓÔÕÖØ©®",
    833: "MmÆ¼½¾",
    944: "%æW",
    1000: "—…→",
    1015: "@",
}
"""Widths in thousandths of the size. The other letters and the digits have 556."""

_BOLD = {
    238: "'",
    280: "|¦",
    278: " ,./I\\ijl·‘’",  # noqa: RUF001
    333: "!()-:;[]`ft",
    389: "*r{}",
    474: '"',
    500: "z“”",
    556: "#$0123456789J_aceksvxy–",  # noqa: RUF001
    584: "+<=>^~×−",  # noqa: RUF001
    667: "EPSVXY",
    722: "&ABCDHKNRU",
    778: "GOQw",
    889: "%mM",
    975: "@W",
    1000: "—…→",
}

_WIDTHS = [
    {character: width for width, characters in table.items() for character in characters} for table in (_REGULAR, _BOLD)
]
_OTHERS = (556, 611)


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """The width of a text in pixels, for a font size in pixels. An unknown character counts as wide as any other.

    >>> text_width("conv", 10), text_width("conv", 10, bold=True) > text_width("conv", 10)
    (21.12, True)
    """
    widths, other = _WIDTHS[bold], _OTHERS[bold]
    return sum([widths.get(c) or _unknown(c, other) for c in text]) * size / 1000


def _unknown(character: str, other: int) -> int:
    if " " <= character <= "\xff":
        return other
    return 0 if unicodedata.combining(character) else 1000


def shorten(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """The text, with its middle left out if it is too wide.

    >>> shorten("a_block_with_a_very_long_name", 80, 10), shorten("conv", 80, 10)
    ('a_bloc…g_name', 'conv')
    """
    if text_width(text, size, bold=bold) <= width:
        return text
    low, high = 1, min(len(text), int(width))  # how many characters stay
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(_cut(text, middle), size, bold=bold) <= width:
            low = middle
        else:
            high = middle - 1
    return _cut(text, low)


def _cut(text: str, kept: int) -> str:
    """The first and the last characters of a text."""
    last = kept // 2
    return f"{text[: kept - last].rstrip()}…{text[len(text) - last :].lstrip()}"


def wrapped(text: str, width: float, size: float) -> list[str]:
    """The text in lines of at most this width; a longer word is shortened.

    >>> wrapped("a text of several words", 70, 10)
    ['a text of', 'several words']
    """
    lines: list[str] = []
    for word in text.split():
        word = shorten(word, width, size)
        joined = f"{lines[-1]} {word}" if lines else ""
        if joined and text_width(joined, size) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines
