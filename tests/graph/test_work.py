"""The steps that a network takes: more for what is new in it, and the same in every process."""

from __future__ import annotations

import archspec
from archspec.graph.graph import Graph
from archspec.operations.facts import applied
from archspec.work import STEPS_OF_A_KIND


def network(block: str, channels: str, count: int = 60) -> Graph:
    text = f"archspec: 1\nname: t\nshortcut: none\nstem: []\nhead: []\nblocks: {{b: {{steps: {block}}}}}\n"
    return archspec.compile(f"{text}stages: {{block: b, count: {count}, channels: {channels}, stride: 1}}\n")


def steps(graph: Graph) -> int:
    return sum(graph.work.values())


def kinds(graph: Graph) -> int:
    """How many operations the network has, each at each size of its inputs."""
    return len({(node.operation, graph.input_shapes(node)) for node in graph.nodes})


def test_an_operation_at_a_new_size_takes_more_steps() -> None:
    for block in ("[conv: {out: channels}]", "[conv: {out: channels, kernel: [1, 3]}, norm: {type: layer}, act]"):
        few, some, many = (network(block, f"1 + index % {widths}") for widths in (10, 25, 50))  # in texts of one length
        assert kinds(few) < kinds(some) < kinds(many)
        for graph in (some, many):
            assert steps(graph) - steps(few) == STEPS_OF_A_KIND * (kinds(graph) - kinds(few))


def test_the_count_does_not_depend_on_what_the_process_remembers() -> None:
    applied.cache_clear()
    first = steps(network("[conv: {out: channels}, act]", "1 + index % 9"))
    assert applied.cache_info().misses > 9
    assert steps(network("[conv: {out: channels}, act]", "1 + index % 9")) == first


def test_a_copy_takes_no_steps_for_what_is_new() -> None:
    """All blocks after the second are copies of it, so each takes as many steps as the next."""
    short, middle, long = (network("[conv: {out: channels}, act]", "8", count) for count in (10, 20, 30))
    assert steps(long) - steps(middle) == steps(middle) - steps(short) < 10 * STEPS_OF_A_KIND
