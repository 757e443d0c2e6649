"""Memory of random networks over one dimension, where one channel or one position lies both first and last."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

import archspec
from archspec.analysis.strides import dense
from tests.analysis.networks import Step
from tests.analysis.test_memory import SETTINGS, assert_measured
from tests.support.equivalence import compiled

pytestmark = pytest.mark.usefixtures("freed")

OUT = st.sampled_from([1, 1, 2, 4])
ACTS = st.sampled_from(["relu", "silu", "gelu", "leaky_relu", "elu", "sigmoid", "hardswish", "relu6"])


@st.composite
def steps(draw: st.DrawFn, channels: int, depth: int = 2) -> tuple[list[Step], int]:
    """Steps on so many channels, and the channels behind them; sizes stay, but for subsamples outside of merges."""
    found: list[Step] = []
    for _ in range(draw(st.integers(1, 4 if depth == 2 else 1))):
        word = draw(
            st.sampled_from(["conv", "linear", "norm", "act", "slice", "pool", "scale", "dropout", "sub", "merge"])
        )
        step: dict[str, Any] = {"scale": {"by": 2}}
        if word in ("conv", "linear"):
            step = {word: {"out": draw(OUT), "bias": draw(st.booleans())}}
            channels = step[word]["out"]
            if word == "conv":
                step[word]["kernel"] = draw(st.sampled_from([1, 3]))
        elif word == "norm":
            groups = draw(st.sampled_from([each for each in (1, 2, 4) if channels % each == 0]))
            step = {"norm": {"type": draw(st.sampled_from(["group", "group", "layer", "batch"])), "groups": groups}}
        elif word == "act":
            step = {"act": {"type": draw(ACTS)}}
        elif word == "slice" and channels > 1:
            start = draw(st.integers(0, channels - 2))
            stop = draw(st.integers(start + 1, channels))
            step, channels = {"slice": {"start": start, "stop": stop}}, stop - start
        elif word == "pool":
            step = {"pool": {"type": draw(st.sampled_from(["max", "avg"])), "kernel": 3, "stride": 1, "padding": 1}}
        elif word == "dropout":
            step = {"dropout": {"p": draw(st.sampled_from([0, 0.5]))}}
        elif word == "sub" and depth == 2:
            step = {"subsample": {"stride": draw(st.sampled_from([1, 2]))}}
        elif word == "merge" and depth:
            branches = draw(st.lists(steps(channels, depth - 1) | st.just(([], channels)), min_size=1, max_size=3))
            same = [branch for branch, out in branches if out == channels]
            kind = draw(st.sampled_from(["add", "multiply", "concat"]))
            step = {kind: [branch for branch, _ in branches] if kind == "concat" else same or [[]]}
            channels = sum(out for _, out in branches) if kind == "concat" else channels
        found.append(step)
    return found, channels


@st.composite
def signals(draw: st.DrawFn) -> str:
    channels, size = draw(OUT), draw(st.sampled_from([2, 3, 5]))
    made, _ = draw(steps(channels))
    return signal(channels, size, *made)


def signal(channels: int, size: int, *steps: Step) -> str:
    return f"input: [{channels}, {size}]\nstem: {json.dumps(steps)}\nstages: []\nhead: []\n"


LINEAR_TO_ONE: Step = {"linear": {"out": 1}}
WIDER: Step = {"conv": {"out": 4, "kernel": 3, "bias": False}}
GROUPS: Step = {"norm": {"type": "group", "groups": 1}}


@given(text=signals(), batch=st.sampled_from([1, 2]))
@example(text=signal(2, 3, LINEAR_TO_ONE, WIDER, {"norm": {"type": "group", "groups": 4}}), batch=2)
@example(text=signal(2, 3, {"norm": {"type": "layer"}}, {"slice": {"stop": 1}}, WIDER, GROUPS), batch=1)
@example(text=signal(1, 2, {"act": {"type": "gelu"}}, WIDER, {"linear": {"out": 2, "bias": False}}), batch=2)
@example(text=signal(4, 2, {"subsample": {"stride": 2}}, {"linear": {"out": 4}}), batch=1)
@example(text=signal(4, 5, {"slice": {"start": 2, "stop": 3}}, {"linear": {"out": 4}}), batch=2)
@example(text=signal(1, 3, {"subsample": {"stride": 2}}, GROUPS), batch=1)
@example(text=signal(1, 5, {"subsample": {"stride": 2}}, {"dropout": {}}, GROUPS), batch=2)
@SETTINGS
def test_random_signals(text: str, batch: int) -> None:
    try:
        graph = compiled(text)
    except archspec.SpecError:
        return
    if min(batch * graph.shape(name)[-1] for name in graph.by_name) > 1:  # else there is nothing to take statistics of
        assert_measured(graph, batch=batch)


@pytest.mark.parametrize("shape", [(3,), (3, 5), (3, 4, 5), (3, 2, 4, 5)])
def test_strides_are_torchs(shape: tuple[int, ...]) -> None:
    assert dense(2, shape) == torch.empty(2, *shape).stride()
    assert dense(2, shape, last=True) == torch.empty(2, *shape[1:], shape[0]).movedim(-1, 1).stride()


# Over two dimensions too: what leaves gaps, and what reads without them.
@pytest.mark.parametrize("size", ["6, 6", "4, 4, 4"])
@pytest.mark.parametrize(
    "gaps", [{"slice": {"start": 1, "stop": 3}}, {"subsample": {"stride": 2}}], ids=["slice", "sub"]
)
@pytest.mark.parametrize(
    "reader",
    [{"norm": {"type": "group", "groups": 2}}, {"norm": {"type": "instance"}}, {"linear": {"out": 4}}],
    ids=["group", "instance", "linear"],
)
def test_what_has_gaps_is_copied(size: str, gaps: Step, reader: Step) -> None:
    for before in ([], [{"linear": {"out": 4}}]):
        steps = json.dumps([*before, gaps, reader, {"dropout": {}}])
        for batch in (1, 2):
            assert_measured(compiled(f"input: [4, {size}]\nstem: {steps}\nstages: []\nhead: []\n"), batch=batch)
