"""The word that is meant: as difflib finds it where words are few, and for a bounded price where they are many."""

from __future__ import annotations

import difflib
import functools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.hints import MAX_WORD, Hints, slips_between
from tests.support.timing import allowed

WORDS = st.text("abcx_-01A", min_size=1, max_size=12)


def by_difflib(word: str, words: list[str]) -> str:
    folded = {each.lower().replace("_", "-"): each for each in words}
    wanted = word.lower().replace("_", "-")
    close = difflib.get_close_matches(wanted, list(folded), n=len(folded) or 1, cutoff=0.6)
    return next((folded[each] for each in close if misspelled(wanted, each)), "")


def misspelled(one: str, other: str) -> bool:
    """Whether one word may be the other with slips of the pen, as docs and messages promise it."""
    longest = max(len(one), len(other))
    numbers = [[letter for letter in word if letter.isdigit()] for word in (one, other)]
    if len(numbers[0]) == len(numbers[1]):
        for digit in numbers[0]:
            if digit in numbers[1]:
                numbers[1].remove(digit)
        if len(numbers[1]) > 1:
            return False
    exchanged = sorted(one) == sorted(other)
    if longest < 4:
        return exchanged or (len(one) != len(other) and slips(one, other) == 1 and one[0] == other[0])
    if one[0] == other[0]:
        return slips(one, other) <= max(1, longest // 4)
    return slips(one, other) <= 1 and (exchanged or len(one) != len(other))


@functools.cache
def slips(one: str, other: str) -> int:
    """By the definition, letter by letter from the end: left out, added, replaced or exchanged."""
    if not one or not other:
        return len(one) + len(other)
    ways = [slips(one[:-1], other) + 1, slips(one, other[:-1]) + 1]
    ways.append(slips(one[:-1], other[:-1]) + (one[-1] != other[-1]))
    if len(one) > 1 and len(other) > 1 and one[-1] == other[-2] and one[-2] == other[-1]:
        ways.append(slips(one[:-2], other[:-2]) + 1)
    return min(ways)


@given(WORDS, WORDS)
def test_slips_are_counted_as_defined(one: str, other: str) -> None:
    assert slips_between(one, other) == slips(one, other)


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("downsample", ["upsample"]),
        ("attention", ["flatten"]),
        ("dense", ["deep"]),
        ("pixel_shuffling", ["channel_shuffle"]),
        ("activation", ["activation_order"]),
        ("fish", ["mish"]),
        ("resnet26", ["resnet18", "resnet50"]),
        ("bn", ["by", "in"]),
        ("condense", ["concat"]),
    ],
)
def test_a_word_of_another_meaning_is_no_suggestion(word: str, words: list[str]) -> None:
    assert Hints().nearest(word, words) == ""


@given(WORDS, st.lists(WORDS, max_size=40))
def test_the_closest_of_a_few_words_is_that_of_difflib(word: str, words: list[str]) -> None:
    assert Hints().nearest(word, words) == by_difflib(word, words)


@settings(max_examples=4)
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
