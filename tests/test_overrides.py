"""Overrides in Python: as texts or as a mapping, and on every public function that compiles."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec import SpecError
from archspec.language.overrides import override, settings_of
from archspec.language.text.document import Document

SMALL = "resnet20_cifar"
TEN = {"classes": 7}

COMPILE: dict[str, Callable[..., Any]] = {
    "load": lambda **how: archspec.load(SMALL, **how).classes,
    "compile": lambda **how: archspec.compile(SMALL, **how).output[0],
    "analyze": lambda **how: archspec.analyze(SMALL, **how).output[0],
    "signal": lambda **how: archspec.signal(SMALL, **how).output[0],
    "check": lambda **how: archspec.check(SMALL, **how).graph.output[0],
    "build": lambda **how: archspec.build(SMALL, device="meta", **how).fc.out_features,
    "confirm": lambda **how: archspec.confirm(SMALL, **how).output[0],
    "source": lambda **how: 7 if ", 7)" in archspec.source(SMALL, **how) else 0,
    "draw": lambda **how: 7 if ">fc, 7<" in archspec.draw(SMALL, **how).svg else 0,
    "residual_blocks": lambda **how: (
        archspec.compile(SMALL, **how).output[0] if archspec.residual_blocks(SMALL, **how) else 0
    ),
    "diff": lambda **how: archspec.diff(SMALL, **how).after.output[0],
    "verify": lambda **how: (
        7 if archspec.verify(SMALL, lambda: archspec.build(SMALL, **how), levels=["graph"], **how).holds("graph") else 0
    ),
}


@pytest.mark.parametrize("name", COMPILE)
def test_every_function_that_compiles_takes_overrides_and_limits(name: str) -> None:
    for overrides in (TEN, ["classes=7"], [archspec.Source("--set", "classes=7", "override")]):
        assert COMPILE[name](overrides=overrides) == 7
    limits = archspec.Limits(nodes=5)
    if name == "check":
        assert [each.code for each in archspec.check(SMALL, overrides=TEN, limits=limits).diagnostics] == ["E601"]
    elif name != "load":
        with pytest.raises(SpecError, match="E601"):
            COMPILE[name](overrides=TEN, limits=limits)


def test_save_takes_them_too(tmp_path: Any) -> None:
    model = archspec.build(SMALL, overrides=TEN, seed=0)
    archspec.save(model, SMALL, tmp_path / "a.safetensors", overrides=TEN, limits=archspec.Limits())
    with pytest.raises(SpecError, match="E807"):
        archspec.save(model, SMALL, tmp_path / "b.safetensors")


def test_write_takes_them_too(tmp_path: Any) -> None:
    archspec.write(SMALL, tmp_path / "a.json", overrides=TEN, limits=archspec.Limits())
    assert json.loads((tmp_path / "a.json").read_text())["nodes"][-1]["shape"] == [7]
    with pytest.raises(SpecError, match="E601"):
        archspec.write(SMALL, tmp_path / "b.json", limits=archspec.Limits(nodes=5))


def test_pairing_keys_takes_them_too() -> None:
    weights = archspec.build(SMALL, overrides=TEN, seed=0).state_dict()
    assert len(archspec.pair_keys(SMALL, weights, overrides=TEN)["keys"]) == len(weights)
    with pytest.raises(SpecError):
        archspec.pair_keys(SMALL, weights)


def test_no_public_function_that_compiles_is_forgotten() -> None:
    """Whatever takes a spec takes what changes how it is read."""
    for name in archspec.__all__:
        function = getattr(archspec, name)
        if inspect.isfunction(function) and {"spec", "before"} & {*inspect.signature(function).parameters}:
            assert {"overrides", "allow_outside", "limits"} <= {*inspect.signature(function).parameters}, name
            assert name in (*COMPILE, "save", "pair_keys", "write")


@pytest.mark.parametrize(
    ("mapping", "texts"),
    [
        ({"stages": {"stride": 2}}, ["stages.stride=2"]),
        ({"stages.stride": 2}, ["stages.stride=2"]),
        ({"stages": {"channels.0": 32}}, ["stages.channels.0=32"]),
        ({"stages.channels": (32, 32, 64)}, ["stages.channels=[32, 32, 64]"]),
        ({"norm": {"type": "group", "groups": 8}}, ["norm={type: group, groups: 8}"]),
        ({"act": "silu", "classes": np.int64(3)}, ["act=silu", "classes=3"]),
        ({"norm": {"eps": np.float32(0.5)}}, ["norm.eps=0.5"]),
        ({"input": torch.Size([3, 64, 64])}, ["input=[3, 64, 64]"]),
        ({"init": {"zero_init_residual": np.bool_(True)}}, ["init.zero_init_residual=true"]),
        ({"stages": {"block": "basic", "count": [1, 1, 1]}}, ["stages.block=basic", "stages.count=[1, 1, 1]"]),
    ],
)
def test_a_mapping_means_what_the_texts_mean(mapping: dict[str, Any], texts: list[str]) -> None:
    one, other = (archspec.compile(SMALL, overrides=overrides) for overrides in (mapping, texts))
    assert one.fingerprint == other.fingerprint
    assert one.output == other.output


TEXT = st.characters(exclude_categories=["Cs", "Cc"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(TEXT),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_a_value_of_a_mapping_reads_back_as_it_is(value: Any) -> None:
    base = Document(archspec.Source("a", ""), {}, {})
    (setting,) = settings_of({"notes": value})
    assert override(base, setting).value["notes"] == value


def test_a_fault_points_into_the_override() -> None:
    with pytest.raises(SpecError) as error:
        archspec.build(SMALL, overrides={"norm": {"moment": 3}})
    assert str(error.value).splitlines()[:3] == [
        "overrides:1:7: error[E201]: unknown key `moment` in `norm`",
        "  1 | norm={moment: 3}",
        "    |       ^^^^^^ did you mean `momentum`?",
    ]


def test_a_spec_that_is_loaded_takes_no_overrides() -> None:
    spec = archspec.load(SMALL)
    for loaded in (spec, archspec.compile(spec)):
        for how in ({"overrides": TEN}, {"allow_outside": True}):
            with pytest.raises(ValueError, match=r"is for a spec that is not loaded yet, and `spec` is a (Spec|Graph)"):
                archspec.compile(loaded, **how)  # type: ignore[arg-type]
            with pytest.raises(ValueError, match=r"is for a spec that is not loaded yet"):
                archspec.check(loaded, **how)  # type: ignore[arg-type]


def test_diff_changes_the_second_spec_and_needs_one_or_overrides() -> None:
    found = archspec.diff(SMALL, "resnet32_cifar", overrides=TEN)
    assert (found.before.output, found.after.output) == ((10,), (7,))
    assert archspec.diff(archspec.load(SMALL), SMALL, overrides=TEN).after.output == (7,)
    with pytest.raises(TypeError, match="`after` is missing"):
        archspec.diff(SMALL)
    with pytest.raises(ValueError, match="`before` is a Spec"):
        archspec.diff(archspec.load(SMALL), overrides=TEN)


def test_a_parameter_that_the_spec_lacks_is_refused_however_it_is_written() -> None:
    for overrides in ({"params": {"widht": 2}}, {"params.widht": 2}, ["params.widht=2"]):
        with pytest.raises(SpecError, match="E313"):
            archspec.compile(SMALL, overrides=overrides)
