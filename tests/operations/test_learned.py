"""A learned scale has two names: `layer_scale` is short for one that starts small, and differs in nothing else."""

from __future__ import annotations

import pytest
import torch

import archspec
from archspec.operations.base import Operation
from archspec.operations.discovery import operations
from tests.support.equivalence import assert_same, compiled

SHAPES = [(6, 9, 7), (6, 12), (6, 3, 4, 5), (6,)]


def both(initial: float) -> tuple[Operation, Operation]:
    return operations()["layer_scale"](initial=initial), operations()["scale"](by=initial, learned=True)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("initial", [1e-6, 0.1, 1.0])
def test_both_say_the_same(shape: tuple[int, ...], initial: float) -> None:
    short, long = both(initial)
    inputs = (shape,)
    for ask in ("shape", "weights", "buffers", "torch", "onnx", "layout"):
        assert getattr(short, ask)(inputs) == getattr(long, ask)(inputs), ask
    for ask in ("macs", "elementwise", "scratch", "reach"):
        assert getattr(short, ask)(inputs, shape) == getattr(long, ask)(inputs, shape), ask
    for trainable in (True, False):
        assert short.saved(inputs, trainable, (True,)) == long.saved(inputs, trainable, (True,))
    assert (short.attached, short.look, short.arity) == (long.attached, long.look, long.arity)


def test_both_compute_and_predict_the_same() -> None:
    text = "input: [3, 16, 16]\nstages: []\nstem: [layer: {{out: 8, kernel: 3}}, {}, layer: {{out: 8}}]\nhead: []"
    step = "{name: it, "
    graphs = [
        compiled(text.format(each))
        for each in (f"layer_scale: {step}initial: 1e-6}}", f"scale: {step}by: 1e-6, learned: true}}")
    ]
    models = [archspec.build(graph, seed=0) for graph in graphs]
    assert list(models[0].state_dict()) == list(models[1].state_dict())
    assert_same(models[0].state_dict(), dict(models[1].state_dict()), "weights")
    x = torch.randn(2, 3, 16, 16)
    assert torch.equal(models[0](x), models[1](x))
    reports = [archspec.analyze(graph) for graph in graphs]
    assert reports[0].totals.costs == reports[1].totals.costs
    assert reports[0].memory == reports[1].memory
    signals = [archspec.signal(graph) for graph in graphs]
    assert str(signals[0]) == str(signals[1])
