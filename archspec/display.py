"""How results are shown outside a terminal: plain data for JSON, a table for a notebook, counts in words."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SCALARS = frozenset({str, int, float, bool, type(None)})


def plain(thing: object, *names: str) -> dict[str, Any]:
    """These attributes as JSON has them: sequences as lists, mappings as objects.

    >>> plain(2.5 + 1j, "real", "imag")
    {'real': 2.5, 'imag': 1.0}
    """
    return {name: _plain(getattr(thing, name)) for name in names}


def _plain(value: Any) -> Any:
    if type(value) in SCALARS:  # most values are, and asking whether they are mappings takes long
        return value
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def before_and_after(values: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    """Pairs, by name, as JSON has them.

    >>> before_and_after({"fc.bias": ((1000,), (10,))})
    {'fc.bias': {'before': [1000], 'after': [10]}}
    """
    return {name: {"before": _plain(before), "after": _plain(after)} for name, (before, after) in values.items()}


def html_table(
    caption: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    head: Sequence[str] = (),
    foot: Sequence[str] = (),
    notes: Iterable[str] = (),
) -> str:
    """A table for a notebook, with a paragraph for each note below it. Every text is escaped.

    >>> html_table(["one < two"], [["1", "2"]])
    '<table><caption>one &lt; two</caption><tbody><tr><td>1</td><td>2</td></tr></tbody></table>'
    """
    from html import escape  # only a notebook needs its table of entities

    titles = f"<thead>{_row(head, 'th')}</thead>" if head else ""
    total = f"<tfoot>{_row(foot)}</tfoot>" if foot else ""
    body = f"<tbody>{''.join(map(_row, rows))}</tbody>"
    below = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return f"<table><caption>{'<br>'.join(map(escape, caption))}</caption>{titles}{body}{total}</table>{below}"


def _row(cells: Sequence[str], tag: str = "td") -> str:
    from html import escape  # likewise

    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def counted(number: int, word: str) -> str:
    """A count in words.

    >>> counted(1, "key"), counted(1200, "key")
    ('1 key', '1,200 keys')
    """
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def short(number: int | None) -> str:
    """A large number with a unit and three digits.

    >>> short(4_089_184_256), short(None)
    ('4.09 G', 'unavailable')
    """
    if number is None:
        return "unavailable"
    if number < 1000:
        return str(number)
    value, units = number / 1000, "kMGTPE"
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {units[0]}"


def display_width(text: str) -> int:
    """How many columns ``text`` takes: two for a wide character, 0 for one that combines with the one before.

    >>> display_width("abc"), display_width("東京")
    (3, 4)
    """
    return len(text) if text.isascii() else sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me") or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
