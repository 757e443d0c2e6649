"""Weights without torch: the same tensors, records and faults as with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import archspec
from archspec.weights import Loaded, arrays
from archspec.weights.stored import DTYPES, stored
from tests.support.equivalence import scramble, spec

SMALL = spec("""
    input: [3, 8, 8]
    classes: 5
    stem: cifar
    stages: {block: basic, count: 1, channels: [8, 12], stride: [1, 2]}
    weights: {skip: [aux]}
    """)

State = dict[str, Any]


@pytest.fixture
def state() -> State:
    """Weights of the small network that differ from any initialization."""
    model = archspec.build(SMALL)
    scramble(model)
    return dict(model.state_dict())


def with_torch(path: Path, **how: Any) -> tuple[State, Loaded]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = archspec.build(SMALL, weights=path, **how)
    return {key: value.numpy() for key, value in model.state_dict().items()}, model.meta["weights"]


def without_torch(path: Path, **how: Any) -> tuple[State, Loaded]:
    found, loaded = arrays(archspec.compile(SMALL), weights=path, **how)
    assert loaded is not None
    return dict(found), loaded


def as_half(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value


def as_bfloat16(value: Tensor) -> Tensor:
    return value.bfloat16() if value.is_floating_point() else value


def too_large(value: Tensor) -> Tensor:
    return value.double() * 1e300 if value.is_floating_point() else value


def broken(value: Tensor) -> Tensor:
    return value * float("nan") if value.dim() == 4 else value


def as_integers(value: Tensor) -> Tensor:
    return (value * 100).to(torch.int16)


def as_eight_bits(value: Tensor) -> Tensor:
    return value.to(torch.float8_e4m3fn) if value.is_floating_point() else value


@pytest.mark.parametrize(
    "change", [None, as_half, as_bfloat16, too_large, broken, as_integers, as_eight_bits, Tensor.bool]
)
def test_numbers_are_those_that_torch_loads(
    change: Callable[[Tensor], Tensor] | None, state: State, tmp_path: Path
) -> None:
    path = tmp_path / "w.safetensors"
    save_file({key: change(value) if change else value for key, value in state.items()}, path)
    wanted, record = with_torch(path)
    found, also = without_torch(path)
    assert also == record
    assert bool(also.remarks) == bool(change)
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        assert found[key].dtype == value.dtype
        assert numpy.array_equal(found[key], value, equal_nan=found[key].dtype.kind == "f")


def test_a_map_fits_other_axes_of_length_one_alike(state: State, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({key: value[..., None, None] if key == "fc.weight" else value for key, value in state.items()}, path)
    wanted, record = with_torch(path, map={"fc.weight": "fc.weight"})
    found, also = without_torch(path, map={"fc.weight": "fc.weight"})
    assert also == record
    assert numpy.array_equal(found["fc.weight"], wanted["fc.weight"])


@pytest.mark.parametrize(
    ("name", "how"),
    [
        (lambda key: f"module.{key}", {}),
        (lambda key: f"visual.trunk.{key}", {"prefix": "visual.trunk"}),
        (lambda key: key.replace("layer1", "body"), {"rename": {"body": "layer1"}}),
        (lambda key: key.replace("fc.", "head."), {"map": {"fc.weight": "head.weight", "fc.bias": "head.bias"}}),
    ],
)
def test_keys_are_selected_and_renamed_alike(
    name: Callable[[str], str], how: Any, state: State, tmp_path: Path
) -> None:
    path = tmp_path / "w.safetensors"
    more = {} if "prefix" in how else {name("aux.fc.bias"): torch.zeros(3)}
    save_file({**{name(key): value for key, value in state.items()}, **more}, path)
    wanted, record = with_torch(path, **how)
    found, also = without_torch(path, **how)
    assert also == record
    assert also.skipped or not more
    assert all(numpy.array_equal(found[key], wanted[key]) for key in wanted)


def test_keys_are_paired_alike(state: State, tmp_path: Path) -> None:
    """The order in the file decides, where shapes occur more than once."""
    path = tmp_path / "w.safetensors"
    given = {f"net/{key}": value for key, value in state.items() if not key.endswith("tracked")}
    for shapes in (given, {key: given[key] for key in ("net/fc.weight", "net/fc.bias", "net/conv1.weight")}):
        save_file(shapes, path)
        raised = []
        for weights in (path, load_file(path)):
            with pytest.raises(archspec.SpecError) as error:
                archspec.pair_keys(SMALL, weights)
            raised.append(error.value.diagnostics)
        assert raised[0] == raised[1]
    once = spec("input: [3, 8, 8]\nstem: [conv: {out: 4, kernel: 3}]\nstages: []\nhead: [flatten, linear: {out: 3}]\n")
    save_file({f"net/{key}": value for key, value in archspec.build(once).state_dict().items()}, path)
    paired = [archspec.pair_keys(once, weights)["keys"] for weights in (path, load_file(path))]
    assert paired[0] == paired[1]
    assert paired[0]["fc.weight"] == "net/fc.weight"


FAULTS: dict[str, Callable[[State], tuple[State, dict[str, Any]]]] = {
    "E807": lambda state: ({key: value for key, value in state.items() if key != "fc.bias"}, {}),
    "E807 more": lambda state: ({**state, "more.weight": torch.zeros(2)}, {}),
    "E807 shape": lambda state: ({**state, "fc.bias": torch.zeros(6)}, {}),
    "E807 complex": lambda state: ({**state, "fc.bias": torch.zeros(5, dtype=torch.complex64)}, {}),
    "E807 advice": lambda state: ({f"net/{key}": value for key, value in state.items()}, {}),
    "E821": lambda state: (state, {"map": {"nothing.weight": "fc.weight"}}),
    "E822": lambda state: (state, {"map": {"fc.bias": "bn1.bias"}}),
    "E825": lambda state: (state, {"entry": "ema"}),
    "E826": lambda state: (state, {"prefix": "visual"}),
    "E827": lambda state: (state, {"rename": {"bn1": "conv1"}}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_misfit_is_the_same_fault(fault: str, state: State, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    given, how = FAULTS[fault](state)
    save_file(given, path)
    raised = []
    for way in (with_torch, without_torch):
        with pytest.raises(archspec.SpecError) as error:
            way(path, **how)
        raised.append(error.value.diagnostics)
    assert raised[0] == raised[1]
    assert {each.code for each in raised[0]} == {fault[:4]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version https://git-lfs.github.com/spec/v1\n",
        b"<!doctype html><p>",
        b"PK\3\4 and more",
        b"\xff" * 100,
        b"\x02\0\0\0\0\0\0\0{}",
        b'\x3f\0\0\0\0\0\0\0{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}',
    ],
)
def test_a_file_that_is_not_one_is_the_same_fault(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    raised = []
    for way in (with_torch, without_torch):
        with pytest.raises(archspec.SpecError) as error:
            way(path)
        raised.append(error.value.diagnostics)
    assert raised[0] == raised[1]


def test_without_weights_they_are_those_of_the_seed() -> None:
    found, loaded = arrays(archspec.compile(SMALL), seed=3)
    wanted = archspec.build(SMALL, seed=3).state_dict()
    assert loaded is None
    assert found.keys() == wanted.keys()
    assert all(numpy.array_equal(found[key], value.numpy()) for key, value in wanted.items())


def test_what_is_transferred_is_the_same(state: State, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({**state, "fc.bias": torch.zeros(6)}, path)
    wanted, record = with_torch(path, transfer=True, seed=1)
    found, also = without_torch(path, transfer=True, seed=1)
    assert also == record
    assert all(numpy.array_equal(found[key], wanted[key]) for key in wanted)


def test_empty_tensors_and_numbers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"none": torch.zeros(0, 3), "one": torch.tensor(3)}, path)
    found = stored(str(path))
    assert found is not None
    assert {key: (value.dtype, value.shape) for key, value in found.items()} == {
        "none": ("float32", (0, 3)),
        "one": ("int64", ()),
    }
    assert all(hasattr(torch, name) for name in DTYPES.values())
