"""Features as maps: one number is the size of every axis of the network, however many it has."""

from __future__ import annotations

import pytest
from torch import nn

from tests.support.equivalence import compiled
from tests.support.everywhere import assert_written

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("rank", list(CONVOLUTIONS))
def test_one_number_after_a_flat_value(rank: int, size: int) -> None:
    """In the head, in a fragment that it calls, and in a branch."""
    graph = compiled(
        f"""
        input: [2, {", ".join(["4"] * rank)}]
        fragments:
          maps: {{params: {{s: 1}}, steps: [flatten, linear: {{out: 64}}, reshape: {{size: s, name: mine}}]}}
        stem: []
        stages: []
        head:
          - flatten
          - reshape: {{size: {size}, name: r}}
          - maps: {{s: {size}}}
          - add: [[], [flatten, linear: {{out: 64}}, reshape: {{size: {size}, name: branch}}]]
        """
    )
    shapes = [node.shape for node in graph.nodes if node.operation.name == "reshape"]
    positions = size**rank
    assert shapes == [(width // positions, *(size,) * rank) for width in (2 * 4**rank, 64, 64)]


@pytest.mark.parametrize("rank", list(CONVOLUTIONS))
def test_it_is_unflatten(rank: int) -> None:
    graph = compiled(
        f"""
        input: [2, {", ".join(["4"] * rank)}]
        stem: []
        stages: []
        head: [flatten, linear: {{out: 64}}, reshape: {{size: 2}}, conv: {{out: 3, kernel: 3, bias: true}}]
        """
    )
    channels = 64 // 2**rank
    reference = nn.Sequential()
    reference.add_module("flatten", nn.Flatten())
    reference.add_module("linear", nn.Linear(2 * 4**rank, 64))
    reference.add_module("unflatten", nn.Unflatten(1, (channels, *(2,) * rank)))
    reference.add_module("conv1", CONVOLUTIONS[rank](channels, 3, 3, padding=1))
    assert_written(graph, reference)


@pytest.mark.parametrize("rank", list(CONVOLUTIONS))
def test_a_list_may_have_another_number_of_axes(rank: int) -> None:
    for size in ([4], [2, 2], [4, 1, 1]):
        sizes = ", ".join(["4"] * rank)
        graph = compiled(f"input: [2, {sizes}]\nstem: []\nstages: []\nhead: [flatten, reshape: {{size: {size}}}]\n")
        assert graph.output == (2 * 4**rank // 4, *size)
