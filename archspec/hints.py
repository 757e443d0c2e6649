"""The closest word to a misspelled one, for ``did you mean``. The search is bounded: there may be many words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

HINT_WORK = 200_000
"""How many characters the hints of one phase may compare."""

CLOSE = 0.6
"""How alike two words must be, from 0 to 1, so that one may be a misspelling of the other."""

MAX_WORD = 64
"""How many characters of a misspelled word are compared."""


@dataclass(slots=True)
class Hints:
    """The search for the intended words in one phase, which compares at most ``left`` characters in all.

    >>> hints = Hints()
    >>> hints.nearest("chanels", ["channels", "count"])
    'channels'
    """

    left: int = HINT_WORK

    def nearest(self, word: str, words: Iterable[str]) -> str:
        """The word closest to a misspelled ``word``; an empty text if no word is close, or the bound is reached."""
        wanted = _folded(word[:MAX_WORD])
        folded: dict[str, str] = {}
        for each in map(str, words):
            if self.left <= 0:
                break
            self.left -= 4
            if 2 * min(len(each), len(wanted)) >= CLOSE * (len(each) + len(wanted)):
                folded[_folded(each)] = each
                self.left -= len(each)
        return folded.get(self._closest(wanted, folded), "")

    def _closest(self, wanted: str, words: Iterable[str]) -> str:
        """The same word as ``difflib.get_close_matches`` finds, which compares all words in full."""
        matcher = difflib.SequenceMatcher(b=wanted)
        likely = []
        for each in words:
            matcher.set_seq1(each)
            if (bound := matcher.quick_ratio()) >= CLOSE:
                likely.append((bound, _alike(wanted, each) + _alike(wanted[::-1], each[::-1]), each))
        best = (CLOSE, "")
        for bound, _, each in sorted(likely, reverse=True):
            if bound < best[0] or self.left <= 0:
                break
            self.left -= len(each) * len(wanted) // 4
            matcher.set_seq1(each)
            best = max(best, (matcher.ratio(), each))
        return best[1]


def _folded(word: str) -> str:
    return word.lower().replace("_", "-")


def _alike(one: str, other: str) -> int:
    """How many characters two words have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
