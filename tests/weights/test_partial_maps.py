"""A key map may name some keys only: the others stand for themselves."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

import archspec
from tests.support.equivalence import scramble, spec
from tests.support.reference import torchvision_model

SMALL = spec("""
    input: [3, 8, 8]
    classes: 5
    stem: cifar
    stages: {block: basic, count: 1, channels: 4}
    """)

MODEL = archspec.build(SMALL)
scramble(MODEL)
STATE: dict[str, Tensor] = dict(MODEL.state_dict())
KEYS = sorted(STATE)


def build(weights: Any, map: Any, **options: Any) -> dict[str, Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found: dict[str, Tensor] = archspec.build(SMALL, weights=weights, map=map, **options).state_dict()
    return found


def refused(weights: Mapping[str, Tensor], map: Any, **options: Any) -> tuple[archspec.Diagnostic, ...]:
    with pytest.raises(archspec.SpecError) as error:
        build(weights, map, **options)
    return error.value.diagnostics


@given(named=st.sets(st.sampled_from(KEYS)), extra=st.sets(st.sampled_from(KEYS)), transfer=st.booleans())
def test_keys_that_a_map_does_not_name_stand_for_themselves(named: set[str], extra: set[str], transfer: bool) -> None:
    """Some keys have other names in the weights. The map names these, and perhaps others that are the same in both."""
    other = {key: f"renamed/{number}" for number, key in enumerate(KEYS) if key in named}
    weights = {other.get(key, key): value for key, value in STATE.items()}
    map = {**{key: key for key in extra}, **other}
    found = build(weights, map, transfer=transfer)
    assert list(found) == list(STATE)
    assert all(torch.equal(value, STATE[key]) for key, value in found.items())


@given(keys=st.permutations(KEYS), length=st.integers(2, 6))
def test_keys_that_change_places(keys: list[str], length: int) -> None:
    """A map may turn keys in a ring. It names all of the ring, and nothing else is touched."""
    ring = [key for key in keys if STATE[key].shape == STATE[keys[0]].shape][:length]
    map = dict(zip(ring, ring[1:] + ring[:1], strict=True))
    found = build(STATE, map)
    assert all(torch.equal(value, STATE[map.get(key, key)]) for key, value in found.items())


@given(pair=st.lists(st.sampled_from(KEYS), min_size=2, max_size=2, unique=True), transfer=st.booleans())
@example(pair=["fc.weight", "conv1.weight"], transfer=True)
def test_a_key_that_stands_for_itself_and_is_given_away(pair: list[str], transfer: bool) -> None:
    """One tensor cannot be two. The error names both keys, whichever comes first in the network."""
    mapped, itself = pair
    (fault,) = refused(STATE, {mapped: itself}, transfer=transfer)
    assert fault.code == "E822"
    assert f"`{mapped}`, which is in the map" in fault.message
    assert f"`{itself}`, which is not" in fault.message
    assert "is the same in the weights" in fault.help


@given(named=st.sets(st.sampled_from(KEYS), min_size=1))
def test_a_map_in_the_wrong_direction(named: set[str]) -> None:
    """The error says so, and shows the right way round."""
    map = {f"theirs.{key}": key for key in sorted(named)}
    weights = {f"theirs.{key}" if key in named else key: value for key, value in STATE.items()}
    (fault,) = refused(weights, map)
    assert fault.code == "E821"
    assert "wrong direction" in fault.message
    first = min(named)
    assert len(fault.items) == len(named)
    assert json.loads("{" + fault.help.partition(": ")[2] + "}") == {first: f"theirs.{first}"}
    build(weights, {key: theirs for theirs, key in map.items()})


def test_wrong_direction_and_unknown_keys_are_two_faults() -> None:
    turned, unknown = refused(STATE, {"linear.weight": "fc.weight", "a.b": "c.d"})
    assert (turned.code, unknown.code) == ("E821", "E821")
    assert "`linear.weight` to `fc.weight`" in turned.message
    assert (unknown.items, "`a.b`" in turned.message) == (("`a.b`",), False)


def test_a_file_that_names_the_head_only(tmp_path: Path) -> None:
    """A file of torchvision's ResNet-18 whose head is called `linear`, and a map with the head's two keys."""
    reference = torchvision_model("resnet18")
    scramble(reference)
    state = {key.replace("fc.", "linear."): value for key, value in reference.state_dict().items()}
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"keys": {"fc.weight": "linear.weight", "fc.bias": "linear.bias"}}))
    for map in (path, {"fc.weight": "linear.weight", "fc.bias": "linear.bias"}):
        model = archspec.build("resnet18", weights=state, map=map)
        assert all(torch.equal(value, reference.state_dict()[key]) for key, value in model.state_dict().items())


def published(name: str = "linear") -> dict[str, Any]:
    """A checkpoint as people publish networks for CIFAR: a wrapped model whose last layer has another name."""
    keys = {key: f"module.{key.replace('fc.', f'{name}.')}" for key in STATE}
    old = {keys[key]: value for key, value in STATE.items() if not key.endswith("num_batches_tracked")}
    return {"state_dict": old, "best_prec1": 93.5}


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_published_checkpoint_needs_only_the_keys_that_differ(prefix: str, tmp_path: Path) -> None:
    """The map spells them with or without the prefix that the wrapper added, which the file has."""
    torch.save(published(), tmp_path / "resnet.th")
    map = {"fc.weight": f"{prefix}linear.weight", "fc.bias": f"{prefix}linear.bias"}
    with pytest.warns(UserWarning, match=r"wrappers around the weights were removed: `state_dict`, `module\.`"):
        model = archspec.build(SMALL, weights=tmp_path / "resnet.th", map=map)
    assert all(torch.equal(value, STATE[key]) for key, value in model.state_dict().items() if "tracked" not in key)


def test_a_map_of_every_key_with_the_prefix_needs_no_unwrapping() -> None:
    build({f"module.{key}": value for key, value in STATE.items()}, {key: f"module.{key}" for key in STATE})


def test_a_map_may_name_one_key_in_a_scope_called_module() -> None:
    """Not every key of the weights is in it, so that it is no wrapper."""
    weights = {f"module.{key}" if key == "fc.bias" else key: value for key, value in STATE.items()}
    found = build(weights, {"fc.bias": "module.fc.bias"})
    assert torch.equal(found["fc.bias"], STATE["fc.bias"])
