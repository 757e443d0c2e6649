"""Entries of a checkpoint, prefixes and renamed scopes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import archspec
from archspec.weights.checkpoints import state_dicts
from tests.support.equivalence import scramble, spec

SMALL = spec("""
    input: [3, 8, 8]
    classes: 5
    stem: cifar
    stages: {block: basic, count: 1, channels: 4}
    """)

MODEL = archspec.build(SMALL)
scramble(MODEL)
STATE: dict[str, Tensor] = dict(MODEL.state_dict())
OTHER = {key: value + 1 for key, value in STATE.items()}


def same(found: nn.Module, state: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, state[key]) for key, value in found.state_dict().items())


def build(weights: Any, **options: Any) -> nn.Module:
    """A model; every warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return archspec.build(SMALL, weights=weights, **options)


def refused(weights: Any, **options: Any) -> archspec.Diagnostic:
    with pytest.raises(archspec.SpecError) as error:
        build(weights, **options)
    (fault, *_) = error.value.diagnostics
    assert fault.help
    return fault


def below(scope: str, state: dict[str, Tensor] = STATE) -> dict[str, Tensor]:
    return {f"{scope}{key}": value for key, value in state.items()}


# -- prefix ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["visual.trunk.", "visual.trunk", "backbone.", "model", "module.", "module.model"])
def test_only_the_keys_below_a_prefix_are_read(prefix: str, tmp_path: Path) -> None:
    scope = prefix.rstrip(".") + "."
    torch.save({**below("text."), **below(scope, OTHER), "logit_scale": torch.zeros(())}, tmp_path / "w.pth")
    model = build(tmp_path / "w.pth", prefix=prefix)
    assert same(model, OTHER)
    record = model.meta["weights"]
    assert (record.prefix, record.unwrapped, record.unused) == (prefix, (), ())
    assert record.outside == (*below("text."), "logit_scale")


def test_a_prefix_ends_at_a_dot() -> None:
    """`back.` is not a prefix of `backbone.conv1`."""
    fault = refused(below("backbone."), prefix="back")
    assert (fault.code, "`back.`" in fault.message) == ("E826", True)
    assert "`backbone.` (26 keys)" in fault.help
    assert "did you mean `visual.trunk.`?" in refused(below("visual.trunk."), prefix="visual.trnk").hint


def test_a_prefix_inside_a_wrapper() -> None:
    with pytest.warns(UserWarning, match="`module.`"):
        model = archspec.build(SMALL, weights=below("module.backbone."), prefix="backbone")
    assert same(model, STATE)


# -- rename ------------------------------------------------------------------------------------------------------------

RENAMES: dict[str, tuple[dict[str, Tensor], dict[str, str]]] = {
    "removed": (below("backbone."), {"backbone.": ""}),
    "removed, without a dot": (below("backbone."), {"backbone": ""}),
    "another name": ({k.replace("layer1.", "stage."): v for k, v in STATE.items()}, {"stage": "layer1"}),
    "a key": ({k.replace("fc.bias", "offset"): v for k, v in STATE.items()}, {"offset": "fc.bias"}),
    "in order": ({k.replace("fc.", "a."): v for k, v in STATE.items()}, {"a": "b", "b": "fc"}),
    "exchanged": (
        {{"f": "b", "b": "f"}.get(k[0], k[0]) + k[1:]: v for k, v in STATE.items()},
        {"bc": "x", "fn1": "bn1", "x": "fc"},
    ),
    "a scope for all": ({k.removeprefix("layer1."): v for k, v in STATE.items() if k[0] == "l"}, {"": "layer1"}),
    "a deep scope": ({k.replace(".downsample.", ".short."): v for k, v in STATE.items()}, {
        "layer1.0.short": "layer1.0.downsample"
    }),
}  # fmt: skip


@pytest.mark.parametrize("kind", RENAMES)
def test_scopes_and_keys_get_other_names(kind: str) -> None:
    weights, rename = RENAMES[kind]
    model = build(weights, rename=rename, transfer=kind == "a scope for all")
    loaded = {key: value for key, value in model.state_dict().items() if key in model.meta["weights"].loaded}
    assert len(loaded) == len(weights)
    assert all(torch.equal(value, STATE[key]) for key, value in loaded.items())
    assert model.meta["weights"].rename == rename


NAMES = st.sampled_from(["a", "b", "ab", "a.b", "a.b.c", "layer1"])


@given(keys=st.lists(NAMES, min_size=1, unique=True), old=NAMES, new=NAMES)
def test_a_rename_is_that_of_whole_scopes(keys: list[str], old: str, new: str) -> None:
    """Against the rule written with lists of parts."""
    from archspec.weights.selection import Selection, select

    def renamed(key: str) -> str:
        parts, head = key.split("."), old.split(".")
        return ".".join(new.split(".") + parts[len(head) :]) if parts[: len(head)] == head else key

    wanted = [renamed(key) for key in keys]
    state = {key: torch.zeros(1) for key in keys}
    expected = [*keys, *wanted]  # so that no prefix counts as a wrapper
    if len(set(wanted)) < len(keys) or not any(f"{key}.".startswith(f"{old}.") for key in keys):
        with pytest.raises(archspec.SpecError) as error:
            select(state, expected, Selection(rename={old: new}))
        (fault,) = error.value.diagnostics
        assert fault.code == ("E827" if any(f"{key}.".startswith(f"{old}.") for key in keys) else "E826")
    else:
        assert list(select(state, expected, Selection(rename={old: new})).state) == wanted


def test_two_keys_with_one_name_are_both_named() -> None:
    fault = refused({**STATE, **below("ema.")}, rename={"ema": ""})
    assert fault.code == "E827"
    assert "`conv1.weight` and `ema.conv1.weight`" in fault.message
    assert refused(STATE, rename={"fc.bias": ""}).code == "E827"


def test_a_scope_that_is_not_there() -> None:
    fault = refused(STATE, rename={"layer_1": "x"})
    assert fault.code == "E826"
    assert (fault.hint, "`layer1.` (" in fault.help) == ("did you mean `layer1.`?", True)


def test_prefix_then_rename_then_map() -> None:
    weights = {**below("net.body."), **below("text.")}
    weights["net.body.head/w"] = weights.pop("net.body.fc.weight")
    map = {"fc.weight": "head/w", "conv1.weight": "stem.weight"}
    model = build(weights, prefix="net.body", rename={"conv1": "stem"}, map=map)
    assert same(model, STATE)


# -- entry -------------------------------------------------------------------------------------------------------------

PATHS = ["state_dict", "model_state", "model_ema", "model", "ema.state_dict", "a.b.c", "a.b.c.d"]


@pytest.mark.parametrize("path", PATHS)
def test_one_of_several_state_dicts(path: str, tmp_path: Path) -> None:
    checkpoint: dict[str, Any] = {"epoch": 3, "other": OTHER, "optimizer": {"state": {0: {"step": torch.ones(1)}}}}
    *outer, last = path.split(".")
    place = checkpoint
    for name in outer:
        place = place.setdefault(name, {"decay": 0.9})
    place[last] = STATE
    torch.save(checkpoint, tmp_path / "c.pth")
    fault = refused(tmp_path / "c.pth")
    assert fault.code == "E823"
    assert set(fault.items) == {f"`{path}` ({len(STATE)} tensors)", f"`other` ({len(STATE)} tensors)"}
    model = build(tmp_path / "c.pth", entry=path)
    assert (same(model, STATE), model.meta["weights"].entry, model.meta["weights"].unwrapped) == (True, path, ())
    del checkpoint["other"]
    with pytest.warns(UserWarning, match=f"`{path}`"):
        assert same(archspec.build(SMALL, weights=checkpoint), STATE)


def test_an_entry_with_a_dot_in_its_name() -> None:
    assert same(build({"a.b": {"c.d": STATE}, "x": OTHER}, entry="a.b.c.d"), STATE)


def test_wrappers_inside_an_entry_are_removed() -> None:
    with pytest.warns(UserWarning, match="`module.`"):
        assert same(archspec.build(SMALL, weights={"a": below("module."), "b": OTHER}, entry="a"), STATE)


@pytest.mark.parametrize(
    ("weights", "entry", "told", "help"),
    [
        ({"model": STATE, "ema": OTHER}, "mdel", "do not have an entry `mdel`", "`ema` (26 tensors)"),
        ({"model": STATE, "epoch": 3}, "epoch", "is int, not a state dict", "`model` (26 tensors)"),
        ({"model": STATE, "empty": {}}, "empty", "is empty", "`model` (26 tensors)"),
        (STATE, "model", "they are one state dict with 26 tensors", "leave out the entry"),
        (below("model."), "model", "they are one state dict", "`prefix='model.'`"),
        ({"model": STATE}, "", "do not have an entry ``", "`model`"),
    ],
)
def test_entries_that_are_not_there(weights: Any, entry: str, told: str, help: str) -> None:
    fault = refused(weights, entry=entry)
    assert fault.code == "E825"
    assert told in fault.message
    assert help in fault.help


def test_checkpoints_that_contain_themselves() -> None:
    """A pickle can say so, and nothing is looked at twice."""
    inner: dict[str, Any] = {"x": 1, "w": STATE}
    for name in range(2000):
        inner[f"again{name}"] = inner
    assert list(state_dicts(inner)) == ["w"]
    assert refused(inner, entry="again1.again2.again3").code == "E825"


@pytest.mark.parametrize("option", [{"entry": "x"}, {"prefix": "x"}, {"rename": {"x": "y"}}])
def test_what_needs_weights(option: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="needs `weights`"):
        archspec.build(SMALL, **option)


@pytest.mark.parametrize("prefix", ["ema.", "visual.trunk.", "model.", "backbone."])
def test_a_prefix_is_suggested(prefix: str) -> None:
    """Also where the head is missing, and where other networks are beside it."""
    headless = {key: value for key, value in below(prefix).items() if ".fc." not in key}
    for weights in ({**below(prefix), **below("text/")}, headless, {**headless, "text.bias": torch.zeros(9)}):
        for transfer in (False, True):
            fault = refused(weights, transfer=transfer)
            assert f"`prefix={prefix!r}`" in fault.help
            assert build(weights, prefix=prefix, transfer=True).meta["weights"].loaded
