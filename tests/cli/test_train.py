"""``archspec train``: its lines, its JSON, its files, and how it ends."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import archspec
from tests.support.paths import ROOT

from .conftest import Run
from .faults.test_text import HOSTILE

TINY = ("train", "resnet20_cifar", "--set", "params.width=2", "--data", "synthetic", "--size", "8", "--epochs", "1")


def test_lines_and_a_file_that_build_reads(run: Run, here: Path) -> None:
    found = run(*TINY, "-o", "net.safetensors")
    assert found.status == 0, found.err
    first, second, empty, head, epoch, *rest = found.out.splitlines()
    assert first == "resnet20_cifar: 3x8x8 to 10, 4,492 parameters"
    assert second == "synthetic: 480 images to train with, 160 to test with, 10 classes; on cpu"
    assert not empty
    assert re.split(r"\s{2,}", head.strip()) == ["epoch", "loss", "accuracy", "test loss", "test accuracy", "seconds"]
    assert re.fullmatch(r" +1/1 +\d\.\d{4} +\d+\.\d% +\d+\.\d{4} +\d+\.\d% +\d+\.\d", epoch)
    assert rest[1].startswith("Saved net.safetensors: ")
    command = re.fullmatch(r"Next: `archspec (.*)` builds the trained network\.", rest[2])
    assert command
    built = run(*shlex.split(command[1]))
    assert built.status == 0, built.err
    assert "116 keys loaded" in built.out


def test_json_has_the_settings_and_the_history(run: Run, here: Path) -> None:
    found = run(*TINY, "--lr", "0.01", "--no-decay-norms", "--format", "json", "-o", "net.safetensors")
    assert found.status == 0, found.err
    data = found.json
    assert data["settings"]["lr"] == 0.01
    assert data["settings"]["decay_norms"] is False
    assert data["saved"] == "net.safetensors"
    assert data["input"] == [3, 8, 8]
    assert [*data["epochs"][0]] == ["loss", "accuracy", "test_loss", "test_accuracy", "seconds"]
    assert len(data["epochs"]) == 1


def test_the_seed_decides_the_weights(run: Run, here: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert run(*TINY, "--seed", seed, "-o", f"{name}.safetensors").status == 0
    a, b, c = (load_file(f"{name}.safetensors") for name in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not torch.equal(a["conv1.weight"], c["conv1.weight"])


def test_fine_tuning_begins_from_the_weights(run: Run, here: Path) -> None:
    """With a rate of nothing, the weights stay what they were; the ones that do not fit are initialized."""
    assert run(*TINY, "-o", "net.safetensors").status == 0
    still = ("--lr", "0", "--schedule", "constant", "--weights", "net.safetensors")
    assert run(*TINY, *still, "-o", "same.safetensors").status == 0
    assert run("train", "resnet20_cifar", "--set", "params.width=2", *still, "--epochs", "1").status == 1  # gray images
    other = run(
        "train",
        "resnet20_cifar",
        "--set",
        "params.width=2",
        *still,
        "--epochs",
        "1",
        "--transfer",
        "-o",
        "gray.safetensors",
    )
    assert other.status == 0, other.err
    first, same, gray = (load_file(f"{name}.safetensors") for name in ("net", "same", "gray"))
    assert torch.equal(first["layer1.0.conv1.weight"], same["layer1.0.conv1.weight"])
    assert torch.equal(first["layer1.0.conv1.weight"], gray["layer1.0.conv1.weight"])
    assert torch.allclose(first["conv1.weight"].sum(1, keepdim=True), gray["conv1.weight"])


def test_a_checkpoint_is_continued_only_on_request(run: Run, here: Path) -> None:
    assert run(*TINY, "--checkpoint", "c", "--resume").status == 0  # it begins where there is none
    again = run(*TINY, "--checkpoint", "c")
    assert again.status == 3
    assert "E805" in again.err
    assert "--resume" in again.err
    resumed = run(*TINY, "--checkpoint", "c", "--resume", "-o", "net.safetensors")
    assert resumed.status == 0, resumed.err
    assert "The training continued from step 7" in resumed.out
    assert run(*TINY, "-o", "whole.safetensors").status == 0
    whole, ours = load_file("whole.safetensors"), load_file("net.safetensors")
    assert all(torch.equal(value, ours[key]) for key, value in whole.items())
    assert "E867" in run(*TINY, "--checkpoint", "c", "--resume", "--seed", "5").err
    Path("c").write_bytes(b"something else")
    damaged = run(*TINY, "--checkpoint", "c", "--resume")
    assert damaged.status == 3
    assert "E866" in damaged.err


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["-o", "net.pth"], 2, "takes the name of a .safetensors file"),
        (["--resume"], 2, "--checkpoint FILE"),
        (["--lr", "nan"], 2, "`--lr` takes a finite number"),
        (["--weight-decay", "-1"], 2, "`--weight-decay` takes a number of at least 0"),
        (["--device", "nonsense"], 2, "`--device` takes a device of torch"),
        (["--batch", "100000"], 2, "E869"),
        (["--auxiliary", "x"], 2, "`--auxiliary` takes a number such as 0.3, or one for each output"),
        (["--auxiliary", "{a: 1, a: 2}"], 2, "`--auxiliary` takes a number such as 0.3, or one for each output"),
        (["--auxiliary", "-1"], 2, "`--auxiliary` takes a number of at least 0"),
        (["--auxiliary", "0.3"], 2, "`--auxiliary` has no effect on `resnet20_cifar`"),
        (["--auxiliary", "{aux: 0.3}"], 2, "E869"),
        (["--precision", "float16", "--device", "cpu"], 2, "E869"),
        (["--data", "nothing"], 2, "E860"),
        (["--data", "cifar10:nowhere"], 3, "E861"),
        (["-o", "nowhere/net.safetensors"], 3, "E806"),
        (["--checkpoint", "nowhere/c"], 3, "E806"),
        (["--transfer"], 2, "--weights FILE"),
        (["--weights", "nothing.pth"], 1, "E801"),
        (["--set", "stages.channels=0"], 1, "error["),
        (["--lr", "1e9", "--schedule", "constant", "--set", "norm=none"], 1, "E865"),
    ],
)
def test_what_is_refused(words: list[str], status: int, says: str, run: Run, here: Path) -> None:
    found = run(*TINY, *words)
    assert found.status == status, found.err
    assert says in " ".join(found.err.split())
    assert not [*here.iterdir()]


AUXILIARY = """archspec: 1
name: mine
extends: resnet20_cifar
params: {width: 2}
heads:
  side: [pool: {type: avg, output: 1, from: layer1}, flatten, linear: {out: classes}]
head: classifier
outputs:
  - head
  - {training: side}
"""


def test_a_network_with_an_auxiliary_head(run: Run, here: Path) -> None:
    """What the help says to write is what to write, on this command line and on that of an experiment."""
    Path("mine.yaml").write_text(AUXILIARY)
    words = ("train", "mine.yaml", "--data", "synthetic", "--size", "8", "--epochs", "1")
    found = run(*words)
    assert found.status == 2
    assert "mine.yaml:10:16: error[E869]" in found.err
    advised = re.search(r"`(--auxiliary [^`]*)`", found.err)
    assert advised
    trained = run(*words, *shlex.split(advised[1]), "--format", "json", "-o", "net.safetensors")
    assert trained.status == 0, trained.err
    assert trained.json["settings"]["auxiliary"] == 0.3
    named = run(*words, "--auxiliary", "{side: 0.3}", "--format", "json")
    assert named.json["settings"]["auxiliary"] == {"side": 0.3}
    assert named.json["epochs"][0]["loss"] == trained.json["epochs"][0]["loss"]
    assert any(key.startswith("side.") for key in load_file("net.safetensors"))
    lab = ("lab", "degradation", "mine.yaml", "--smallest", "-o", "out")
    found = run(*lab)
    assert found.status == 2
    assert "error[E869]" in found.err
    advised = re.search(r"`(--trainer [^`]*)`", found.err)
    assert advised
    assert run(*lab, *shlex.split(advised[1])).status == 0


@pytest.mark.parametrize("name", [name for name, (text, _) in HOSTILE.items() if b"classes: " not in text[:60]])
def test_a_hostile_spec(name: str, run: Run, here: Path) -> None:
    """The input and the classes are those of the data, whatever the spec says of them."""
    data, code = HOSTILE[name]
    Path("spec.yaml").write_bytes(data)
    found = run("train", "spec.yaml", "--data", "synthetic", "--size", "8", "-o", "out.safetensors")
    assert found.status == 1, found.err
    assert code in re.findall(r"\b[EW][0-9]{3}\b", found.err)
    assert [each.name for each in here.iterdir()] == ["spec.yaml"]


def test_a_file_is_replaced_only_by_force(run: Run, here: Path) -> None:
    Path("net.safetensors").write_text("mine")
    found = run(*TINY, "-o", "net.safetensors")
    assert found.status == 3
    assert "E805" in found.err
    assert Path("net.safetensors").read_text() == "mine"
    assert run(*TINY, "-o", "net.safetensors", "--force").status == 0
    assert archspec.build(
        "resnet20_cifar", overrides={"params.width": 2, "input": [3, 8, 8]}, weights="net.safetensors"
    )


@pytest.mark.slow
def test_the_same_command_under_torchrun(tmp_path: Path) -> None:
    """Two processes: one prints and writes."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "archspec"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    found = subprocess.run(
        [*launch, *TINY, "-o", "net.safetensors"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("Saved net.safetensors") == 1
    assert found.stdout.count("test loss") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["net.safetensors"]


def test_what_a_transfer_initializes_is_said(here: Path, run: Run) -> None:
    small = ("--set", "params.width=4", "--set", "stages.count=1", "--epochs", "1", "--batch", "512")
    assert run("train", "resnet20_cifar", *small, "-o", "one.safetensors").status == 0
    found = run("train", "resnet20_cifar", *small[:2], *small[4:], "--weights", "one.safetensors", "--transfer")
    assert found.status == 0
    assert "initialized" in found.out
    assert "layer1.1" in found.out


def test_a_device_without_values_is_refused(run: Run) -> None:
    found = run("train", "resnet20_cifar", "--epochs", "1", "--device", "meta")
    assert (found.status, found.out) == (2, "")
    assert "`meta` only has shapes" in found.err


def test_what_saving_needs_is_said_before_training(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    found = run("train", "resnet20_cifar", "--epochs", "1", "-o", "one.safetensors")
    assert (found.status, found.out) == (3, "")
    assert "E809" in found.err
