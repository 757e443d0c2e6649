"""Every command has examples in its help text, and each of them runs."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import click
import pytest
import torch

import archspec
from archspec_cli.main import COMMANDS, commands

from .conftest import Run

MINE = """\
archspec: 1
name: {name}
input: [3, 16, 16]
classes: 5
stem: [conv: {{out: 8, kernel: 3}}]
stages: {{block: {block}, count: 1, channels: [32], groups: 2}}
"""
MODEL = 'import archspec\n\ndef build():\n    return archspec.build("mine.yaml")\n'
NO_CIFAR = 3
STATUS = {
    "diff mine.yaml resnet50 --exit-code": 1,
    "lab ablate mine.yaml --over norm=batch,none --data cifar10:cifar -o norms": NO_CIFAR,
}
SLOW = re.compile(r"resnet50 --weights|verify resnet50|test specs -k|--transfer|^lab .*--jobs")


def examples(name: str) -> list[str]:
    """The lines below `Examples:` in a help text that call the command, without what a shell does around them."""
    command = commands.get_command(click.Context(commands), name)
    assert command is not None
    text = (command.help or "").partition("Example")[2]
    found = re.findall(
        r"^ *(?:eval \"\$\()?archspec ([^\n|>)]+?(?:\([^)]*\)[^\n|>)]*)?) *(?:\)\"|[|>] .*)?$", text, re.M
    )
    return [line.strip() for line in found]


EXAMPLES = [(name, example) for name in COMMANDS for example in examples(name)]


@pytest.fixture
def folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the examples name: specs, a module of Python, and weights."""
    for name in ("mine", "wide", "specs/resnet_a", "specs/wide_b"):
        path = here / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(MINE.format(name=path.stem, block="bottleneck"))
    (here / "models").mkdir()
    (here / "models" / "mine.py").write_text(MODEL)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return here


def weights(folder: Path, example: str) -> None:
    """The files of weights that an example names."""
    if ".pth" in example:
        state = archspec.build("resnet50", seed=0).state_dict()
        torch.save(state, folder / "resnet50.pth")
        torch.save({"state_dict": {f"visual.trunk.{key}": value for key, value in state.items()}}, folder / "clip.pth")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example(name: str) -> None:
    own = [example for example in examples(name) if example.split()[0] == name]
    assert own
    assert own == examples(name)


@pytest.mark.parametrize(
    ("name", "example"),
    [
        pytest.param(name, example, id=example, marks=[pytest.mark.slow] if SLOW.search(example) else [])
        for name, example in EXAMPLES
    ],
)
def test_an_example_runs(name: str, example: str, folder: Path, run: Run) -> None:
    weights(folder, example)
    smallest = ["--smallest"] if example.startswith("lab ") and "--jobs" in example else []  # whole, they take minutes
    found = run(*shlex.split(example), *smallest)
    assert found.status == STATUS.get(example, 0), found.err
    assert found.out or name == "test" or found.status == NO_CIFAR
