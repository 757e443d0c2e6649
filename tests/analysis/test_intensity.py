"""The arithmetic intensity of a whole network, by counting what each operation of torch reads and writes."""

from __future__ import annotations

from typing import Any

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
