"""Whole weights in a network with ``outputs``, and what ``print`` says of weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import archspec
from archspec.passes import prune
from archspec.weights.misfits import scopes_of
from archspec_cli.main import run
from tests.support.equivalence import compiled

NETWORK = """\
input: [3, 16, 16]
classes: 5
stem: cifar
stages: {block: basic, count: 1, channels: [16, 24], stride: [1, 2]}
"""


def refused(spec: Any, **arguments: Any) -> archspec.Diagnostic:
    with pytest.raises(archspec.SpecError) as error:
        archspec.build(spec, **arguments)
    (found,) = error.value.diagnostics
    return found


@pytest.mark.parametrize(
    ("spec", "outputs"),
    [
        ("vgg11", ["features.5", "features.10"]),
        ("vgg11", ["features.5"]),
        ("resnet18", ["layer2", "layer3"]),
        ("resnet18", "stem"),
        ("densenet121", ["features.transition1"]),
    ],
)
@pytest.mark.parametrize("transfer", [False, True])
def test_keys_that_outputs_trim_are_skipped(spec: str, outputs: Any, transfer: bool) -> None:
    state = archspec.build(spec, seed=1).state_dict()
    model = archspec.build(spec, overrides={"outputs": outputs}, weights=state, transfer=transfer)
    own = model.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in own.items())
    loaded = model.meta["weights"]
    assert loaded.skipped == loaded.trimmed == tuple(key for key in state if key not in own)
    assert (loaded.loaded, loaded.unused, loaded.initialized) == (tuple(own), (), ())


def test_the_classes_of_a_head_that_is_trimmed_do_not_matter() -> None:
    state = archspec.build(compiled(NETWORK), seed=1).state_dict()
    model = archspec.build(compiled(NETWORK.replace("5", "7") + "outputs: [layer2]\n"), weights=state)
    assert model.meta["weights"].trimmed == ("fc.weight", "fc.bias")


def wrapped(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {f"{prefix}{key}": value for key, value in state.items()}


@pytest.mark.parametrize("prefix", ["module.", "model."])
@pytest.mark.filterwarnings("ignore:wrappers around")
def test_they_may_be_in_a_wrapper_or_a_map(prefix: str) -> None:
    graph = compiled(NETWORK + "outputs: [layer1]\n")
    state = archspec.build(compiled(NETWORK), seed=1).state_dict()
    skipped = tuple(key for key in state if key.startswith(("layer2.", "fc.")))
    assert archspec.build(graph, weights=wrapped(state, prefix)).meta["weights"].trimmed == skipped
    keys = {key: f"net/{key}" for key in state}
    loaded = archspec.build(graph, weights=wrapped(state, "net/"), map=keys).meta["weights"]
    assert loaded.trimmed == tuple(f"net/{key}" for key in skipped)


def test_aliases_apply_to_them() -> None:
    text = NETWORK + "weights: {aliases: {norm.1: bn1}, skip: [aux]}\n"
    state = archspec.build(compiled(text), seed=1).state_dict()
    state = {key.replace("bn1", "norm.1"): value for key, value in state.items()}
    loaded = archspec.build(compiled(text + "outputs: [layer1]\n"), weights={**state, "aux.x": torch.ones(1)}).meta[
        "weights"
    ]
    assert "layer2.0.norm.1.weight" in loaded.trimmed
    assert set(loaded.skipped) - set(loaded.trimmed) == {"aux.x"}


@pytest.mark.parametrize("key", ["fc.scale", "fc2.weight", "layer2.1.conv1.weight", "layer1.0.extra", "bias"])
def test_every_other_extra_key_is_refused(key: str) -> None:
    state = archspec.build(compiled(NETWORK), seed=1).state_dict()
    found = refused(compiled(NETWORK + "outputs: [layer1]\n"), weights={**state, key: torch.ones(1)})
    assert (found.code, found.items) == ("E807", (f"`{key}`",))


def test_without_outputs_nothing_is_trimmed() -> None:
    assert compiled(NETWORK).trimmed == frozenset()
    assert "fc.bias" in compiled(NETWORK + "outputs: [layer2]\n").trimmed


def test_a_graph_pruned_by_hand_takes_whole_weights() -> None:
    graph = compiled(NETWORK)
    result = graph.stages[0].result
    backbone = prune(replace(graph, outputs={"layer1": result}, origin=None))
    assert archspec.build(backbone, weights=archspec.build(graph).state_dict()).meta["weights"].trimmed


@pytest.mark.parametrize(
    ("extra", "skip"),
    [
        (["layer1.9.weight"], "layer1.9"),
        (["aux.a.b", "aux.c.d"], "aux"),
        (["layer1.0.aux.bias", "heads.0.weight", "heads.1.weight"], "layer1.0.aux, heads"),
        (["layer1.0.conv1.extra"], "layer1.0.conv1.extra"),
    ],
)
def test_the_help_names_scopes_that_the_network_does_not_need(extra: list[str], skip: str) -> None:
    state = archspec.build(compiled(NETWORK), seed=1).state_dict()
    given = {**state, **{key: torch.ones(1) for key in extra}}
    assert f"weights: {{skip: [{skip}]}}" in refused(compiled(NETWORK), weights=given).help
    archspec.build(compiled(NETWORK + f"weights: {{skip: [{skip}]}}\n"), weights=given)
    assert not any(scope in scopes_of(key) for key in state for scope in skip.split(", "))


def test_print_shows_what_became_of_each_key_as_the_command_does(tmp_path: Path, capsys: Any) -> None:
    spec, file = tmp_path / "net.yaml", tmp_path / "whole.pth"
    head = "archspec: 1\nname: net\nweights: {skip: [aux]}\n"
    spec.write_text(head + NETWORK.replace("[3,", "[1,").replace("24", "32") + "outputs: [layer2]\n")
    state = archspec.build(compiled(NETWORK), seed=1).state_dict()
    torch.save({**state, "aux.bias": torch.ones(1), "other.bias": torch.ones(1)}, file)
    loaded = archspec.build(spec, weights=file, transfer=True).meta["weights"]
    shown = str(loaded)
    for keys, what in (
        (loaded.loaded, "loaded"),
        (loaded.initialized, "initialized"),
        (loaded.adapted, "adapted to the channels of the input"),
        (loaded.unused, "of the file not used"),
        (("aux.bias",), "of the file skipped, as `weights.skip` of the spec says"),
        (("fc.weight", "fc.bias"), "of the file skipped, because the spec's `outputs` do not need them"),
    ):
        assert keys
        assert f"  {len(keys)} key{'s' * (len(keys) > 1)} {what}\n" in f"{shown}\n"
        assert what == "loaded" or next(iter(keys)) in shown
    assert len(shown.splitlines()) < 60
    assert run(["build", str(spec), "--weights", str(file), "--transfer"]) == 0
    told = capsys.readouterr().out.replace("which `--format json` lists", "which `as_data()` lists")
    assert shown in told


def test_print_shows_weights_that_are_not_a_file() -> None:
    graph = compiled(NETWORK)
    shown = str(archspec.build(graph, weights=archspec.build(graph).state_dict()).meta["weights"])
    assert shown == f"weights\n  {len(archspec.build(graph).state_dict())} keys loaded"
