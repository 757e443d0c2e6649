"""Sizes that do not meet after an upsample: the message has the size that was rounded, and what it advises works."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.diagnostics import Diagnostic, SpecError
from tests.support.equivalence import compiled
from tests.support.properties import tries

DOWN = {
    "conv": "conv: {{out: 4, kernel: 3, stride: {by}}}",
    "pool": "pool: {{type: max, kernel: {by}}}",
    "ceil": "pool: {{type: avg, kernel: {by}, ceil: true}}",
}
UP = {
    "scale": "upsample: {{scale: {by}}}",
    "transposed": "conv: {{out: 4, kernel: {by}, stride: {by}, transposed: true}}",
    "like": "upsample: {{like: c{level}}}",
}


def ladder(size: int, downs: list[tuple[str, int]], up: str) -> str:
    """A network that goes down by these steps and up again, with a skip at each level."""
    stem = ["conv: {out: 4, as: c0}"]
    head = []
    for level, (kind, by) in enumerate(downs):
        keep = f"conv: {{out: 4, as: c{level + 1}}}"
        stem += [DOWN[kind].format(by=by), keep if level + 1 < len(downs) else "conv: {out: 4}"]
        head = [UP[up].format(by=by, level=level), f"add: [[], [from: c{level}]]", *head]
    return f"input: [3, {size}]\nstages: []\nsilence: [W310]\nstem: [{', '.join(stem)}]\nhead: [{', '.join(head)}]\n"


def sizes(size: int, downs: list[tuple[str, int]]) -> list[int]:
    """The sizes of the values `c0`, `c1`, ... of a ladder."""
    found = [size]
    for kind, by in downs[:-1]:
        found.append(found[-1] // by if kind == "pool" else -(-found[-1] // by))
    return found


def refused(text: str) -> Diagnostic | None:
    try:
        compiled(text)
    except SpecError as error:
        return error.diagnostics[0]
    return None


@tries(60)
@given(
    size=st.integers(54, 190),
    downs=st.lists(st.tuples(st.sampled_from(sorted(DOWN)), st.integers(2, 3)), min_size=1, max_size=3),
    up=st.sampled_from(["scale", "transposed"]),
)
def test_what_the_message_advises_compiles(size: int, downs: list[tuple[str, int]], up: str) -> None:
    fault, number = refused(ladder(size, downs, up)), size
    while fault:  # the deepest level is told first
        (note,) = [each for each in fault.notes if " rounded " in each]
        rounded, _, enlarged = note.partition(", and ")
        before, *_, small = map(int, re.findall(r" (\d+)", rounded))
        again, *_, large = map(int, re.findall(r" (\d+)", enlarged))
        assert (fault.code, small) == ("E504", again)
        assert ("rounded up" in note) == (small == -(-before // (large // again)))
        assert {before, large} == set(map(int, re.findall(r"4x(\d+)", fault.message)))
        named = re.search(r"`upsample: {like: (c\d)}`, which has the size of the other value", fault.help)
        assert (named is not None) == (up == "scale")
        assert not named or sizes(number, downs)[int(named[1].removeprefix("c"))] == before
        found = re.search(r"such as (\d+)", fault.help)
        assert found
        assert int(found[1]) > number
        number = int(found[1])
        fault = refused(ladder(number, downs, up))
    assert refused(ladder(size, downs, "like")) is None


@pytest.mark.parametrize("steps", ["upsample: {scale: 3}", "upsample: {size: 13}"])
def test_another_reason_is_not_told_as_an_odd_size(steps: str) -> None:
    """Without rounding, the sizes would not meet either."""
    text = f"stem: [conv: {{out: 4, as: c0}}, conv: {{out: 4, kernel: 3, stride: 2}}, {steps}, add: [[], [from: c0]]]"
    fault = refused(f"input: [3, 25]\nstages: []\n{text}\nhead: []")
    assert fault
    assert not [note for note in fault.notes if " rounded " in note]
    assert "like: " not in fault.help


def test_the_message_of_a_u_net_at_an_odd_size() -> None:
    fault = refused(ladder(25, [("conv", 2)], "scale"))
    assert fault
    assert fault.message == "4x26 and 4x25 cannot be added"
    assert fault.notes[-1] == "`conv2` halves 25 to 13, rounded up, and `upsample` doubles 13 to 26"
    like = "write `upsample: {like: c0}`, which has the size of the other value"
    assert fault.help == f"{like}; or use an input size that is divisible by 2, such as 26"
