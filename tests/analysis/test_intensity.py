"""The arithmetic intensity of a whole network, by counting what each operation of torch reads and writes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import fx
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

import archspec
from tests.support.equivalence import compiled


class Traffic(fx.Interpreter):
    """Runs a flat graph and counts the elements of all values that its operations read and write."""

    moved = 0

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if n.op.startswith("call_"):
            args, kwargs = self.fetch_args_kwargs_from_env(n)
            values = [value for value in tree_leaves((args, kwargs, result)) if isinstance(value, torch.Tensor)]
            self.moved += sum(value.numel() for value in values)
        return result


def test_merges_read_every_input() -> None:
    graph = compiled("""
        input: [3, 8, 8]
        stem: [conv: {out: 4}, concat: [[], [conv: {out: 5}], []], add: [[], [conv: {out: 13}]]]
        stages: {block: basic, count: 2, channels: 13}
        """)
    model = archspec.build(graph, device="meta", flat=True).eval()
    traffic = Traffic(model)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        traffic.run(torch.empty(1, 3, 8, 8, device="meta"))
    moved = traffic.moved + sum(weight.numel() for weight in model.parameters())
    assert archspec.analyze(graph).totals.intensity == counter.get_total_flops() / (4 * moved)


NETWORKS = {
    # The FLOPs of one example, the elements of the weights, and those that the operations read and write for one.
    "linear layers": (
        "input: [1024, 1]\nnorm: none\nstem: [flatten]\nhead: []\nblocks: {l: {steps: [linear: {out: channels}]}}\n"
        "stages: {block: l, count: 100, channels: 1024}",
        (100 * 2 * 1024**2, 100 * (1024**2 + 1024), 2 * 1024 + 100 * 2 * 1024),
    ),
    "one convolution": (
        "input: [3, 8, 8]\nstem: []\nhead: []\nblocks: {c: {steps: [conv: {out: channels, kernel: 3}]}}\n"
        "stages: {block: c, count: 1, channels: 4}",
        (2 * 8 * 8 * 4 * 27, 4 * 27, 3 * 64 + 4 * 64),
    ),
    "a residual block": (
        "input: [4, 6]\nstem: []\nhead: []\nstages: {block: basic, count: 1, channels: 4}",
        # two convolutions of 4x4x3 and two norms of 2x4; two convolutions, norms and ReLUs, and an addition
        (2 * 2 * 6 * 4 * 4 * 3, 2 * 4 * 4 * 3 + 2 * 2 * 4, (6 * 2 + 3) * 24),
    ),
    "a gate and a classifier": (
        "input: [2, 4, 4]\nstem: [multiply: [[], [pool: {type: avg, output: 1}, conv: {out: 2, kernel: 1}]]]\n"
        "stages: []\nhead: [flatten, linear: {out: 3}]",
        # the pool, the gate's convolution, the product, the flattening, the linear layer with its bias
        (2 * (2 * 2 + 32 * 3), 2 * 2 + 3 * 32 + 3, (32 + 2) + (2 + 2) + (32 + 2 + 32) + (32 + 32) + (32 + 3)),
    ),
}  # fmt: skip
BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", BYTES)
@pytest.mark.parametrize("batch", [1, 7, 10_240])
def test_figures_by_hand(name: str, dtype: str, batch: int) -> None:
    """Williams et al. (2009): the work of a batch by the traffic of a batch, in which the weights are read once."""
    text, (flops, weights, values) = NETWORKS[name]
    found = archspec.analyze(compiled(text), batch=batch, dtype=dtype).totals.intensity
    assert found == pytest.approx(batch * flops / (BYTES[dtype] * (weights + batch * values)), rel=1e-12)


def test_a_batch_runs_to_the_limit_of_the_values() -> None:
    """A hundred linear layers of 1,024: half a FLOP per byte for one example, and a quarter of 1,024 for very many."""
    graph = compiled(NETWORKS["linear layers"][0])
    found = [archspec.analyze(graph, batch=batch).totals.intensity for batch in (1, 16, 256, 10_240, 2**20)]
    assert [round(each or 0, 1) for each in found] == [0.5, 7.7, 85.0, 241.5, 253.3]
