"""How what the public functions return is shown: a `repr` of one short line, and by `print` what the command prints."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec import testing
from archspec.passes import INFERENCE, Trained, run
from archspec.wording import LONGEST_REPR
from archspec_cli.main import run as command
from tests.support.equivalence import spec

SMALL = "resnet20_cifar"
WIDE = spec("""
    input: [3, 64, 64]
    classes: 5
    stem: cifar
    blocks:
      mine:
        residual:
          - conv: {out: "channels * (1 + 0)", kernel: 3, stride: stride}
          - norm
          - act
          - conv: {out: channels, kernel: 3}
          - norm
    stages: {block: mine, count: [1, 2], channels: [16, 24], stride: [1, 2]}
    expect: {params: 1, macs: 2}
    """)


def results() -> dict[str, Any]:
    """What each public function returns, for small and for large networks, and for faults."""
    refused = []
    for text in ("resnet5O", "archspec: 1\nname: t\n", WIDE.replace("channels: [16, 24]", "chanels: [16, 24]")):
        with pytest.raises(archspec.SpecError) as error:
            archspec.load(text)
        refused.append(error.value)
    with pytest.raises(archspec.EnvironmentFault) as missing:
        archspec.save(archspec.build(SMALL), SMALL, "missing/a.safetensors")
    graph = archspec.compile("densenet121")
    model = archspec.build(SMALL, seed=0)
    return {
        "load": [
            archspec.load("resnet50"),
            archspec.load(WIDE),
            archspec.load("inception_v3"),
        ],
        "compile": [graph, archspec.compile(WIDE), archspec.compile("vgg16")],
        "analyze": [archspec.analyze(graph), archspec.analyze(WIDE)],
        "diff": [archspec.diff("resnet50", graph), archspec.diff("vgg16", "vgg16"), archspec.diff(WIDE, "resnet18")],
        "check": [archspec.check("resnet50"), archspec.check(WIDE), archspec.check("archspec: 1\nname: t\n")],
        "examine": [testing.examine(WIDE, level="run")],
        "verify": [archspec.verify(SMALL, lambda: archspec.build(SMALL)), archspec.verify(SMALL, lambda: model.layer1)],
        "weights": [archspec.build(SMALL, weights=model.state_dict()).meta["weights"]],
        "passes": [run(Trained(archspec.compile(SMALL), model.state_dict()), INFERENCE)],
        "zoo": archspec.zoo("vgg*"),
        "errors": [*refused, missing.value],
        "arguments": [archspec.Limits(nodes=10**50), archspec.Source("a" * 500, "text\n" * 500)],
    }


RESULTS = results()


def parts(thing: Any, seen: set[int]) -> Iterator[Any]:
    """A result, and everything of archspec inside it."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    ours = type(thing).__module__.startswith("archspec")
    if ours:
        yield thing
    inside: list[Any] = []
    if dataclasses.is_dataclass(thing) and ours:
        inside = [getattr(thing, each.name) for each in dataclasses.fields(thing)]
    elif isinstance(thing, Mapping):
        inside = list(thing.values())
    elif isinstance(thing, list | tuple):
        inside = list(thing)
    if isinstance(thing, archspec.SpecError):
        inside = list(thing.diagnostics)
    for each in inside:
        yield from parts(each, seen)


@pytest.mark.parametrize("function", RESULTS)
def test_a_repr_is_one_short_line(function: str) -> None:
    kinds = {}
    for thing in parts(RESULTS[function], set()):
        shown = repr(thing)
        if len(shown) > LONGEST_REPR or len(shown.splitlines()) != 1 or not shown.isprintable():
            kinds[type(thing).__qualname__] = shown
    assert kinds == {}


def test_a_repr_says_which_network_it_is() -> None:
    graph = archspec.compile("resnet50")
    assert repr(graph.origin) == "<Spec resnet50: 4 stages, input 3x224x224>"
    assert repr(graph) == "<Graph resnet50: 16 blocks, 175 nodes, 3x224x224 to 1000>"
    assert repr(archspec.analyze(graph)) == (
        "<Report resnet50: 25,557,032 parameters, 4.09 G MACs, 50 layers, 65,536 skip paths>"
    )
    assert (
        repr(archspec.diff(graph, "resnet34")) == "<Difference resnet50 -> resnet34: 1 key, 5 parts; 186 weights fit>"
    )
    assert repr(archspec.check("resnet50")) == "<Outcome resnet50.yaml: ok, 7 cases>"
    assert repr(archspec.check("resnet5O")) == "<Outcome resnet5O: failed: valid, 1 case>"


@pytest.mark.parametrize("name", ["resnet50", "vgg16", "densenet121", "googlenet"])
def test_print_shows_what_the_command_prints(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    def printed(*arguments: str) -> str:
        command([*arguments])
        # Only where the rest of a list is differs: in data of Python, or in that of another call.
        return capsys.readouterr().out.rstrip("\n").replace("`--format json` lists", "`as_data()` lists")

    assert str(archspec.analyze(name)) == printed("analyze", name)
    assert str(archspec.diff(name, "resnet18")) == printed("diff", name, "resnet18")
    assert str(archspec.diff(name, name)) == printed("diff", name, name)
    assert str(archspec.check(name)).replace(f"{name}.yaml:", f"{name}:") == printed("check", name).replace(
        f"{name}.yaml:", f"{name}:"
    )
    assert str(archspec.compile(name)) == printed("show", name, "--graph")


def test_a_spec_is_printed_as_yaml_that_compiles_to_the_same(tmp_path: Path) -> None:
    for each in (archspec.load("resnext50_32x4d"), archspec.load(WIDE)):
        assert archspec.compile(f"{each}\n").fingerprint == archspec.compile(each).fingerprint


def test_a_refused_spec_is_printed_with_its_line() -> None:
    outcome = archspec.check(archspec.Source("mine.yaml", "archspec: 1\nname: t\nclases: 10\nstages: []\n"))
    assert "mine.yaml:3:1: error[E201]" in str(outcome)
    assert "\n  3 | clases: 10\n    | ^^^^^^ did you mean `classes`?" in str(outcome)
