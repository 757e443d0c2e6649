"""Which target a path and a name choose, and what is said where they choose none."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import archspec
from archspec.diagnostics import SpecError
from archspec.emit.choosing import choose
from archspec.emit.targets import TARGETS, by_name, options, suffixes

from .conftest import Run


def test_the_table_holds_together() -> None:
    """Names and functions are there, and an option means one thing in every target."""
    assert len(by_name()) == len(TARGETS)
    for target in TARGETS:
        assert re.fullmatch(r"\.[a-z0-9]+", target.suffix)
        assert re.fullmatch(r"[a-z0-9]+", target.name)
        assert target.summary.endswith(".")
        assert target.contents
        assert target.use
        assert callable(target.load())
        assert bool(target.packages) <= bool(target.extra)
        assert not target.text or target.reads == "graph"
        for option in target.options:
            assert option == options()[option.name]
    for module in {target.function.partition(":")[0] for target in TARGETS}:
        assert importlib.import_module(module).__doc__


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_suffix_chooses_the_first_target_that_has_it(target: object) -> None:
    for each in TARGETS:
        assert choose(f"a/b.c{each.suffix}", each.name) is each
        assert choose(f"a/b.c{each.suffix}") is suffixes()[each.suffix]


@pytest.mark.parametrize(
    ("path", "to", "said"),
    [
        ("net.onx", None, "did you mean `.onnx`?"),
        ("net.ONNX", None, "did you mean `.onnx`?"),
        ("net.safetensor", None, "did you mean `.safetensors`?"),
        ("net.jsn", None, "name it `net.json` (json)"),
        ("net.pt", None, "name it `net.pt2` (pt2) or `net.safetensors` (safetensors)"),
        ("net.pth", None, "`net.safetensors`"),
        ("net.yaml", None, "`net.json`"),
        ("net.jpg", None, "`net.png`"),
        ("net.xyz", None, "the suffixes are .safetensors"),
        ("net.", None, "has no suffix"),
        ("net", None, "`net` has no suffix to say what to write"),
        (".onnx", None, "name a file such as `model.onnx`"),
        ("", None, "has no suffix"),
        ("a/..", None, "has no suffix"),
        ("net.onnx", "json", "the target `json` writes `.json` files, and `net.onnx` ends in `.onnx`"),
        ("net.onnx", "json", "or leave out `--to`"),
        ("net", "onnx", "name a file such as `net.onnx`"),
        ("net.xyz", "onnx", "name a file such as `net.onnx`"),
        ("net.onnx", "onx", "did you mean `onnx`?"),
        ("net.mmd", "mmd", "did you mean `mermaid`?"),
        ("net.mmd", ".mmd", "did you mean `mermaid`?"),
        ("net.onnx", "tensorflow", "the targets are safetensors"),
        ("-", None, "name the target with `--to`: "),
        ("-", "onnx", "`onnx` is not a text format and needs a file"),
        ("-", "onx", "did you mean `onnx`?"),
    ],
)
def test_what_chooses_no_target(path: str, to: str | None, said: str, small: Path, run: Run) -> None:
    words = ["-o", path, *(["--to", to] if to is not None else [])]
    found = run("build", "small.yaml", *words)
    assert (found.status, found.out) == (2, "")
    assert "error[E831]: " in found.err
    assert said in found.err
    data = run("build", "small.yaml", *words, "--format", "json")
    assert (data.status, data.err) == (2, "")
    assert [each["code"] for each in data.json["diagnostics"]] == ["E831"]
    assert data.json["diagnostics"][0]["file"] in ("--output", "--to")
    assert [each.name for each in Path().iterdir()] == ["small.yaml"]
    if path != "-":
        with pytest.raises(SpecError, match="E831"):
            archspec.write(small, path, to=to)


@pytest.mark.parametrize("path", ["a\x00.onnx", "a\x1b[31m.onx", "\udcff.onx", "x" * 5000 + ".onx", "a\n.onx"])
def test_a_hostile_path_is_shown_safely(path: str, small: Path, run: Run) -> None:
    with pytest.raises((SpecError, archspec.EnvironmentFault)) as raised:
        archspec.write(small, path)
    told = str(raised.value)
    assert "\x1b" not in told
    assert "\x00" not in told
    assert len(told) < 2000
    assert [each.name for each in Path().iterdir()] == ["small.yaml"]


@pytest.mark.parametrize(
    "words", [["--to", "onnx"], ["--opset", "18"], ["--mode", "eval"], ["--title", "a"]], ids=" ".join
)
def test_an_option_of_a_target_needs_an_output(words: list[str], small: Path, run: Run) -> None:
    found = run("build", "small.yaml", *words)
    assert (found.status, found.out) == (2, "")
    assert f"`{words[0]}` needs an output; name it with `-o FILE`" in found.err


def test_a_wrong_word_of_an_option_is_refused_by_the_option(tmp_path: Path, run: Run) -> None:
    found = run("build", "resnet20_cifar", "-o", str(tmp_path / "x.onnx"), "--dynamic", "batc")
    assert found.status == 2
    assert "`--dynamic` takes one of none, batch, size, not `batc`; did you mean `batch`?" in found.err


def test_the_folder_of_a_module_is_told(tmp_path: Path, run: Run) -> None:
    """Python looks a module up in the current folder, and that one need not be a package."""
    (tmp_path / "a b").mkdir()
    found = run("build", "resnet20_cifar", "-o", str(tmp_path / "a b" / "x.py"))
    assert f"Next: in the folder `{tmp_path / 'a b'}`, `from x import Resnet20Cifar`" in found.out


def test_a_cast_is_not_advised_where_there_is_no_choice(tmp_path: Path) -> None:
    state = archspec.build("resnet20_cifar").state_dict()
    weights = {key: value.double() if value.is_floating_point() else value for key, value in state.items()}
    with pytest.warns(UserWarning, match="a file always has torch.float32") as found:
        archspec.write("resnet20_cifar", tmp_path / "x.safetensors", weights=weights)
    assert not any("dtype=" in str(each.message) for each in found)
