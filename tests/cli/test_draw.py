"""`archspec draw`: which file it writes, and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .conftest import Run


def test_the_default_is_the_name_of_the_network(here: Path, run: Run) -> None:
    found = run("draw", "resnet18")
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith("Saved resnet18.svg: ")
    assert (here / "resnet18.svg").read_text().startswith("<svg ")


def test_every_format(here: Path, run: Run) -> None:
    starts = {"svg": b"<svg ", "png": b"\x89PNG", "pdf": b"%PDF-", "dot": b"digraph ", "mmd": b"---\ntitle: "}
    for suffix, start in starts.items():
        found = run("draw", "resnet20_cifar", "-o", f"a.{suffix}", "--depth", "stage", "--title", "A title")
        assert (found.status, found.err) == (0, ""), suffix
        assert (here / f"a.{suffix}").read_bytes().startswith(start)


def test_standard_output_has_the_figure_alone(here: Path, run: Run) -> None:
    found = run("draw", "resnet18", "-o", "-", "--depth", "model", "--title", "A & B")
    assert found.status == 0
    assert found.out.startswith("<svg ")
    assert found.out.endswith("</svg>\n")
    assert ">A &amp; B</text>" in found.out
    assert list(here.iterdir()) == []


def test_a_file_that_exists_stays(here: Path, run: Run) -> None:
    (here / "resnet18.svg").write_text("mine")
    found = run("draw", "resnet18")
    assert (found.status, "E805" in found.err) == (3, True)
    assert (here / "resnet18.svg").read_text() == "mine"
    assert run("draw", "resnet18", "--force").status == 0
    assert (here / "resnet18.svg").read_text() != "mine"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["-o", "a.jpg"], 2, "did you mean `.png`?"),
        (["-o", "a.json"], 2, "`archspec build SPEC -o a.json` writes it; the suffixes of figures are .svg"),
        (["-o", "a"], 2, "has no suffix"),
        (["--depth", "blocks"], 2, "did you mean `block`?"),
        (["-o", "nowhere/a.svg"], 3, "the folder `nowhere` does not exist"),
    ],
)
def test_what_it_refuses(arguments: list[str], status: int, says: str, here: Path, run: Run) -> None:
    found = run("draw", "resnet18", *arguments)
    assert (found.status, found.out) == (status, "")
    assert says in found.err
    assert list(here.iterdir()) == []


def test_a_spec_that_is_refused_writes_nothing(here: Path, run: Run) -> None:
    found = run("draw", "-", stdin="archspec: 1\nname: a\n")
    assert found.status == 1
    assert list(here.iterdir()) == []


def test_without_cairosvg(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    found = run("draw", "resnet18", "-o", "a.png")
    assert (found.status, "E809" in found.err) == (3, True)
    assert "pip install 'archspec-compiler[figure]'" in found.err
    assert run("draw", "resnet18", "-o", "a.svg").status == 0
    assert [path.name for path in here.iterdir()] == ["a.svg"]


def test_without_cairo(here: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is there, and the library of the system that it loads is not."""
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "cairosvg.py").write_text("raise OSError('no library called \"cairo-2\" was found')")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "cairosvg", raising=False)
    found = run("draw", "resnet18", "-o", "a.pdf")
    assert (found.status, "E809" in found.err) == (3, True)
    assert "`apt install libcairo2`" in found.err
