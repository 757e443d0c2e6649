"""Networks without stages: the stem, then the head."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import archspec

LENET = """\
archspec: 1
name: lenet
input: [1, 32, 32]
classes: 10
stem:
  - conv: {out: 6, kernel: 5, padding: 0, bias: true}
  - act
  - pool: {type: max, kernel: 4}
stages: []
head: [flatten, linear: {out: classes}]
"""


def test_it_is_the_stem_and_the_head() -> None:
    model = archspec.build(archspec.load(LENET), seed=0).eval()
    by_hand = nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(294, 10)).eval()
    by_hand.load_state_dict(dict(zip(by_hand.state_dict(), model.state_dict().values(), strict=True)))
    value = torch.randn(2, 1, 32, 32)
    assert torch.equal(model(value), by_hand(value))


@pytest.mark.parametrize("size", [8, 28, 48])
def test_it_has_no_block_that_a_stem_could_be_too_coarse_for(size: int) -> None:
    head = "archspec: 1\nname: t\nstem: [conv: {out: 4, stride: 4}]\nhead: [flatten]\n"
    assert archspec.compile(f"{head}input: [1, {size}, {size}]\nstages: []\n").warnings == ()
    table = f"{head}input: [1, {size}, {size}]\nstages: {{block: basic, count: 1, channels: 4}}\n"
    assert [warning.code for warning in archspec.compile(table).warnings] == ["W501"]


@pytest.mark.parametrize("base", ["resnet18", "vgg11", "regnet_x_400mf", "mobilenet_v2"])
def test_it_removes_the_stages_of_another_spec(base: str) -> None:
    graph = archspec.compile(f"archspec: 1\nname: t\nextends: {base}\nstages: []\nhead: [act]\n")
    assert graph.stages == () or list(graph.stages) == []
    assert graph.nodes[-1].operation.name == "act"


def test_a_table_over_it_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(LENET)
    over = tmp_path / "over.yaml"
    over.write_text(
        "archspec: 1\nname: t\nextends: base\nstages: {block: basic, count: [1, 1], channels: 8}\nhead: classifier\n"
    )
    assert len(archspec.compile(over).stages) == 2


@pytest.mark.parametrize("text", ["classes: 10", "stem: cifar", "extends: resnet18\nstages: null"])
def test_the_fault_of_a_missing_table_says_how_to_have_none(text: str) -> None:
    with pytest.raises(archspec.SpecError) as caught:
        archspec.compile(f"archspec: 1\nname: t\n{text}\n")
    (fault,) = caught.value.diagnostics
    assert fault.code == "E203"
    assert "`stages: []`" in fault.help
