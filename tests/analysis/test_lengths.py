"""Lengths of paths through small made-up walks, against a list of every path."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archspec.analysis.lengths import Lengths, Steps, Walk, walks_to

START = -1


@st.composite
def walks(draw: st.DrawFn) -> Steps:
    """Up to eight nodes, numbered with gaps; each reads one to three nodes before it, the last all unread ones."""
    nodes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=8).map(lambda gaps: list(itertools.accumulate(gaps))))
    known, unread, steps = [START], {START}, {}
    for node in nodes:
        near = st.sampled_from(known[-draw(st.integers(1, 4)) :])
        ways = draw(st.lists(st.tuples(near, st.integers(0, 3)), min_size=1, max_size=3))
        unread -= {way for way, _ in ways}
        if node == nodes[-1]:
            ways += [(way, draw(st.integers(0, 3))) for way in sorted(unread)]
        steps[node] = tuple(ways)
        known.append(node)
        unread.add(node)
    return steps


def listed(steps: Steps) -> list[int]:
    """The length of every path from the start to the last node."""
    paths = {START: [0]}
    for node, ways in steps.items():
        paths[node] = [before + length for way, length in ways for before in paths[way]]
    return paths[list(steps)[-1]]


def walk_of(steps: Steps) -> Walk:
    """The walk to the last node."""
    end = list(steps)[-1]
    return walks_to(steps, START, [end])[end]


def assert_measured(steps: Steps) -> None:
    found, wanted = walk_of(steps), listed(steps)
    assert found.paths == len(wanted)
    lengths = found.lengths(distribution=True)
    assert (lengths.least, lengths.most) == (min(wanted), max(wanted))
    mean = sum(wanted) / len(wanted)
    assert lengths.mean == pytest.approx(mean)
    assert lengths.std == pytest.approx(math.sqrt(sum((n - mean) ** 2 for n in wanted) / len(wanted)), abs=1e-9)
    counted = Counter(wanted)
    assert lengths.counts == tuple(counted[length] for length in range(max(wanted) + 1))
    assert found.lengths(distribution=False) == Lengths(lengths.least, lengths.most, lengths.mean, lengths.std, None)


@given(walks())
@example({0: ((START, 0),)})
@example({0: ((START, 0), (START, 2)), 1: ((0, 0), (0, 2))})
@example({0: ((START, 0), (START, 0), (START, 3)), 3: ((0, 1), (0, 3))})
@settings(max_examples=60)
def test_any_walk(steps: Steps) -> None:
    assert_measured(steps)


@given(walks(), st.data())
@settings(max_examples=60)
def test_the_walks_to_several_nodes_are_those_to_each_alone(steps: Steps, data: st.DataObject) -> None:
    ends = data.draw(st.sets(st.sampled_from(list(steps)), min_size=1))
    together = walks_to(steps, START, ends)
    assert together.keys() == ends
    for end in ends:
        wanted = Counter(listed({node: ways for node, ways in steps.items() if node <= end}))
        assert together[end].paths == wanted.total()
        assert together[end].lengths(True).counts == tuple(wanted[length] for length in range(max(wanted) + 1))
        alone = walks_to(steps, START, [end])[end]
        assert (together[end].choices, together[end].lengths(True)) == (alone.choices, alone.lengths(True))


@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize(
    "block",
    [(0, 1), (1, 3), (0, 0), (2, 2), (2, 4), (3,), (0,), (0, 1, 3), (1, 1, 4), (0, 2, 4), (3, 1), (0, 0, 2), (2, 2, 2)],
    ids=str,
)
def test_the_same_block_in_a_row(block: tuple[int, ...], times: int) -> None:
    """Of one, two and three terms, with and without a common divisor, and with coefficients above 1."""
    assert_measured({n: tuple((n - 1, length) for length in block) for n in range(times)})


@pytest.mark.parametrize("blocks", list(itertools.combinations([(0, 1), (1, 3), (5,), (2, 2, 4), (0, 0)], 3)), ids=str)
def test_different_blocks_in_a_row(blocks: tuple[tuple[int, ...], ...]) -> None:
    walk = [*blocks, *blocks[:1]]
    assert_measured({n: tuple((n - 1, length) for length in block) for n, block in enumerate(walk)})


def test_a_walk_is_cut_where_all_paths_meet_and_equal_sections_are_counted() -> None:
    """Two equal blocks, a step, and a section in which a path passes one node by."""
    steps = {
        0: ((START, 0), (START, 2)),
        3: ((0, 0), (0, 2)),
        5: ((3, 1),),
        6: ((5, 0),),
        8: ((5, 1), (6, 0)),
    }
    cut = walk_of(steps).sections
    assert cut == {
        (((-1, 0), (-1, 2)),): 2,
        (((-1, 1),),): 1,
        (((-1, 0),), ((-1, 1), (0, 0))): 1,
    }
    assert_measured(steps)


@pytest.mark.parametrize("power", [10, 100, 1000])
def test_many_blocks_of_three_ways(power: int) -> None:
    """(1 + x + x^2)^n at 1 is 3^n, it is symmetric, and its second coefficient is n."""
    steps = {n: ((n - 1, 0), (n - 1, 1), (n - 1, 2)) for n in range(power)}
    counts = walk_of(steps).lengths(distribution=True).counts
    assert counts is not None
    assert sum(counts) == 3**power
    assert counts == counts[::-1]
    assert counts[:3] == (1, power, math.comb(power, 2) + power)


SKEWED = Lengths(1, 6, 2.5, 1.0, (0, 4, 6, 4, 0, 1, 1))


@pytest.mark.parametrize(
    ("low", "high", "paths"),
    [(0, 6, 16), (1, 1, 4), (2, 3, 10), (-5, 2, 10), (5, 99, 2), (4, 4, 0), (6, 6, 1), (7, 9, 0), (3, 2, 0)],
)
def test_the_share_of_a_range(low: int, high: int, paths: int) -> None:
    assert SKEWED.share(low, high) == paths / 16


@pytest.mark.parametrize(
    ("share", "middle"),
    [(0.625, (2, 3)), (0.63, (1, 4)), (0.875, (1, 4)), (0.88, (1, 5)), (0.9375, (1, 5)), (0.94, (1, 6)), (1, (1, 6))],
)
def test_the_middle_is_the_narrowest_range_that_holds_the_share(share: float, middle: tuple[int, int]) -> None:
    """About a mean of 2.5: 2 to 3 has 10 of 16, 1 to 4 has 14, 0 to 5 has 15, and all have 16."""
    assert SKEWED.middle(share) == middle


def test_the_middle_has_at_least_98_percent_by_default() -> None:
    assert Lengths(0, 4, 2, 1.0, (1, 0, 98, 0, 1)).middle() == (2, 2)
    assert Lengths(0, 4, 2, 1.0, (2, 0, 97, 0, 1)).middle() == (0, 4)


def test_without_a_distribution_there_is_no_share() -> None:
    for ask in (lambda lengths: lengths.share(0, 1), lambda lengths: lengths.middle()):
        with pytest.raises(ValueError, match=r"^the distribution was not computed: ask for `lengths`$"):
            ask(Lengths(0, 1, 0.5, 0.5, None))
    assert "counts" not in repr(SKEWED)
