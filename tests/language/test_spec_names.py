"""What a path, a name or a text is answered that is not a spec."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import archspec

SPEC = "archspec: 1\nname: t\nextends: resnet18\n"


def refused(given: str) -> archspec.Diagnostic:
    with pytest.raises(archspec.SpecError) as error:
        archspec.load(given)
    (fault,) = error.value.diagnostics
    assert fault.code == "E801"
    return fault


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of some specs, which is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets").mkdir()
    for name in ("rx.yaml", "wide.yml", "nets/deep.yaml", "nets/flat.yml", "resnet18.v2.yaml"):
        (tmp_path / name).write_text(SPEC)
    return tmp_path


FILES = [
    ("rx", "rx.yaml"),
    ("wide", "wide.yml"),
    ("rx.yml", "rx.yaml"),
    ("wide.yaml", "wide.yml"),
    ("nets/deep", "nets/deep.yaml"),
    ("./nets/flat", "./nets/flat.yml"),
    ("nets/flat.yaml", "nets/flat.yml"),
    ("nets/depe.yaml", "nets/deep.yaml"),
    ("resnet18.v2", "resnet18.v2.yaml"),
    ("nets/banana", ""),
    ("no/rx", ""),
    ("nets/resnet18.yaml", "resnet18"),
]


@pytest.mark.parametrize(("given", "meant"), FILES)
def test_a_file_whose_name_lacks_its_suffix_is_suggested(folder: Path, given: str, meant: str) -> None:
    assert refused(given).hint.startswith(f"did you mean `{meant}`" if meant else "")
    assert bool(refused(given).hint) == bool(meant)


@pytest.mark.parametrize("call", [archspec.load, archspec.compile, archspec.build, lambda s: archspec.diff(s, "wide")])
def test_every_function_suggests_it(folder: Path, call: Callable[[str], object]) -> None:
    with pytest.raises(archspec.SpecError, match=r"did you mean `rx\.yaml`"):
        call("rx")


@pytest.mark.parametrize("key", ["extends", "import"])
@pytest.mark.parametrize(("given", "meant"), [("nets/deep", "nets/deep.yaml"), ("nets/flat.yaml", "nets/flat.yml")])
def test_so_do_the_keys_that_name_files(folder: Path, key: str, given: str, meant: str) -> None:
    (folder / "own.yaml").write_text(f"archspec: 1\nname: own\nstages: []\n{key}: {given}\n")
    assert refused("own.yaml").hint == f"did you mean `{meant}`?"


@pytest.mark.parametrize(
    "text", ["name: x", "archspec: 1", "{archspec: 1, name: x, extends: resnet18}", "stages:", "- conv", "'name': x"]
)
def test_a_line_of_yaml_is_told_from_a_path(text: str) -> None:
    fault = refused(text)
    assert "line break" in fault.help
    assert "reference" not in fault.help


@pytest.mark.parametrize("name", ["torchvision:resnet18", "timm:resnet18", "c:/x.yaml", "banana"])
def test_other_names_are_no_text(name: str) -> None:
    assert "line break" not in refused(name).help
