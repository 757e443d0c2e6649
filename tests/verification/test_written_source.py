"""Source that archspec writes, as a reference of `verify`: it is proved, and a change by hand is found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import archspec
from archspec.diagnostics import SpecError
from archspec.emit import modules
from archspec.tracing.copies import original
from tests.support.sources import executed

pytestmark = pytest.mark.usefixtures("freed")

SMALL = {
    "convnext_tiny": 32,
    "densenet121": 32,
    "efficientnet_b0": 32,
    "googlenet": 32,
    "mobilenet_v3_small": 32,
    "resnet18": 32,
    "shufflenet_v2_x0_5": 32,
}


def written(folder: Path, graph: archspec.Graph, change: tuple[str, str] | None = None) -> str:
    """A file with the source of a network, as `--against` names its class."""
    source = archspec.source(graph)
    if change:
        assert change[0] in source
        source = source.replace(*change)
    path = folder / "a file.py"
    path.write_text(source, encoding="utf-8")
    classes = re.findall(r"^class (\w+)", source, re.MULTILINE)
    return f"{path}:{classes[-1]}"


@pytest.mark.parametrize("name", SMALL)
def test_source_is_proved_on_every_level(name: str, tmp_path: Path) -> None:
    graph = archspec.compile(name, overrides=[f"input=[3, {SMALL[name]}, {SMALL[name]}]"])
    verdict = archspec.verify(graph, written(tmp_path, graph))
    assert verdict.holds("keys", "graph", "outputs")
    assert verdict.outputs
    assert not any(gap.largest for gap in verdict.outputs.gaps.values())


FROZEN = [["stem"], ["layer1", "classifier.fc"], ["layer2.0.bn1"], ["gain"], ["dropout", "conv1"]]


def part_frozen(scopes: list[str]) -> archspec.Graph:
    text = """
archspec: 1
name: t
input: [3, 16, 16]
classes: 5
stem: [conv: {out: 4, kernel: 3}, norm, act]
stages: {block: basic, count: [1, 2], channels: [4, 8], stride: [1, 2]}
head: [scale: {by: 1, learned: true, name: gain}, dropout, classifier]
"""
    return archspec.compile(f"{text}frozen: {scopes}\n")


@pytest.mark.parametrize("scopes", FROZEN, ids=str)
def test_source_that_freezes_is_proved(scopes: list[str], tmp_path: Path) -> None:
    """In training, the file keeps frozen parts in eval mode, and so does the network that it is compared with."""
    graph = part_frozen(scopes)
    verdict = archspec.verify(graph, written(tmp_path, graph))
    assert verdict.holds("keys", "graph", "outputs")
    assert verdict.outputs
    assert not any(gap.largest for gap in verdict.outputs.gaps.values())


def test_a_reference_that_freezes_another_part_is_found(tmp_path: Path) -> None:
    graph = part_frozen(["layer1"])
    assert not archspec.verify(graph, written(tmp_path, part_frozen(["stem"]))).holds("graph")
    assert not archspec.verify(graph, written(tmp_path, part_frozen(["classifier.fc"]))).holds("outputs")
    assert archspec.verify(graph, written(tmp_path, part_frozen(["relu"]))).holds("keys", "graph", "outputs")


CHANGES = {
    "another stride": ("stride=2", "stride=1"),
    "no activation": ("self.relu(self.bn1(", "(self.bn1("),
    "another epsilon": ("nn.BatchNorm2d(channels)", "nn.BatchNorm2d(channels, eps=0.1)"),
    "no shortcut": ("        out += ", "        self.unused = "),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_change_by_hand_is_found(change: tuple[str, str], tmp_path: Path) -> None:
    graph = archspec.compile("resnet18", overrides=["input=[3, 32, 32]"])
    verdict = archspec.verify(graph, written(tmp_path, graph, change))
    assert not verdict.holds("graph", "outputs")


def test_a_changed_copy_is_not_taken_for_the_original() -> None:
    """A class with the name of one of archspec's, which drops twice as many examples."""
    source = archspec.source("efficientnet_b0")
    copy = vars(executed(source))["DropPath"]
    assert original(copy) == "archspec.emit.modules.DropPath"
    for change in (
        ("1 - self.p", "1 - self.p / 2"),
        ("self.p = p", "self.p = p / 2"),
        ("class DropPath(nn.Module)", "class DropPath(nn.Identity)"),
    ):
        assert change[0] in source
        assert original(vars(executed(source.replace(*change)))["DropPath"]) == ""
    assert original(modules.DropPath) == "archspec.emit.modules.DropPath"


@pytest.mark.parametrize("text", ["missing.py:Net", "net.py:Other", "net.py", "broken.py:Net"])
def test_what_is_wrong_with_a_file_is_said(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text("from torch import nn\n\n\nclass Net(nn.Module): ...\n", encoding="utf-8")
    (tmp_path / "broken.py").write_text("import nothing_has_this_name\n", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        archspec.verify("resnet18", text)
    assert caught.value.diagnostics[0].code in ("E901", "E902", "E903")


def test_a_file_that_does_not_exist_suggests_one_that_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text("", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        archspec.verify("resnet18", "nett.py:Net")
    (found,) = caught.value.diagnostics
    assert (found.code, found.hint) == ("E902", "did you mean `net.py`?")
