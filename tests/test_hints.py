"""The word that is meant: as difflib finds it where words are few, and for a bounded price where they are many."""

from __future__ import annotations

import difflib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.hints import MAX_WORD, Hints
from tests.support.timing import allowed

WORDS = st.text("abcx_-01A", min_size=1, max_size=12)


def by_difflib(word: str, words: list[str]) -> str:
    folded = {each.lower().replace("_", "-"): each for each in words}
    close = difflib.get_close_matches(word.lower().replace("_", "-"), list(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else ""


@given(WORDS, st.lists(WORDS, max_size=40))
def test_the_closest_of_a_few_words_is_that_of_difflib(word: str, words: list[str]) -> None:
    assert Hints().nearest(word, words) == by_difflib(word, words)


@settings(max_examples=10)
@given(st.data())
def test_a_word_with_one_slip_is_found_among_hundreds(data: st.DataObject) -> None:
    words = [f"layer{stage}.{block}.{kind}{n}" for stage in range(4) for block in range(36) for kind in ("conv", "bn")
             for n in (1, 2, 3)]  # fmt: skip
    meant = data.draw(st.sampled_from(words))
    place = data.draw(st.integers(0, len(meant) - 1))
    assert Hints().nearest(meant[:place] + meant[place + 1 :], words) == by_difflib(
        meant[:place] + meant[place + 1 :], words
    )


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("pramm00123", [f"param{n:05}" for n in range(5000)]),
        ("a" * 10_000, ["a" * length for length in range(1, 3000)]),
        ("ab" * 5000, ["ba" * length for length in range(1, 3000)]),
        ("x" * MAX_WORD, ["x" * (MAX_WORD - 1) + chr(97 + n % 26) * (n % 60) for n in range(5000)]),
        ("layer", ["l" * 100_000] * 1000),
    ],
)
def test_thousands_of_hints_in_one_phase_cost_a_bounded_time(word: str, words: list[str]) -> None:
    hints = Hints()
    begun = time.process_time()
    for number in range(2000):
        hints.nearest(f"{word}{number}", words)
    assert time.process_time() - begun < allowed(0.8)
