"""Weights with other keys: whether they can be paired with a network, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import archspec
from tests.support.equivalence import scramble, spec

SMALL = spec("""
    input: [3, 8, 8]
    classes: 5
    stem: cifar
    stages: {block: basic, count: 1, channels: 4}
    """)
DISTINCT = spec("""
    input: [3, 8, 8]
    classes: 5
    stem: [conv: {out: 7, kernel: 3, bias: true}, pool: {type: avg, output: 1}, flatten]
    stages: []
    head: [linear: {out: classes}]
    """)

MODEL = archspec.build(SMALL)
scramble(MODEL)
STATE: dict[str, Tensor] = dict(MODEL.state_dict())


def faults(weights: Any, text: str = SMALL, **options: Any) -> tuple[archspec.Diagnostic, ...]:
    with pytest.raises(archspec.SpecError) as error:
        archspec.build(text, weights=weights, **options)
    return error.value.diagnostics


def numbered(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under names that only tell what they are."""
    return {f"t{number}/{key.rpartition('.')[2]}": value for number, (key, value) in enumerate(state.items())}


@given(old=st.booleans(), names=st.sampled_from(["torch", "keras", "mixed"]))
def test_tensors_that_agree_in_order_and_shape_are_paired(old: bool, names: str) -> None:
    """With and without counters of batches, and also if a weight is called `gamma` or `kernel` there."""
    state = {key: value for key, value in STATE.items() if not (old and key.endswith("num_batches_tracked"))}
    words = {"keras": {"weight": "kernel", "bias": "beta"}, "mixed": {"running_mean": "moving_mean"}}.get(names, {})
    weights = {}
    for number, (key, value) in enumerate(state.items()):
        last = key.rpartition(".")[2]
        norm = names == "keras" and last == "weight" and value.dim() == 1
        weights[f"t{number}.{'gamma' if norm else words.get(last, last)}"] = value
    for options in ({}, {"transfer": True}):
        for fault in faults(weights, **options):
            assert f"all {len(state)} tensors agree in order and shape" in fault.help
            assert "archspec.pair_keys" in fault.help
    map = archspec.pair_keys(SMALL, weights)
    assert map["keys"] == dict(zip(state, weights, strict=True))
    built = archspec.build(SMALL, weights=weights, map=map).state_dict()
    assert all(torch.equal(built[key], value) for key, value in state.items())


@given(renamed=st.sets(st.sampled_from(sorted(STATE)), min_size=1, max_size=len(STATE) - 1))
def test_some_keys_differ(renamed: set[str]) -> None:
    weights = {(f"n{number}.{key.rpartition('.')[2]}" if key in renamed else key): value
               for number, (key, value) in enumerate(STATE.items())}  # fmt: skip
    map = archspec.pair_keys(SMALL, weights)
    assert map["keys"] == dict(zip(STATE, weights, strict=True))
    built = archspec.build(SMALL, weights=weights, map=map).state_dict()
    assert all(torch.equal(built[key], value) for key, value in STATE.items())


def test_other_orders_are_paired_if_every_shape_occurs_once() -> None:
    state = archspec.build(DISTINCT).state_dict()
    weights = {f"{key.replace('.', '_')}_.{key.rpartition('.')[2]}": state[key] for key in reversed(state)}
    assert "by shapes that occur once" in faults(weights, DISTINCT)[0].help
    assert archspec.pair_keys(DISTINCT, weights)["keys"] == dict(zip(state, reversed(weights), strict=True))


BROKEN = {
    "one more": {**numbered(STATE), "aux": torch.zeros(3)},
    "one less": dict(list(numbered(STATE).items())[:-1]),
    "another shape": {**numbered(STATE), list(numbered(STATE))[-1]: torch.zeros(6)},
    "another order": dict(reversed(numbered(STATE).items())),
    "bias before weight": {
        key.replace("weight", "?").replace("bias", "weight").replace("?", "bias"): value
        for key, value in numbered(STATE).items()
    },
    "empty": {},
    "not a tensor": {**numbered(STATE), "x": None},
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_does_not_agree_is_not_paired(kind: str) -> None:
    assert all("pair_keys" not in fault.help for fault in faults(BROKEN[kind]))
    with pytest.raises(archspec.SpecError) as error:
        archspec.pair_keys(SMALL, BROKEN[kind])
    (fault,) = error.value.diagnostics
    assert (fault.code, bool(fault.help)) == ("E828", True)


def test_the_first_difference_is_named() -> None:
    with pytest.raises(archspec.SpecError, match=r"tensor 2 of 22 is `bn1.weight` \(16\).*it is `b` \(3x3\)"):
        archspec.pair_keys(SMALL, {"a": STATE["conv1.weight"], "b": torch.zeros(3, 3)})


def test_the_map_is_json_and_needs_the_same_selection(tmp_path: Path) -> None:
    weights = {f"net.{key}": value for key, value in numbered(STATE).items()} | {"text.x": torch.zeros(2)}
    map = archspec.pair_keys(SMALL, weights, prefix="net")
    (tmp_path / "map.json").write_text(json.dumps(map))
    built = archspec.build(SMALL, weights=weights, prefix="net", map=tmp_path / "map.json")
    assert torch.equal(built.fc.weight, STATE["fc.weight"])
