"""``weights.skip``: scopes of a file that the network does not have, such as auxiliary heads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import archspec
from archspec_cli.main import run
from tests.support.equivalence import compiled

TEXT = """\
input: [3, 16, 16]
classes: 5
stem: cifar
stages: {block: basic, count: 1, channels: [16, 24], stride: [1, 2]}
"""
SKIP = TEXT + "weights: {skip: [aux, heads.0]}\n"
AUX = {"aux.conv.weight": torch.ones(2), "aux.fc.bias": torch.ones(1), "heads.0.weight": torch.ones(3)}
OTHERS = ("auxiliary.weight", "aux2.weight", "heads.1.weight", "heads.weight", "layer1.aux.weight")


def published(text: str = TEXT) -> dict[str, Any]:
    return {**AUX, **archspec.build(compiled(text), seed=1).state_dict()}


def assert_loaded(model: torch.fx.GraphModule, state: dict[str, Tensor]) -> None:
    for key, value in model.state_dict().items():
        assert torch.equal(value, state[key])


@pytest.mark.parametrize("transfer", [False, True])
@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 1},
        lambda state: {f"module.{key}": value for key, value in state.items()},
        lambda state: {f"model.{key}": value for key, value in state.items()},
        lambda state: dict(reversed(state.items())),
    ],
    ids=["plain", "checkpoint", "parallel", "lightning", "in another order"],
)
@pytest.mark.filterwarnings("ignore:wrappers around")
def test_scopes_that_the_network_lacks_are_skipped(wrapped: Any, transfer: bool) -> None:
    state = published()
    model = archspec.build(compiled(SKIP), weights=wrapped(state), transfer=transfer, seed=0)
    assert_loaded(model, state)
    loaded = model.meta["weights"]
    assert sorted(loaded.skipped) == sorted(AUX)
    assert (loaded.unused, loaded.initialized) == ((), ())


@pytest.mark.parametrize("key", OTHERS)
def test_extra_keys_elsewhere_are_refused(key: str) -> None:
    with pytest.raises(archspec.SpecError) as refused:
        archspec.build(compiled(SKIP), weights={**published(), key: torch.ones(1)})
    (found,) = refused.value.diagnostics
    assert (found.code, [key in found.message, "aux.fc" in found.message]) == ("E807", [True, False])


def test_a_file_without_them_loads_too() -> None:
    state = archspec.build(compiled(TEXT), seed=1).state_dict()
    model = archspec.build(compiled(SKIP), weights=state)
    assert_loaded(model, state)
    assert model.meta["weights"].skipped == ()


def test_the_networks_own_keys_are_never_skipped() -> None:
    state = published()
    text = TEXT + "weights: {skip: [aux, heads, layer1, fc.bias]}\n"
    model = archspec.build(compiled(text), weights={**state, "layer1.9.weight": torch.ones(1)})
    assert_loaded(model, state)
    assert set(model.meta["weights"].skipped) == {*AUX, "layer1.9.weight"}


def test_names_are_those_of_the_file_under_a_map() -> None:
    graph = compiled(SKIP)
    state = archspec.build(compiled(TEXT), seed=1).state_dict()
    given = {**AUX, **{f"net.{key}": value for key, value in state.items()}}
    model = archspec.build(graph, weights=given, map={key: f"net.{key}" for key in state})
    assert_loaded(model, state)
    assert set(model.meta["weights"].skipped) == set(AUX)


def test_without_the_key_the_fault_says_what_to_write() -> None:
    with pytest.raises(archspec.SpecError) as refused:
        archspec.build(compiled(TEXT), weights=published())
    (found,) = refused.value.diagnostics
    assert found.code == "E807"
    assert "weights: {skip: [aux, heads]}" in found.help


def test_it_is_inherited_and_is_not_part_of_the_network(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(_whole(SKIP))
    (tmp_path / "over.yaml").write_text("archspec: 1\nname: over\nextends: base\nclasses: 5\n")
    graph = archspec.compile(tmp_path / "over.yaml")
    assert graph.fingerprint == compiled(TEXT).fingerprint
    assert set(archspec.build(graph, weights=published()).meta["weights"].skipped) == set(AUX)


def _whole(text: str) -> str:
    return f"archspec: 1\nname: base\n{text}"


def test_the_command_says_what_it_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, file, saved = (str(tmp_path / name) for name in ("base.yaml", "published.pth", "saved.safetensors"))
    Path(spec).write_text(_whole(SKIP))
    torch.save(published(), file)
    assert run(["build", spec, "--weights", file, "-o", saved]) == 0
    shown = capsys.readouterr().out
    assert "3 keys of the file skipped, as `weights.skip` of the spec says" in shown
    assert "aux.fc.bias" in shown
    assert run(["build", spec, "--weights", file, "--format", "json"]) == 0
    assert sorted(json.loads(capsys.readouterr().out)["weights"]["skipped"]) == sorted(AUX)
    assert archspec.build(spec, weights=saved).meta["weights"].skipped == ()  # what is saved is the network


@pytest.mark.parametrize("value", ["aux", "[]", "[1]", "[['a']]", "['']", "{aux: true}"])
def test_what_it_takes(value: str) -> None:
    with pytest.raises(archspec.SpecError) as refused:
        compiled(TEXT + f"weights: {{skip: {value}}}\n")
    assert all(d.code.startswith("E20") for d in refused.value.diagnostics)
