"""Exported programs, read back by torch: the same results bit for bit as the fx module, in the mode of the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import archspec
from archspec.diagnostics import SpecError

SMALL = """\
archspec: 1
name: small
input: [3, 16, 16]
classes: 5
stem: cifar
drop_path: 0.2
stages: {block: basic, count: [2, 1], channels: [4, 8], stride: [1, 2]}
head: [pool: {type: avg, output: 1}, flatten, dropout, linear: {out: classes}]
"""
FIXED = """\
archspec: 1
name: fixed
input: [3, 8, 8]
stem: []
stages: {block: basic, count: 1, channels: 8}
head: [flatten, linear: {out: 4}]
"""
FAMILIES: dict[str, tuple[int, ...]] = {
    "resnet18": (64, 96),
    "preact_resnet50": (96, 64),
    "resnext50_32x4d": (64, 64),
    "densenet121": (64, 96),
    "googlenet": (96, 96),
    "mobilenet_v3_small": (64, 96),
    "shufflenet_v2_x0_5": (64, 96),
    "efficientnet_b0": (64, 96),
    "convnext_tiny": (64, 96),
    "squeezenet1_1": (64, 96),
    "r2plus1d_18": (8, 56, 64),
    "alexnet": (),
}
"""Networks of different families, each with another size of the input; an empty one for a network that takes one."""

SHORT = ("preact_resnet50", "resnext50_32x4d", "densenet121", "convnext_tiny", "r2plus1d_18")
"""Networks that are tried with one block in each stage, because exporting takes long."""


def written(spec: str | archspec.Graph, path: Path, **options: Any) -> tuple[torch.nn.Module, dict[str, str]]:
    archspec.write(spec, path, seed=1, **options)
    told = dict.fromkeys(("name", "hash", "archspec", "mode"), "")
    return torch.export.load(path, extra_files=told).module(), told


def examples(spec: str | archspec.Graph, sizes: list[tuple[int, ...]], batches: tuple[int, ...]) -> list[torch.Tensor]:
    channels = archspec.compile(spec).input[0]
    source = torch.Generator().manual_seed(0)
    return [torch.randn(batch, channels, *size, generator=source) for size in sizes for batch in batches]


def compare_training(program: torch.nn.Module, model: torch.nn.Module, x: torch.Tensor) -> None:
    """Outputs, gradients and running statistics of one step; dropout and stochastic depth draw alike."""
    for each in (program, model):
        torch.manual_seed(7)
        each.found = each(x)
        (each.found * torch.linspace(-1, 1, each.found.numel()).reshape(each.found.shape)).sum().backward()
    assert torch.equal(program.found, model.found)
    gradients = [{key: p.grad for key, p in each.named_parameters()} for each in (program, model)]
    assert [*gradients[0]] == [*gradients[1]]
    assert all(torch.equal(gradients[0][key], gradients[1][key]) for key in gradients[0])
    state = program.state_dict()
    assert all(torch.equal(state[key], value) for key, value in model.state_dict().items())


def test_in_eval_mode(tmp_path: Path) -> None:
    program, told = written(SMALL, tmp_path / "small.pt2")
    model = archspec.build(SMALL, seed=1).eval()
    with torch.no_grad():
        for x in examples(SMALL, [(16, 16)], (1, 3)):
            assert torch.equal(program(x), model(x))
    assert (told["name"], told["mode"]) == ("small", "eval")
    assert told["hash"] == archspec.compile(told["archspec"]).fingerprint == archspec.compile(SMALL).fingerprint


def test_at_another_size(tmp_path: Path) -> None:
    program, _ = written(SMALL, tmp_path / "small.pt2", dynamic="size")
    model = archspec.build(SMALL, seed=1).eval()
    with torch.no_grad():
        for x in examples(SMALL, [(16, 16), (20, 33)], (1, 3)):
            assert torch.equal(program(x), model(x))


def test_in_training_mode(tmp_path: Path) -> None:
    program, told = written(SMALL, tmp_path / "small.pt2", mode="training")
    compare_training(program, archspec.build(SMALL, seed=1), *examples(SMALL, [(16, 16)], (5,)))
    assert told["mode"] == "training"


def test_a_fixed_batch(tmp_path: Path) -> None:
    program, _ = written(SMALL, tmp_path / "small.pt2", dynamic="none")
    two, three = examples(SMALL, [(16, 16)], (2, 3))
    assert program(two).shape == (2, 5)
    with pytest.raises(RuntimeError, match="to be equal to 2"):
        program(three)


def test_several_outputs_have_their_labels(tmp_path: Path) -> None:
    spec = SMALL + "outputs: [layer1, layer2]\n"
    program, _ = written(spec, tmp_path / "small.pt2")
    (x,) = examples(spec, [(16, 16)], (3,))
    found, right = program(x), archspec.build(spec, seed=1).eval()(x)
    assert [*found] == [*right] == ["layer1", "layer2"]
    assert all(torch.equal(found[label], right[label]) for label in right)


def test_weights_that_are_given(tmp_path: Path) -> None:
    archspec.save(archspec.build(SMALL, seed=5), SMALL, tmp_path / "five.safetensors")
    archspec.write(SMALL, tmp_path / "five.pt2", weights=tmp_path / "five.safetensors")
    (x,) = examples(SMALL, [(16, 16)], (2,))
    program = torch.export.load(tmp_path / "five.pt2").module()
    assert torch.equal(program(x), archspec.build(SMALL, seed=5).eval()(x))


def test_a_network_with_a_fixed_size_is_refused_at_its_line(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as raised:
        archspec.write(FIXED, tmp_path / "fixed.pt2", dynamic="size")
    (fault,) = raised.value.diagnostics
    assert (fault.code, fault.span and fault.span.line) == ("E830", 6)
    assert not list(tmp_path.iterdir())


WRITE = "import sys, archspec; archspec.write(sys.argv[1], sys.argv[2], seed=1)"


@pytest.mark.slow
def test_the_file_depends_on_the_network_alone(tmp_path: Path) -> None:
    """Another process, another folder: the same bytes, but for the number that torch gives each archive."""
    import zipfile

    archspec.write(SMALL, tmp_path / "one.pt2", seed=1)
    (tmp_path / "elsewhere").mkdir()
    other = tmp_path / "elsewhere/two.pt2"
    subprocess.run([sys.executable, "-c", WRITE, SMALL, str(other)], check=True)
    contents = []
    for path in (tmp_path / "one.pt2", other):
        with zipfile.ZipFile(path) as archive:
            contents.append({name: archive.read(name) for name in archive.namelist() if "serialization_id" not in name})
    assert contents[0] == contents[1]
    assert not any(str(tmp_path).encode() in text or b"site-packages" in text for text in contents[0].values())


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_family(name: str, tmp_path: Path) -> None:
    graph = archspec.compile(name, overrides=["stages.count=1"] if name in SHORT else [])
    size = FAMILIES[name]
    dynamic = "size" if size else "batch"
    sizes = [size or graph.input[1:]]
    program, _ = written(graph, tmp_path / "eval.pt2", dynamic=dynamic)
    model = archspec.build(graph, seed=1).eval()
    with torch.no_grad():
        for x in examples(graph, sizes, (1, 3)):
            assert torch.equal(program(x), model(x))
    program, _ = written(graph, tmp_path / "training.pt2", dynamic=dynamic, mode="training")
    compare_training(program, archspec.build(graph, seed=1), *examples(graph, sizes, (3,)))
