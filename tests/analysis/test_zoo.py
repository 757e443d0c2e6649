"""`archspec.zoo` and `archspec list PATTERN`: the specs that ship, with what analysis and the texts themselves say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import archspec
from archspec_cli.main import run
from tests.support.paths import ROOT

SPECS = {path.stem: path for path in (ROOT / "specs").rglob("*.yaml")}


def test_every_spec_is_there_with_its_own_figures() -> None:
    found = {spec.name: spec for spec in archspec.zoo()}
    assert found.keys() == SPECS.keys()
    for name, path in SPECS.items():
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert found[name].reference == written.get("reference")
        assert Path(found[name].path).name == f"{name}.yaml"  # tests/cli/test_check.py checks every spec


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "googlenet", "resnet20_cifar"])
def test_the_figures_are_those_of_the_analysis(name: str) -> None:
    (found,) = archspec.zoo(name)
    costs = archspec.analyze(name).totals.costs
    assert (found.params, found.macs) == (costs.params, costs.macs)
    assert archspec.compile(found.path).fingerprint == archspec.compile(name).fingerprint


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("resnet1?", ["resnet18"]),
        ("vgg1[13]", ["vgg11", "vgg13"]),
        ("wide_*", ["wide_resnet50_2", "wide_resnet101_2"]),
        ("nothing*", []),
        ("RESNET18", ["resnet18"]),
        ("", []),
    ],
)
def test_a_pattern_matches_whole_names(pattern: str, names: list[str]) -> None:
    assert [spec.name for spec in archspec.zoo(pattern)] == names


def test_the_list_of_a_pattern_has_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "vgg1*", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == [
        {
            "name": spec.name,
            "path": spec.path,
            "summary": spec.summary,
            "params": spec.params,
            "macs": spec.macs,
            "reference": spec.reference,
        }
        for spec in archspec.zoo("vgg1*")
    ]
    assert run(["list", "vgg1*"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["params", "MACs", "reference", "summary"]
    assert [line.split()[:2] for line in lines[1:]] == [[spec["name"], f"{spec['params']:,}"] for spec in found]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("resnet5O", "there is no section and no spec `resnet5O`; did you mean `resnet50`?"),
        ("opertions", "there is no section and no spec `opertions`; did you mean `operations`?"),
        ("zzz*", "no spec matches `zzz*`; `archspec list zoo` shows all ALL"),
        ("qqqq", "there is no section `qqqq`; the sections are zoo, blocks, "),
    ],
)
def test_what_matches_nothing_is_wrong_usage(word: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", word]) == 2
    assert said.replace("ALL", str(len(SPECS))) in capsys.readouterr().err


def test_the_zoo_needs_no_torch() -> None:
    code = "import archspec, sys; print(archspec.zoo('resnet18')); sys.exit('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[<ZooSpec resnet18: 11.7 M parameters, 1.81 G MACs, torchvision:resnet18>]\n"


@pytest.mark.parametrize("arguments", [["--version"], ["check", "resnet18"], ["chek"], ["--help"], ["list", "vgg11"]])
def test_python_m_archspec_is_the_command(arguments: list[str], tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("archspec"))]
    one, other = (
        subprocess.run([*start, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path)
        for start in (command, [sys.executable, "-m", "archspec"])
    )
    assert (one.returncode, one.stdout, one.stderr) == (other.returncode, other.stdout, other.stderr)
