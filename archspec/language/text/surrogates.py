"""JSON's surrogate pairs: a character beyond U+FFFF that a text in double quotes escapes as two halves.

The parser refuses such escapes. So it gets a text of the same length with a stand-in for each pair, and every place in
it stays right. Afterwards each scalar takes the characters, or the text as it was written, from the source.
"""

from __future__ import annotations

import itertools
import re

_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_CONTROLS = (*range(1, 9), *range(0x0E, 0x20), *range(0x7F, 0x85), *range(0x86, 0xA0))
"""Characters that no spec may contain: what an author escapes in this way is refused anyway. There are more sequences
of three than fit into a spec, even where they overlap."""
_SEQUENCE = re.compile(r"(?=((?:\\x[0-9a-f]{2}){3}))")


class SurrogatePairs:
    """The surrogate pairs of one text; ``readable`` is the text for the parser."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.readable = text
        self._written = self._decoded = ""
        if r"\u" in text and _PAIR.search(text):
            used = set(_SEQUENCE.findall(text))
            codes = next(codes for codes in itertools.product(_CONTROLS, repeat=3) if _escapes(codes) not in used)
            self._written, self._decoded = _escapes(codes), "".join(map(chr, codes))
            self.readable = _PAIR.sub(lambda match: match[1] + self._written, text)

    def restore(self, value: str, start: int, end: int, style: str | None) -> str:
        """The value of a scalar at ``start`` to ``end`` of the text, with what the author wrote."""
        if not self._written or self._written not in self.readable[start:end]:
            return value
        pairs = [(match[2], match[3]) for match in _PAIR.finditer(self.text, start, end)]
        if style == '"':
            stand_in, originals = self._decoded, [_joined(int(high, 16), int(low, 16)) for high, low in pairs]
        else:
            stand_in, originals = self._written, [rf"\u{high}\u{low}" for high, low in pairs]
        parts = value.split(stand_in)
        if len(parts) != len(originals) + 1:  # the author escapes the same control characters
            return value
        return "".join(itertools.chain(*zip(parts, [*originals, ""], strict=True)))


def _escapes(codes: tuple[int, ...]) -> str:
    return "".join(f"\\x{code:02x}" for code in codes)


def _joined(high: int, low: int) -> str:
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
