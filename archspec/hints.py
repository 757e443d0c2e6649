"""The closest word to a misspelled one, for ``did you mean``. The search is bounded: there may be many words."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

HINT_WORK = 200_000
"""How many characters the hints of one phase may compare."""

CLOSE = 0.6
"""How alike two words must be, from 0 to 1, so that their letters are compared one by one."""

_PACKAGE = "torch.nn."

MAX_WORD = 64
"""How many characters of a misspelled word are compared."""


@dataclass(slots=True)
class Hints:
    """The search for the intended words in one phase, which compares at most ``left`` characters in all.

    A word with another meaning is never suggested, however similar it looks.

    >>> hints = Hints()
    >>> hints.nearest("chanels", ["channels", "count"]), hints.nearest("downsample", ["upsample"])
    ('channels', '')
    """

    left: int = HINT_WORK

    def nearest(self, word: str, words: Iterable[str]) -> str:
        """The word that ``word`` misspells; an empty text if no word is close, or the bound is reached."""
        wanted = _folded(word[:MAX_WORD])
        folded: dict[str, str] = {}
        for each in map(str, words):
            if self.left <= 0:
                break
            self.left -= 4
            known = each.removeprefix(_PACKAGE)
            if 2 * min(len(known), len(wanted)) >= CLOSE * (len(known) + len(wanted)):
                folded[_folded(known)] = each
                self.left -= len(known)
        swapped = next((each for each in (wanted, *_swapped(wanted)) if each in folded), "")
        return folded.get(swapped or self._closest(wanted, folded), "")

    def _closest(self, wanted: str, words: Iterable[str]) -> str:
        """Of the words that may be meant, the one that ``difflib`` finds most alike, without comparing all in full."""
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
            if (found := (matcher.ratio(), each)) > best and self._misspelled(wanted, each):
                best = found
        return best[1]

    def _misspelled(self, wanted: str, word: str) -> bool:
        """Whether ``wanted`` may be ``word`` with slips of the pen: one, or more in a long word with the same start."""
        longest = max(len(wanted), len(word))
        if _other_digits(wanted, word) > 1:
            return False  # another number names another thing
        self.left -= longest * longest
        slips = slips_between(wanted, word)
        if longest < 4:  # a letter for another one makes another word
            left_out = len(wanted) != len(word) and (wanted[:1] == word[0] or word[1:] == wanted or wanted[1:] == word)
            return sorted(wanted) == sorted(word) or (slips == 1 and left_out)
        if wanted[:1] == word[:1]:
            return slips <= max(1, longest // 4)
        # A pen rarely slips to another first letter; it may leave one out, add one, or exchange the first two.
        return slips <= 1 and (len(wanted) != len(word) or sorted(wanted) == sorted(word))


def slips_between(one: str, other: str) -> int:
    """How many letters were left out, added, replaced, or exchanged with the next one.

    >>> slips_between("cuont", "count"), slips_between("resnet5O", "resnet50")
    (1, 1)
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        above, row = row, [i]
        for j, wanted in enumerate(other, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != wanted)))
            if i > 1 and j > 1 and letter == other[j - 2] and wanted == one[i - 2]:
                row[j] = min(row[j], before[j - 2] + 1)
        before = above
    return row[-1]


def _other_digits(one: str, other: str) -> int:
    """How many digits differ between two words that have equally many."""
    left, right = (Counter(filter(str.isdecimal, word)) for word in (one, other))
    return (left - right).total() if left.total() == right.total() else 0


def _swapped(word: str) -> Iterator[str]:
    """The word with two neighbors swapped: a single slip, though two letters change."""
    return (word[:place] + word[place + 1] + word[place] + word[place + 2 :] for place in range(len(word) - 1))


def _folded(word: str) -> str:
    return word.removeprefix("torch.").removeprefix("nn.").lower().replace("_", "-")


def _alike(one: str, other: str) -> int:
    """How many characters two words have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
