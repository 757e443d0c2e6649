"""The first place of every fault is in a file, or an override, of the author's; a place of the zoo or the library is
the second. In every form in which a fault is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

import archspec
from archspec.diagnostics import Diagnostic, Source
from archspec.language.text.locate import ships, zoo_names
from tests.language.test_bad_specs import FILES, FOLDER, stated

from .conftest import Run

PLACE = re.compile(r"^(?:(?P<place>\S.*?):(\d+):(\d+): )?(?:error|warning)\[([EW]\d+)\]:", re.MULTILINE)


def call(path: Path) -> tuple[str, ...]:
    """``check`` of one of the bad specs, in its folder, with the overrides that it asks for."""
    overrides = stated(path.read_text(encoding="utf-8"))[1]
    return ("check", path.name, *(word for setting in overrides for word in ("--set", setting)))


def is_the_authors(file: str) -> bool:
    return file == "--set" or (FOLDER / file).is_file()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_in_all_forms(path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    found = run(*call(path), "--format", "json").json[0]["diagnostics"]
    assert found
    placed = [(each["code"], each["file"]) for each in found if each["file"] is not None]
    assert all(is_the_authors(file) for _, file in placed), placed

    text = [(code, place) for place, _, _, code in PLACE.findall(run(*call(path)).err) if place]
    assert text == placed[: len(text)]

    # A code host shows a fault in an override at the spec, and one without a place too.
    for log in run(*call(path), "--format", "sarif").json["runs"][0]["results"]:
        uri = log["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert is_the_authors(uri) or not (FOLDER / uri).exists(), log  # `extends` may name a file that is not there
        assert not uri.startswith("file:"), log
    lines = [line for line in run(*call(path), "--format", "github").out.splitlines() if line.startswith("::")]
    for line in lines:
        (file,) = re.findall(r"[ ,]file=([^,:]*)", line)
        assert is_the_authors(file), line


def first_places(found: tuple[Diagnostic, ...]) -> Iterator[Source]:
    for fault in found:
        assert fault.span, str(fault)
        yield fault.span.source


CHANGES = (
    *("input=[3, 7, 7]", "input=[3, 15]", "input=[3, 47, 33]", "stem=[]", "stem=cifar", "head=[conv: {out: 3}]"),
    *("shortcut=identity", "shortcut=zero-pad", "stages.stride=3", "stages.channels=3", "stages.block=bottleneck"),
    *("norm={type: group, groups: 7}", "activation_order=pre", "stages.dilation=200", "stages.before=[flatten]"),
    *("classes=2000000000000", "naming={conv: same}", "naming={stage: class}", "scale={width: 1e14}", "drop_path=1"),
    *("scale={depth: 100000}", "outputs=[layer9]", "stages.kernel=100", "init={zero_init_residual: true}"),
    "blocks.basic={residual: [layer: {out: channels, kernel: 3}]}",
    "blocks.bottleneck={steps: [layer: {out: channels}]}",
    "shortcuts.projection={same: [], change: [conv: {out: out_channels}]}",
    "fragments.classifier={steps: [conv: {out: 3, groups: 2}]}",
)
"""What is changed in specs of the zoo; in many of them it does not fit."""

SOME = ("resnet18", "resnet50", "vgg11_bn", "mobilenet_v2", "efficientnet_b0", "densenet121", "googlenet", "resnext50")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", [name for name in zoo_names() if name.startswith(SOME)])
def test_over_the_zoo(name: str, change: str) -> None:
    """Whatever is changed in a spec of the zoo, by an override or by a spec over it, a fault is first shown there."""
    key, _, value = change.partition("=")
    parts = key.split(".")
    nested = "".join(f"{'  ' * depth}{part}:\n" for depth, part in enumerate(parts)).rstrip("\n")
    child = Source("child.yaml", f"archspec: 1\nname: child\nextends: {name}\n{nested} {value}\n")
    assert all(source.kind == "override" for source in first_places(failures(name, change)))
    assert all(source is child for source in first_places(failures(child)))


def failures(spec: str | Source, *overrides: str) -> tuple[Diagnostic, ...]:
    try:
        return archspec.compile(archspec.load(spec, overrides=overrides)).warnings
    except archspec.SpecError as error:
        return error.diagnostics


FLOOR = FOLDER / "over_shortcut_floor.yaml"


def test_in_a_report_for_junit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    root = ElementTree.fromstring(run("test", FLOOR.name, "--format", "junit").out)
    (case,) = root.iter("testcase")
    assert (case.get("file"), case.get("line")) == (FLOOR.name, "12")
    failure = case.find("failure")
    assert failure is not None
    assert (failure.text or "").startswith(f"{FLOOR.name}:12:9: error[E504]")


def test_in_an_exception() -> None:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(FLOOR)
    assert str(caught.value).startswith(f"{FLOOR}:12:9: error[E504]")


def test_of_another_input(run: Run) -> None:
    """An input beside the spec is the author's, and the spec of the zoo is correct with its own."""
    found = run("analyze", "vgg11", "--input", "3x8x8")
    assert found.err.startswith("--input:1:1: error[E502]")
    assert "at vgg11.yaml:" in found.err


def test_a_spec_of_the_zoo_is_its_own_author() -> None:
    """What the zoo itself does wrong is shown in the zoo."""
    warned = [(name, source) for name in ("resnet20_cifar", "vgg16") for source in first_places(failures(name))]
    assert all(ships(source) for _, source in warned)
    spec = archspec.load("resnet50")
    place = spec.document.span(("stages", "block"))
    (found,) = spec.authors.first([Diagnostic("E504", "x", place)])
    assert found.span == place
