"""A block more or less than the reference has: the message names the block, not the layers that follow it."""

from __future__ import annotations

import pytest

import archspec
from tests.support.equivalence import spec

PLAIN = """
    input: [3, 32, 32]
    classes: 5
    stem: cifar
    stages: {{block: basic, count: {}, channels: [8, 12, 12], stride: [1, 2, 1]}}
    """

CASES = {
    "missing in the middle": (
        [2, 1, 1],
        "before `layer2.0.conv1`, the reference has `layer1.2`, which is missing here",
    ),
    "missing at the end": ([3, 1, 1], "before `fc`, the reference has `layer3.1`, which is missing here"),
    "several": (
        [1, 1, 2],
        "before `layer2.0.conv1`, the reference has `layer1.1` to `layer1.2`, which are missing here",
    ),
    "one too many": ([4, 1, 2], "`layer1.3` is only here: the reference has its `layer2.0.conv1` at this place"),
    "two stages": ([2, 2, 2], "before `layer2.0.conv1`, the reference has `layer1.2`, which is missing here"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_block_is_named(case: str) -> None:
    count, message = CASES[case]
    found = archspec.verify(made(count), lambda: archspec.build(made([3, 1, 2])), levels=("graph",))
    assert found.graph.difference is not None
    assert found.graph.difference.message == message
    if "missing" in message:
        assert str(found.graph.difference.notes[0]).startswith("in layer")


def made(count: list[int]) -> archspec.Graph:
    return archspec.compile(spec(PLAIN.format(count)))


@pytest.mark.parametrize("counts", [[1, 2, 3, 4, 3, 2, 1], [1, 2, 3, 4, 3, 5, 1]])
def test_names_that_are_numbers(counts: list[int]) -> None:
    """The last blocks of the stage are equal and numbered on, so which of them is missing is found by what follows."""
    graph = archspec.compile("mobilenet_v2", overrides={"stages.count": counts, "input": [3, 32, 32]})
    reference = archspec.compile("mobilenet_v2", overrides={"input": [3, 32, 32]})
    found = archspec.verify(graph, lambda: archspec.build(reference), levels=("graph",))
    assert found.graph.difference is not None
    told = found.graph.difference.message
    wanted = {
        2: "before `features.16.conv.0.0`, the reference has `features.16`, which is missing here",
        5: "`features.17` to `features.18` are only here: the reference has its `features.17.conv.0.0` at this place",
    }
    assert told == wanted[counts[5]]


def test_a_change_of_every_width_is_not_a_missing_block() -> None:
    other = spec(PLAIN.format([3, 1, 1]).replace("[8, 12, 12]", "[16, 24, 24]"))
    found = archspec.verify(made([3, 1, 1]), lambda: archspec.build(other), levels=("graph",))
    assert found.graph.difference is not None
    assert "missing" not in found.graph.difference.message
