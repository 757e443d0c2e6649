"""Scopes that do not train: parameters without gradients, and modules that stay in eval mode, in every form."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archspec
from archspec.emit.pt2 import export
from archspec.graph.frozen import frozen_scopes
from archspec.lab.data import load_data
from archspec.lab.training import Settings, for_data, train
from archspec.passes import without_residual
from tests.support.equivalence import compiled
from tests.support.reference import torchvision_models
from tests.support.sources import written_names

SPEC = """
input: [3, 16, 16]
classes: 5
stem: [conv: {out: 4, kernel: 3}, norm, act]
stages: {block: basic, count: 2, channels: [4, 8], stride: [1, 2]}
drop_path: 0.5
head: [pool: {type: avg, output: 1}, flatten, dropout, linear: {out: classes}]
"""
CERTAIN = SPEC.replace("drop_path: 0.5", "").replace("dropout, ", "")
"""The same without chance."""
SCOPES = [
    ["stem"],
    ["stem", "layer1"],
    ["layer1.0.bn1", "layer2.1.conv2"],
    ["conv1", "layer2"],
    ["layer2.0.downsample", "head"],
    ["layer1.1", "dropout", "bn1"],
]


def frozen(scopes: list[str], more: str = SPEC) -> archspec.Graph:
    return compiled(f"{more}\nfrozen: {scopes}\nsilence: [W312]")


def is_inside(name: str, scopes: list[str]) -> bool:
    parts = {"stem": ["conv1", "bn1"], "head": ["fc", "dropout", "avgpool", "flatten"]}
    named = [each for scope in scopes for each in parts.get(scope, [scope])]
    return f"{name}.".startswith(tuple(f"{each}." for each in named))


def moved(model: nn.Module) -> set[str]:
    """The norms whose statistics a step of training moves."""
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model(torch.randn(4, 3, 16, 16))
    return {
        key.rpartition(".")[0]
        for key, value in model.state_dict().items()
        if key.endswith("running_mean") and not torch.equal(value, before[key])
    }


def norms(model: nn.Module) -> set[str]:
    return {name for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)}


@pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])
@pytest.mark.parametrize("scopes", SCOPES, ids=str)
def test_the_built_module(scopes: list[str], flat: bool) -> None:
    model = archspec.build(frozen(scopes), seed=0, flat=flat)
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad != is_inside(name.rpartition(".")[0], scopes), name
    expected = {name for name in norms(model) if not is_inside(name, scopes)}
    again: Any = pickle.loads(pickle.dumps(model))
    for each in (model, model.train(), model.eval().train(), copy.deepcopy(model), again, again.eval().train()):
        assert moved(each) == expected
        for name, module in each.named_modules():
            if not [*module.children()]:
                assert module.training != is_inside(name, scopes) or not affected(module), name
    assert not moved(model.eval())


def affected(module: nn.Module) -> bool:
    return type(module).__name__ in ("BatchNorm2d", "Dropout", "DropPath", "Conv2d", "Linear")


def test_a_frozen_block_in_training_is_that_in_eval_mode() -> None:
    """What an inner module of its own does when it is called alone."""
    model = archspec.build(frozen(["layer1"]), seed=0)
    value = torch.randn(3, 4, 16, 16)
    assert torch.equal(model.train().layer1(value), model.eval().layer1(value))
    model.train().layer1[0].train()
    assert not moved(model) & {"layer1.0.bn1", "layer1.0.bn2"}


@pytest.mark.parametrize("scopes", SCOPES, ids=str)
def test_what_is_counted(scopes: list[str]) -> None:
    graph = frozen(scopes)
    model = archspec.build(graph)
    trainable = sum(each.numel() for each in model.parameters() if each.requires_grad)
    report = archspec.analyze(graph)
    assert report.totals.costs.trainable == trainable < report.totals.costs.params
    by_argument = archspec.analyze(compiled(SPEC), frozen=scopes)
    assert (by_argument.totals, by_argument.memory) == (report.totals, report.memory)


@pytest.mark.parametrize("scopes", SCOPES, ids=str)
def test_other_forms(scopes: list[str], tmp_path: Path) -> None:
    """JSON, both sources and the exported program do what the built module does."""
    graph = frozen([each for each in scopes if each != "dropout"], CERTAIN)
    archspec.write(graph, tmp_path / "net.json")
    assert archspec.graph_from_json((tmp_path / "net.json").read_text()) == graph
    model = archspec.build(graph, seed=0)
    state = copy.deepcopy(model.state_dict())
    images = torch.randn(4, 3, 16, 16)
    expected = model(images)
    after = copy.deepcopy(model.state_dict())
    readable = written_names(graph, tmp_path / "net.py", "python")
    other = readable["Model"]()
    other.load_state_dict(state)
    assert torch.equal(other(images), expected)
    assert all(torch.equal(value, after[key]) for key, value in other.state_dict().items())
    named = dict(model.named_parameters())
    assert {key: value.requires_grad for key, value in other.named_parameters()} == {
        key: value.requires_grad for key, value in named.items()
    }
    low = written_names(graph, tmp_path / "low.py", "lowlevel")
    p: dict[str, Tensor] = {key: value.clone() for key, value in state.items()}
    torch.testing.assert_close(low["forward"](images, p, training=True), expected, rtol=1e-4, atol=1e-5)
    assert set(low["trainable"](p)) == {key for key, value in named.items() if value.requires_grad}
    for key, value in p.items():
        torch.testing.assert_close(value, after[key], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scopes", SCOPES, ids=str)
def test_chance_in_sources_is_that_of_the_built_module(scopes: list[str], tmp_path: Path) -> None:
    """Dropout and stochastic depth draw nothing where they are frozen."""
    graph = frozen(scopes)
    model = archspec.build(graph, seed=0)
    state, images = copy.deepcopy(model.state_dict()), torch.randn(4, 3, 16, 16)
    torch.manual_seed(1)
    expected = model(images)
    other = written_names(graph, tmp_path / "net.py", "python")["Model"]()
    other.load_state_dict(state)
    torch.manual_seed(1)
    assert torch.equal(other(images), expected)
    low = written_names(graph, tmp_path / "low.py", "lowlevel")
    torch.manual_seed(1)
    torch.testing.assert_close(low["forward"](images, dict(state), training=True), expected, rtol=1e-4, atol=1e-5)


def test_the_exported_program_in_training() -> None:
    graph = frozen(["stem", "layer1"], CERTAIN)
    model = archspec.build(graph, seed=0)
    images = torch.randn(4, 3, 16, 16)
    program = export(graph, copy.deepcopy(model), mode="training").module()
    assert torch.equal(program(images), model.train()(images))
    own, other = model.state_dict(), program.state_dict()
    assert all(torch.equal(own[key], other[key]) for key in own)
    assert {key: each.requires_grad for key, each in program.named_parameters()} == {
        key: each.requires_grad for key, each in model.named_parameters()
    }


def test_the_hash() -> None:
    """It depends on what is frozen, not on how that is written; and not at all where nothing is."""
    whole, parts = frozen(["layer1"]), frozen(["layer1.0", "layer1.1"])
    assert whole.frozen == parts.frozen
    assert whole.fingerprint == parts.fingerprint != frozen(["layer2"]).fingerprint != compiled(SPEC).fingerprint
    assert frozen(["relu"]).fingerprint == compiled(SPEC).fingerprint
    assert archspec.diff(compiled(SPEC), whole)
    assert frozen_scopes(parts) == ["layer1"]


def test_passes_keep_what_is_frozen() -> None:
    graph = compiled(f"{SPEC}\nfrozen: [layer1, head]\noutputs: [layer2]")
    assert frozen_scopes(graph) == ["layer1"]
    block = archspec.residual_blocks(graph)[1]
    assert frozen_scopes(without_residual(graph, [block])) == ["layer1"]


def test_torchvisions_backbone() -> None:
    """Its detectors train the last three stages, and no norm."""
    torchvision_models()
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone  # type: ignore[import-untyped]

    theirs = resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=3).body
    ours = archspec.build("resnet18", overrides=["norm=frozen", "frozen=[stem, layer1]", "outputs=layer4"])
    assert {name: each.requires_grad for name, each in ours.named_parameters()} == {
        name: each.requires_grad for name, each in theirs.named_parameters()
    }


def test_verification_ignores_it() -> None:
    graph = archspec.compile(archspec.load("resnet18", overrides=["frozen=[stem, layer1]", "input=[3, 64, 64]"]))
    assert archspec.verify(graph, "torchvision:resnet18").holds("keys", "graph", "outputs")


def test_the_signal_is_that_of_norms_in_eval_mode() -> None:
    text = SPEC.replace("drop_path: 0.5", "norm: NORM").replace("dropout, ", "")
    by_key = archspec.signal(compiled(text.replace("NORM", "batch") + "frozen: [stem, layer1, layer2]"))
    by_type, unfrozen = (archspec.signal(compiled(text.replace("NORM", word))) for word in ("frozen", "batch"))
    assert (by_key.blocks, by_key.gradient_span) == (by_type.blocks, by_type.gradient_span) != (unfrozen.blocks, None)
    assert by_key.gradient_span != unfrozen.gradient_span


def test_a_training_leaves_it_alone(tmp_path: Path) -> None:
    data = load_data("synthetic", size=8)
    overrides = {"params.width": 2, "frozen": ["stem", "layer1"], "stages.count": 1}
    graph = for_data("resnet20_cifar", data, overrides=overrides)

    model = archspec.build(graph, seed=0)
    before = copy.deepcopy(model.state_dict())
    train(model, data, Settings(epochs=2, batch=128), checkpoint=tmp_path / "run.pt")
    first = model.state_dict()
    for key, value in first.items():
        kept = key.startswith(("conv1.", "bn1.", "layer1."))
        assert torch.equal(value, before[key]) == kept, key
    model = archspec.build(graph, seed=3)  # goes on from the checkpoint
    train(model, data, Settings(epochs=2, batch=128), checkpoint=tmp_path / "run.pt")
    assert all(torch.equal(value, first[key]) for key, value in model.state_dict().items())
    thawed = archspec.build(for_data("resnet20_cifar", data, overrides={**overrides, "frozen": "stem"}), seed=0)
    with pytest.raises(archspec.SpecError, match="network differs"):
        train(thawed, data, Settings(epochs=2, batch=128), checkpoint=tmp_path / "run.pt")
    whole = ["stem", "layer1", "layer2", "layer3", "head"]
    nothing = archspec.build(for_data("resnet20_cifar", data, overrides={**overrides, "frozen": whole}), seed=0)
    with pytest.raises(archspec.SpecError, match="every parameter of the model is frozen"):
        train(nothing, data, Settings(epochs=1))
