"""`archspec build --weights`: what is loaded, listed and saved, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import archspec
from tests.support.equivalence import scramble
from tests.support.reference import torchvision_model

from . import process
from .conftest import SMALL, Run

State = dict[str, Tensor]


@pytest.fixture
def state(small: Path) -> State:
    """`small.pth`, weights of `small.yaml` that no initialization would give."""
    model = archspec.build("small.yaml")
    scramble(model)
    torch.save(model.state_dict(), "small.pth")
    return dict(model.state_dict())


def sections(out: str) -> list[str]:
    """The lines about weights, between the totals and what comes next."""
    return out.split("\nweights of ")[1].split("\n\n")[0].splitlines()


@pytest.mark.slow
def test_weights_of_torchvision_into_ten_classes(tmp_path: Path) -> None:
    """The main case, in a process of its own: one command from a published file to a model to fine-tune."""
    source = torchvision_model("resnet18")
    scramble(source)
    given = source.state_dict()
    torch.save(given, tmp_path / "resnet18.pth")
    command = "build resnet18 --set classes=10 --weights resnet18.pth --transfer --seed 5 -o ten.safetensors"
    done = process.archspec(*command.split(), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    out = done.stdout.decode()
    assert sections(out) == [
        "resnet18.pth",
        "  120 keys loaded",
        "  2 keys initialized",
        "    fc.weight  10x512, in the file 1000x512",
        "    fc.bias    10, in the file 1000",
        "  2 keys of the file not used",
        "    fc.weight",
        "    fc.bias",
    ]
    saved = load_file(tmp_path / "ten.safetensors")
    reference = torchvision_model("resnet18", num_classes=10)
    reference.load_state_dict(saved, strict=True)
    for key, value in given.items():
        assert key.startswith("fc.") or torch.equal(saved[key], value), key
    fresh = archspec.build(archspec.load("resnet18", overrides=["classes=10"]), seed=5)
    assert torch.equal(saved["fc.weight"], fresh.fc.weight)
    assert torch.equal(saved["fc.bias"], fresh.fc.bias)


def test_a_pth_becomes_safetensors(state: State, run: Run) -> None:
    found = run("build", "small.yaml", "--weights", "small.pth", "-o", "new.safetensors")
    assert (found.status, found.err) == (0, "")
    assert sections(found.out) == ["small.pth", f"  {len(state)} keys loaded"]
    assert " kB of weights, with the spec in the metadata." in found.out
    saved = load_file("new.safetensors")
    assert saved.keys() == torch.load("small.pth", weights_only=True).keys()
    assert all(torch.equal(saved[key], state[key]) for key in state)
    again = run("build", "small.yaml", "--weights", "new.safetensors", "--format", "json").json
    assert (again["weights"]["loaded"], again["saved"]) == (list(state), None)


def test_without_an_output_the_next_call_gives_the_model(state: State, run: Run) -> None:
    command = ["build", "small.yaml", "--set", "classes=7", "--weights", "small.pth", "--transfer", "--seed", "2"]
    found = run(*command)
    assert (found.status, found.err) == (0, "")
    *_, following = found.out.splitlines()
    model = eval(following.removeprefix("Next: `").partition("` ")[0], {"archspec": archspec})  # it does what it says
    assert torch.equal(model.conv1.weight, state["conv1.weight"])
    assert run(*command, "-o", "seven.safetensors").status == 0
    assert torch.equal(model.fc.weight, load_file("seven.safetensors")["fc.weight"])
    assert [path.name for path in Path().glob("*.safetensors")] == ["seven.safetensors"]


def test_json(state: State, run: Run) -> None:
    torch.save({**state, "aux.weight": torch.zeros(2)}, "more.pth")
    found = run("build", "small.yaml", "--set", "classes=7", "--weights", "more.pth", "--transfer", "--format", "json")
    assert (found.status, found.err) == (0, "")
    assert found.json["diagnostics"] == []
    assert found.json["weights"] == {
        "file": "more.pth",
        "entry": None,
        "prefix": None,
        "rename": {},
        "map": None,
        "transfer": True,
        "unwrapped": [],
        "loaded": [key for key in state if not key.startswith("fc.")],
        "initialized": ["fc.weight", "fc.bias"],
        "reshaped": {
            "fc.weight": {"before": [5, 8], "after": [7, 8]},
            "fc.bias": {"before": [5], "after": [7]},
        },
        "adapted": {},
        "unused": ["fc.weight", "fc.bias", "aux.weight"],
        "outside": [],
        "skipped": [],
        "trimmed": [],
    }


def test_long_lists_are_cut_in_text_and_whole_in_json(state: State, run: Run) -> None:
    torch.save({"conv1.weight": state["conv1.weight"], **{f"x{i}": torch.zeros(1) for i in range(25)}}, "few.pth")
    command = ["build", "small.yaml", "--weights", "few.pth", "--transfer"]
    lines = sections(run(*command).out)
    assert "  25 keys of the file not used" in lines
    assert lines[-2:] == ["    x11", "    and 13 more, which `--format json` lists"]
    assert len(run(*command, "--format", "json").json["weights"]["unused"]) == 25


def test_a_map(state: State, run: Run) -> None:
    """With what a map of another spec and a wrapper are warned about, as diagnostics."""
    wrapped = {f"module.their_{key.replace('.', '_')}": value for key, value in state.items()}
    torch.save({"state_dict": wrapped, "epoch": 1}, "theirs.pth")
    keys = {key: f"their_{key.replace('.', '_')}" for key in state}
    graph = archspec.compile("small.yaml")
    whole = {"archspec": "0.1.0", "spec": "small", "hash": graph.fingerprint, "reference": "x:y", "keys": keys}
    Path("map.json").write_text(json.dumps(whole))
    command = ["build", "small.yaml", "--weights", "theirs.pth", "--map", "map.json"]
    found = run(*command, "-o", "ours.safetensors")
    assert found.status == 0
    assert found.err.count("warning[W820]") == 1
    assert "`state_dict`, `module.`" in found.err
    saved = load_file("ours.safetensors")
    assert all(torch.equal(saved[key], state[key]) for key in state)
    data = run(*command, "--set", "init.conv=normal", "--format", "json")
    assert data.err == ""
    assert [each["code"] for each in data.json["diagnostics"]] == ["W820", "W823"]
    assert (data.json["weights"]["map"], data.json["weights"]["unwrapped"]) == ("map.json", ["state_dict", "module."])


def test_numbers_that_are_not_finite_are_said(state: State, run: Run) -> None:
    state["fc.bias"][0] = float("nan")
    save_file(state, "nan.safetensors")
    found = run("build", "small.yaml", "--weights", "nan.safetensors")
    assert found.status == 0
    assert found.err.startswith("warning[W822]: the weights have numbers that are not finite")


def test_what_does_not_fit_is_listed_and_nothing_is_written(state: State, run: Run) -> None:
    state["extra"] = state.pop("conv1.weight")
    state["fc.bias"] = torch.zeros(9)
    torch.save(state, "other.pth")
    command = ["build", "small.yaml", "--weights", "other.pth", "-o", "new.safetensors"]
    found = run(*command)
    assert (found.status, found.out) == (1, "")
    assert found.err.count("error[E807]") == 3
    for told in ("lack 1 key of `small`: `conv1.weight`", "`small` does not have: `extra`", "`fc.bias` is 9, not 5"):
        assert told in found.err
    assert "--transfer" in found.err
    data = run(*command, "--format", "json")
    assert (data.status, data.json["valid"], data.err) == (1, False, "")
    assert [each["code"] for each in data.json["diagnostics"]] == ["E807"] * 3
    assert sorted(path.name for path in Path().iterdir()) == ["other.pth", "small.pth", "small.yaml"]


def test_many_keys_that_do_not_fit_are_lines_that_can_be_read(small: Path, run: Run) -> None:
    """Counted by hand; what comes first is `bn1` with 4 keys, and `layer1.1` with 1, 4, 1 and 4."""
    torch.save(archspec.build("small.yaml").state_dict(), "small.pth")
    found = run("build", "resnet18", "--weights", "small.pth")
    assert found.status == 1
    first, *lines = found.err.split("\n\n")[0].splitlines()
    # 122 keys, 20 of them counters that may be missing, less the 28 of 33 in `small.yaml` that are no counters.
    assert first == "error[E807]: the weights lack 74 keys of `resnet18`:"
    assert lines[0] == "  `bn1.weight`"
    assert lines[11:13] == ["  `layer1.1.bn2.bias`", "  and 62 more, which `--format json` lists"]
    assert max(map(len, found.err.splitlines())) < 140
    lacking, _ = run("build", "resnet18", "--weights", "small.pth", "--format", "json").json["diagnostics"]
    assert len(lacking["items"]) == 74
    status, shown = process.on_terminal(["build", "resnet18", "--weights", "small.pth"], columns=60)
    assert status == 1
    assert "\n  `conv1.weight` is 4x3x3x3, not 64x3x7x7\n" in shown


def test_a_cast_says_what_the_command_can_do(state: State, run: Run) -> None:
    half = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    save_file(half, "half.safetensors")
    found = run("build", "small.yaml", "--weights", "half.safetensors")
    assert (found.status, found.err.count("warning[W821]")) == (0, 1)
    assert "help: the command always makes torch.float32" in found.err


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path.unlink(), "E801"),
    "folder": (lambda path: (path.unlink(), path.mkdir()), "E803"),
    "empty": (lambda path: path.write_bytes(b""), "E808"),
    "text": (lambda path: path.write_text("weights\n"), "E808"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:2000]), "E808"),
    "pickled objects": (lambda path: torch.save(nn.Linear(2, 2), path), "E808"),
    "several": (lambda path: torch.save({"model": {"a": torch.zeros(1)}, "ema": {"a": torch.ones(1)}}, path), "E823"),
    "another network": (lambda path: torch.save({"a": torch.zeros(1)}, path), "E824"),
}


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("kind", BAD)
def test_bad_files(kind: str, suffix: str, state: State, run: Run) -> None:
    spoil, code = BAD[kind]
    path = Path(f"w.{suffix}")
    shutil.copy("small.pth", path) if suffix == "pth" else save_file(state, path)
    spoil(path)
    if suffix == "safetensors" and code in ("E823", "E824"):
        code = "E808"  # a pickle under that name
    found = run("build", "small.yaml", "--weights", str(path), "--transfer", "-o", "new.safetensors")
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith(f"error[{code}]: ")
    assert "Traceback" not in found.err
    assert not list(Path().glob("new*")) + list(Path().glob(".archspec*"))


@pytest.mark.parametrize("content", ["", "[]", '{"keys": {"conv1.weight": 1}}'])
def test_bad_maps(content: str, state: State, run: Run) -> None:
    Path("map.json").write_text(content)
    found = run("build", "small.yaml", "--weights", "small.pth", "--map", "map.json")
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith("error[E820]: the key map `map.json` ")


@pytest.mark.parametrize("options", [["--transfer"], ["--map", "map.json"], ["--map", "map.json", "--transfer"]])
def test_how_to_load_needs_what_to_load(options: list[str], small: Path, run: Run) -> None:
    found = run("build", "small.yaml", *options)
    assert (found.status, found.out) == (2, "")
    assert "--weights FILE" in found.err


def test_the_weights_are_not_written_over(state: State, run: Run) -> None:
    save_file(state, "w.safetensors")
    before = Path("w.safetensors").read_bytes()
    Path("hard.safetensors").hardlink_to("w.safetensors")
    for output in ("w.safetensors", "./w.safetensors", "hard.safetensors"):
        found = run("build", "small.yaml", "--weights", "w.safetensors", "-o", output, "--force")
        assert (found.status, found.out) == (3, "")
        assert "error[E806]" in found.err
        assert "it is what the weights are read from" in found.err
    assert Path("w.safetensors").read_bytes() == before


def test_an_empty_name_is_no_file(small: Path, run: Run) -> None:
    found = run("build", "small.yaml", "--weights", "")
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith("error[E80")


def test_a_name_that_could_steer_a_terminal(state: State, run: Run) -> None:
    name = "a\x1b[31m.pth"
    torch.save({**state, "k\x1b[31m": torch.zeros(1)}, name)
    found = run("build", "small.yaml", "--weights", name, "--transfer")
    assert found.status == 0
    assert "\x1b" not in found.out + found.err
    assert "k\\u001b[31m" in found.out


def test_a_spec_at_fault_is_said_before_the_weights(small: Path, run: Run) -> None:
    small.write_text(SMALL + "expect: {params: 7}\n")
    found = run("build", "small.yaml", "--weights", "missing.pth")
    assert (found.status, found.err.count("error[")) == (1, 1)
    assert "E701" in found.err


# -- other keys --------------------------------------------------------------------------------------------------------

SELECTED = {
    "prefix": ("--prefix visual.trunk.", {"visual.trunk."}, "text.", None),
    "prefix, without a dot": ("--prefix visual.trunk", {"visual.trunk."}, "text.", None),
    "rename": ("--rename backbone.=", {"backbone."}, "", None),
    "renames in order": ("--rename a=b --rename b.c=", {"a.c."}, "", None),
    "entry": ("--entry model_state", {""}, "", "model_state"),
    "inner entry": ("--entry ema.state_dict --prefix m", {"m."}, "x.", "ema.state_dict"),
}


@pytest.mark.parametrize("kind", SELECTED)
def test_what_is_read_of_a_file(kind: str, state: State, run: Run) -> None:
    """And the call in Python that comes next does the same."""
    options, (scope,), other, entry = SELECTED[kind]
    weights: dict[str, object] = {f"{scope}{key}": value for key, value in state.items()}
    weights |= {f"{other}{key}": value + 1 for key, value in state.items()} if other else {}
    if entry:
        *outer, last = entry.split(".")
        weights = {last: weights, "model": {key: value + 1 for key, value in state.items()}}
        weights = {outer[0]: weights, "model": weights["model"]} if outer else weights
    torch.save(weights, "w.pth")
    assert run("build", "small.yaml", "--weights", "w.pth").status == (1 if other or entry or "order" in kind else 0)
    found = run("build", "small.yaml", "--weights", "w.pth", *options.split())
    assert (found.status, found.err) == (0, "")
    told = [f"  {len(state)} keys outside `{options.split()[-1]}` not read"] if other else []
    assert sections(found.out) == ["w.pth", f"  {len(state)} keys loaded", *told]
    following = found.out.splitlines()[-1].removeprefix("Next: `").partition("` ")[0]
    model = eval(following, {"archspec": archspec})
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_weights_that_agree_in_order_and_shape_name_the_option_that_pairs_them(state: State, run: Run) -> None:
    torch.save({f"t{n}/{key.rpartition('.')[2]}": value for n, (key, value) in enumerate(state.items())}, "w.pth")
    found = run("build", "small.yaml", "--weights", "w.pth")
    assert found.status == 1
    assert f"only the keys differ: all {len(state)} tensors agree in order and shape" in found.err
    assert "`--write-map keys.json`" in found.err
    command = ["build", "small.yaml", "--weights", "w.pth"]
    found = run(*command, "--write-map", "keys.json", "-o", "new.safetensors")
    assert (found.status, found.err) == (0, "")
    assert "Saved keys.json: a map of the keys." in found.out
    assert all(torch.equal(value, state[key]) for key, value in load_file("new.safetensors").items())
    data = json.loads(Path("keys.json").read_text())
    assert data["hash"] == archspec.compile("small.yaml").fingerprint
    assert list(data["keys"]) == list(state)
    assert run(*command, "--map", "keys.json").status == 0
    assert run(*command, "--write-map", "keys.json").err.startswith("error[E805]")
    assert run(*command, "--write-map", "w.pth", "--force").err.startswith("error[E806]")
    assert run(*command, "--write-map", "keys.json", "--map", "keys.json").status == 2


def test_a_map_that_names_only_what_differs(state: State, run: Run) -> None:
    state["linear.weight"] = state.pop("fc.weight")
    torch.save(state, "w.pth")
    Path("map.json").write_text(json.dumps({"keys": {"fc.weight": "linear.weight"}}))
    assert run("build", "small.yaml", "--weights", "w.pth", "--map", "map.json").status == 0
    Path("map.json").write_text(json.dumps({"keys": {"linear.weight": "fc.weight"}}))
    found = run("build", "small.yaml", "--weights", "w.pth", "--map", "map.json")
    assert found.status == 1
    assert "in the wrong direction" in found.err
    assert 'write the key of the network first: "fc.weight": "linear.weight"' in found.err


@pytest.mark.parametrize(
    ("channels", "told"),
    [
        (1, "4x1x3x3, in the file 4x3x3x3; filters summed over 3 channels"),
        (2, "4x2x3x3, in the file 4x3x3x3; filters cut and scaled by 3/2"),
        (13, "4x13x3x3, in the file 4x3x3x3; filters repeated and scaled by 3/13"),
    ],
)
def test_adapted_filters_are_said(channels: int, told: str, state: State, run: Run) -> None:
    command = ["build", "small.yaml", "--set", f"input=[{channels}, 8, 8]", "--weights", "small.pth", "--transfer"]
    found = run(*command)
    assert (found.status, found.err) == (0, "")
    assert sections(found.out)[2:] == ["  1 key adapted to the channels of the input", f"    conv1.weight  {told}"]
    data = run(*command, "--format", "json").json["weights"]
    assert data["adapted"] == {"conv1.weight": {"before": [4, 3, 3, 3], "after": [4, channels, 3, 3]}}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--prefix", "a"], "`--prefix` needs weights"),
        (["--rename", "a=b"], "`--rename` needs weights"),
        (["--entry", "a"], "`--entry` needs weights"),
        (["--write-map", "a.json"], "`--write-map` needs weights"),
        (["--weights", "a", "--rename", "a"], "`a` has no `=`"),
        (["--weights", "a", "--rename", "a=b", "--rename", "a=c"], "names one scope twice"),
    ],
)
def test_wrong_usage_of_what_selects(options: list[str], told: str, small: Path, run: Run) -> None:
    found = run("build", "small.yaml", *options)
    assert (found.status, found.out) == (2, "")
    assert told in found.err
