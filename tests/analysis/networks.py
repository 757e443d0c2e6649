"""Random small networks, for properties of the analyses: merges, nested, of steps that keep channels and sizes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

import archspec
from archspec.operations.act import ACTIVATIONS
from tests.support.equivalence import compiled

Step = dict[str, Any]

CONVOLUTIONS: list[Step] = [{"conv": {"out": 4, "kernel": 3}}, {"conv": {"out": 4, "groups": 2, "bias": True}}]
GATE: list[Step] = [{"pool": {"type": "avg", "output": 1}}, {"conv": {"out": 4}}, {"act": {"type": "sigmoid"}}]
FIRST_FOUR: list[Step] = [{"slice": {"stop": 4}}, {"pad_channels": {"out": 4}}]
POOL: Step = {"pool": {"type": "avg", "kernel": 3, "stride": 1, "padding": 1}}
LEAVES: list[Step] = [
    *CONVOLUTIONS,
    {"layer": {"out": 4, "kernel": 3}},
    # The sixth ReLU has the name `relu6`, and `glu` gives half of the channels.
    *[{"act": {"type": word}} for word in ACTIVATIONS if word not in ("relu6", "glu")],
    {"sequence": {"steps": [{"act": {"type": "glu"}}, {"pad_channels": {"out": 4}}]}},
    *[{"norm": {"type": "group", "groups": 2, "affine": affine}} for affine in (True, False)],
    *[{"norm": {"type": word, "affine": affine}} for word in ("batch", "instance") for affine in (True, False)],
    {"pool": {"type": "max", "kernel": 3, "stride": 1, "padding": 1}},
    POOL,
    *[{"dropout": {"p": p}} for p in (0, 0.5, 1)],
    *[{"drop_path": {"p": p}} for p in (0, 0.5)],
    {"layer_scale": {}},
    {"sequence": {"steps": [{"upsample": {"scale": 2}}, {"blur": {"stride": 2}}]}},
    {"sequence": {"steps": [{"upsample": {"scale": 2}}, {"subsample": {"stride": 2}}]}},
    *[
        {"sequence": {"steps": [{kind: {"over": "channels"}}, {"act": {"type": "sigmoid"}}, {"conv": {"out": 4}}]}}
        for kind in ("mean", "max")
    ],
    {"multiply": [[], [{"max": {"over": "positions"}}, "channel_conv", {"act": {"type": "sigmoid"}}]]},
    {"multiply": [[], [{"mean": {"over": "positions"}}, {"reshape": {"size": 1}}, {"power": {"by": 2}}]]},
    {"channel_shuffle": {"groups": 2}},
    {"sequence": {"steps": [{"slice": {"start": 2, "stop": 4}}, {"pad_channels": {"out": 4, "at": "both"}}]}},
    {"sequence": {"steps": [{"pool": {"type": "avg", "output": 9}}, {"subsample": {"stride": 2}}, POOL]}},
]
CHANNELS_LAST: list[Step] = [
    {"linear": {"out": 4}},
    {"linear": {"out": 4, "bias": False}},
    {"norm": {"type": "layer"}},
]


def sequences(leaves: Iterable[Step], depth: int = 2) -> st.SearchStrategy[list[Step]]:
    """Sequences of ``leaves`` and of merges whose branches are such sequences, ``depth`` merges deep at most."""
    leaf = st.sampled_from(list(leaves))
    if depth == 0:
        return st.lists(leaf, max_size=3)
    inner = sequences(leaves, depth - 1)
    branches = st.lists(inner, min_size=2, max_size=3)
    merge = st.one_of(
        branches.map(lambda parts: {"add": parts}),
        branches.map(lambda parts: {"multiply": parts}),
        branches.map(lambda parts: {"sequence": {"steps": [{"concat": parts}, *FIRST_FOUR]}}),
        branches.map(lambda parts: {"sequence": {"steps": [{"concat": parts}, {"conv": {"out": 4}}]}}),
        inner.flatmap(lambda part: st.permutations([part, GATE])).map(lambda parts: {"multiply": list(parts)}),
    )
    return st.lists(st.one_of(leaf, leaf, merge), max_size=4)


def network(steps: list[Step], *size: int) -> archspec.Graph:
    """``steps`` on four channels of a ``size``, and behind them a residual block and a classifier."""
    return compiled(f"""
        input: {[4, *size]}
        classes: 3
        stem: {json.dumps(steps)}
        stages: {{block: basic, count: 1, channels: 4}}
        """)
