"""What stands at the edges: stem and head around blocks that begin or end otherwise, and what a stage has around it."""

from __future__ import annotations

import pytest

from tests.support.equivalence import compiled

# By He et al. 2016, figure 4, for a block of two layers; the shortcut is the identity.
BLOCKS = {
    "post": "conv norm act conv norm add act",
    "norm-after-add": "conv norm act conv add norm act",
    "act-before-add": "conv norm act conv norm act add",
    "act-only-pre": "act conv norm act conv norm add",
    "pre": "norm act conv norm act conv add",
}
# What the first block begins with is left out of the stem, and what the last one leaves out begins the head.
STEMS = {"pre": "conv", "act-only-pre": "conv norm"}
HEADS = {"pre": "norm act", "act-only-pre": "act"}


@pytest.mark.parametrize("order", BLOCKS)
def test_each_order_with_its_stem_and_head(order: str) -> None:
    graph = compiled(f"""
        input: [3, 8, 8]
        stem: [layer: {{out: 8, kernel: 3}}]
        activation_order: {order}
        stages: {{block: basic, count: 1, channels: 8}}
        """)
    expected = f"{STEMS.get(order, 'conv norm act')} {BLOCKS[order]} {HEADS.get(order, '')} pool flatten linear"
    assert [node.operation.name for node in graph.nodes] == expected.split()


def test_before_sees_the_first_block_and_after_the_last() -> None:
    graph = compiled("""
        input: [3, 8, 8]
        stem: [conv: {out: 4}]
        blocks:
          given: {steps: [conv: {out: channels}]}
        stages:
          - {block: given, count: 2, channels: [16, 32], before: [conv: {out: channels + index}],
             after: [conv: {out: channels + 10 * index + number}]}
        """)
    channels = [node.shape[0] for node in graph.nodes if node.operation.name == "conv"]
    assert channels == [4, 16, 16, 32, 32 + 10 + 1]
