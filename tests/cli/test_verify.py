"""``archspec verify``: its text, its JSON, the key map that it writes, and how it ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import archspec
from tests.support.reference import torchvision_models

from . import process
from .conftest import Run
from .test_imports import blocking

torchvision_models()

REFERENCE = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width, out, stride):
        super().__init__()
        self.one = nn.Conv2d(width, out, 3, stride, 1, bias=False)
        self.two = nn.BatchNorm2d(out)
        self.three = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.four = nn.BatchNorm2d(out)
        self.short = nn.Identity()
        if stride > 1:
            self.short = nn.Sequential(nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        return torch.relu(self.four(self.three(torch.relu(self.two(self.one(x))))) + self.short(x))


def build(stride=2, classes=5):
    blocks = [Block(4, 4, 1), Block(4, 8, stride)]
    if stride == 1:
        blocks[1].short = nn.Sequential(nn.Conv2d(4, 8, 1, bias=False), nn.BatchNorm2d(8))
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, 1, 1, bias=False), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes)
    )
"""


@pytest.fixture
def reference(small: Path) -> Path:
    """``small.yaml`` and a reference of the same network, in the working directory."""
    sys.modules.pop("reference_for_tests", None)
    path = small.parent / "reference_for_tests.py"
    path.write_text(REFERENCE, encoding="utf-8")
    return small


BUILD = "reference_for_tests:build"


def test_the_same_network(run: Run, reference: Path) -> None:
    found = run("verify", "small.yaml", "--against", BUILD)
    assert (found.status, found.err) == (0, "")
    lines = found.out.splitlines()
    assert lines[0] == f"small against {BUILD}, on 2x3x16x16"
    assert lines[2].startswith("identical keys    no   33 keys, ")
    assert lines[3] == "isomorphic graph  yes  22 operations"
    assert lines[4] == "equal outputs     yes  max |d| = 0 in eval mode, 0 in training, 0 of gradients, 0 of statistics"


@pytest.mark.parametrize(
    ("levels", "status"),
    [
        (["keys"], 1),
        (["graph"], 0),
        (["outputs"], 0),
        (["graph", "outputs"], 0),
        (["keys", "graph"], 1),
        (["graph", "graph"], 0),
    ],
)
def test_the_levels_that_are_asked_decide(run: Run, reference: Path, levels: list[str], status: int) -> None:
    found = run("verify", "small.yaml", "--against", BUILD, *(f"--level={level}" for level in levels))
    assert found.status == status
    assert ("E908" in found.err) == bool(status)
    assert ("equal outputs" in found.out) == ("outputs" in levels)


def test_another_network(run: Run, reference: Path) -> None:
    found = run("verify", "small.yaml", "--against", f"{BUILD}(stride=1)", "--level", "graph")
    assert found.status == 1
    assert found.err.startswith(
        "small.yaml:6:17: error[E906]: `layer2.0.conv1` has stride 2 where the reference's `2.one` has stride 1\n"
        "  6 | stages: {block: basic, count: [1, 1], channels: [4, 8], stride: [1, 2]}\n"
        "    |                 ^^^^^\n"
        "  6 | stages: {block: basic, count: [1, 1], channels: [4, 8], stride: [1, 2]}\n"
        "    |                                                                     - the stage's stride\n"
        "  in layer2.0.conv1\n"
    )
    assert "isomorphic graph  no  22 operations, the reference 22" in found.out


def test_keys_of_another_network_are_listed(run: Run, small: Path) -> None:
    found = run("verify", "small.yaml", "--against", "torchvision:resnet18(num_classes=5)", "--level", "keys")
    assert found.status == 1
    # Here: a convolution, blocks of 12 and 18 keys, a linear layer. What is there alone: a normalisation of 5, two
    # blocks of 12, two stages of 30. Of one shape are a bias of 5 classes and the counters of 5 normalisations.
    assert "33 keys, the reference 122: 33 in both (27 of another shape), 89 only in the reference; " in found.out
    lines = found.out.partition("\nonly in the reference\n")[2].split("\n\n")[0].splitlines()
    assert (lines[0], lines[-1]) == ("  bn1.weight", "  and 77 more, which `--format json` lists")
    assert len(lines) == 13
    assert "\n  conv1.weight               4x3x3x3, the reference 64x3x7x7\n" in found.out
    data = run("verify", "small.yaml", "--against", "torchvision:resnet18", "--level", "keys", "--format", "json").json
    assert len(data["keys"]["missing"]) > 60
    assert data["keys"]["misshapen"]["fc.bias"] == [[5], [1000]]


def test_json(run: Run, reference: Path) -> None:
    found = run("verify", "small.yaml", "--against", BUILD, "--format", "json", "--map", "keys.json")
    assert (found.status, found.err) == (0, "")
    data = found.json
    assert (data["spec"], data["name"], data["valid"], data["held"]) == ("small.yaml", "small", True, True)
    assert data["levels"] == {"identical keys": False, "isomorphic graph": True, "equal outputs": True}
    assert (data["asked"], data["saved"], data["diagnostics"]) == (["graph", "outputs"], "keys.json", [])
    found = run("verify", "small.yaml", "--against", f"{BUILD}(stride=1)", "--format", "json")
    assert (found.status, found.err) == (1, "")
    (fault,) = found.json["diagnostics"]
    assert (fault["code"], fault["notes"][-1]) == ("E906", "therefore the outputs are not compared")
    assert found.json["outputs"]["reason"]


def test_a_key_map_is_the_specs_on_whatever_input_it_was_verified(run: Run, reference: Path) -> None:
    run("verify", "small.yaml", "--against", BUILD, "--level", "graph", "--input", "3x48x48", "--map", "keys.json")
    assert json.loads(Path("keys.json").read_text())["hash"] == archspec.compile("small.yaml").fingerprint


def test_what_a_reference_prints_is_no_data(run: Run, reference: Path) -> None:
    path = reference.parent / "reference_for_tests.py"
    path.write_text(f"print('loading')\n{path.read_text()}")
    found = run("verify", "small.yaml", "--against", BUILD, "--format", "json", "--level", "graph")
    assert (found.json["held"], found.err) == (True, "loading\n")


def test_the_key_map_loads_the_references_weights(run: Run, reference: Path) -> None:
    found = run("verify", "small.yaml", "--against", BUILD, "--map", "keys.json")
    assert found.out.endswith("\nSaved keys.json: 33 keys of the reference.\n")
    data = json.loads(Path("keys.json").read_text())
    assert data["hash"] == archspec.compile("small.yaml").fingerprint
    assert (data["archspec"], data["spec"], data["reference"]) == (archspec.__version__, "small", BUILD)
    assert data["keys"]["layer2.0.downsample.1.running_var"] == "2.short.1.running_var"
    assert set(data["keys"]) == set(archspec.build("small.yaml").state_dict())


def test_a_key_map_replaces_nothing_unasked(run: Run, reference: Path) -> None:
    arguments = ["verify", "small.yaml", "--against", BUILD, "--level", "graph", "--map"]
    Path("keys.json").write_text("mine")
    assert run(*arguments, "keys.json").status == 3
    assert Path("keys.json").read_text() == "mine"
    assert run(*arguments, "keys.json", "--force").status == 0
    assert run(*arguments, "small.yaml", "--force").status == 3
    assert "archspec: 1" in Path("small.yaml").read_text()


def test_there_is_no_key_map_of_networks_that_differ(run: Run, reference: Path) -> None:
    found = run("verify", "small.yaml", "--against", f"{BUILD}(stride=1)", "--level", "graph", "--map", "keys.json")
    assert found.status == 1
    assert "isomorphic graph  no" in found.out
    assert found.err.startswith("No key map was written: the weights could not be paired.\n")
    assert sorted(path.name for path in Path().iterdir() if path.is_file()) == ["reference_for_tests.py", "small.yaml"]


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["--against", "torchvision:resnet19"], 2, "E902"),
        (["--against", "nothing"], 2, "E901"),
        (["--against", "nothing_for_tests:build"], 2, "E902"),
        (["--against", f"{BUILD}(classes='many')"], 2, "E904"),
        (["--against", f"{BUILD}(stride=x)"], 2, "E901"),
        (["--against", "reference_for_tests:REFERENCE"], 2, "E902"),
        (["--against", "math:pi"], 2, "E905"),
        (["--against", BUILD, "--set", "stages.groupz=3"], 1, "E301"),
        (["--against", BUILD, "--input", "3x16"], 1, ""),
        (["--against", BUILD, "--input", "16"], 2, ""),
        (["--against", BUILD, "--level", "grahp"], 2, ""),
        (["--against", BUILD, "--batch", "0"], 2, ""),
        (["--against", BUILD, "--tolerance", "-1"], 2, ""),
        (["--against", BUILD, "--tolerance", "nan"], 2, ""),
        ([], 2, ""),
    ],
)
def test_wrong_arguments(run: Run, reference: Path, arguments: list[str], status: int, code: str) -> None:
    found = run("verify", "small.yaml", *arguments)
    assert (found.status, found.out) == (status, "")
    assert code in found.err
    assert "Traceback" not in found.err


def test_settings_and_another_input(run: Run, reference: Path) -> None:
    arguments = ["--set", "classes=7", "--input", "3x20x12", "--batch", "3", "--seed", "5"]
    found = run("verify", "small.yaml", "--against", f"{BUILD}(classes=7)", *arguments)
    assert found.status == 0
    assert found.out.startswith(f"small against {BUILD}(classes=7), on 3x3x20x12\n")


def test_the_spec_names_its_reference(run: Run, small: Path) -> None:
    text = small.read_text()
    small.write_text(f"{text}reference: torchvision:resnet18(num_classes=5)\n")
    found = run("verify", "small.yaml", "--level", "keys")
    assert found.status == 1
    assert found.out.startswith("small against torchvision:resnet18(num_classes=5), on 2x3x16x16\n")


@pytest.mark.parametrize(
    "named",
    [
        *("os:system('exit 3')", "reference_for_tests:build", "torchvision:resnet18(weights='DEFAULT')"),
        *("timm:resnet18(pretrained=True)", "timm:resnet18(checkpoint_path='/etc/passwd')", "resnet18"),
        *("timm:resnet18(pretrained_cfg={'url': 'a'})",),
    ],
)
def test_a_spec_runs_no_code_and_reads_no_file(run: Run, reference: Path, named: str) -> None:
    reference.write_text(f'{reference.read_text()}reference: "{named}"\n')
    found = run("verify", "small.yaml")
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith("small.yaml:7:12: error[E901]: ")
    assert "reference_for_tests" not in sys.modules or named != BUILD


def test_a_spec_that_is_refused(run: Run, here: Path) -> None:
    found = run("verify", "-", "--against", "torchvision:resnet18", stdin="archspec: 1\n")
    assert found.status == 1
    assert "E203" in found.err


def test_without_torch_it_says_what_to_install(small: Path) -> None:
    env = blocking(small.parent, "torch", "numpy", "safetensors")
    found = process.archspec("verify", "small.yaml", "--against", "torchvision:resnet18", env=env, cwd=small.parent)
    assert (found.returncode, found.stdout) == (3, b"")
    assert found.stderr.startswith(b"error[E809]: ")


def test_help_imports_no_torch() -> None:
    code = "import sys; from archspec_cli.main import run; run(['verify', '--help']); sys.exit('torch' in sys.modules)"
    assert process.python(code).returncode == 0


@pytest.mark.parametrize("force", [True, False])
def test_a_reference_that_is_not_there_leaves_the_map_alone(run: Run, small: Path, force: bool) -> None:
    if force:
        Path("keys.json").write_text("mine")
    more = ["--force"] if force else []
    found = run("verify", "small.yaml", "--against", "torchvision:resnet9000", "--map", "keys.json", *more)
    assert (found.status, found.err.count("error[E902]")) == (2, 1)
    assert not force or Path("keys.json").read_text() == "mine"
    assert [path.name for path in Path().iterdir() if "keys" in path.name] == (["keys.json"] if force else [])
